"""Segments: profiles, map, overview."""
