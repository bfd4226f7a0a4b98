"""Audiences, what customers agreed to, and campaigns."""
