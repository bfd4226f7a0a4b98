"""What every use case runs on: settings, units of work, logs, the clock, and start-up."""
