"""Segments: profiles, distribution, drift, map, overview, and the recount that checks them."""
