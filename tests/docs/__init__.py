"""What documents say is so."""
