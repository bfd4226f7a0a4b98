"""What every command shares: output, options, and how commands end."""
