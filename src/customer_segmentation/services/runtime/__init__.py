"""What use cases run on: settings, units of work, the active model, the audit log, the clock."""
