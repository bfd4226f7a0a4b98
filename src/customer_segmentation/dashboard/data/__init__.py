"""Data in and out: a file looked at, mapped, tried and imported; customers exported."""
