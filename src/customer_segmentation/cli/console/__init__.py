"""What every command shares: the service that it asks, output, options, and how it ends."""
