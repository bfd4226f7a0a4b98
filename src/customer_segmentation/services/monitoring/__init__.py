"""Counts of current customers by segment and value, kept true as they change."""
