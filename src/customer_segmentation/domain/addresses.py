"""Addresses on a network."""

LARGEST_PORT = 65_535
