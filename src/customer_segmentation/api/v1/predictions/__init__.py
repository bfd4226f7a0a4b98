"""Segmenting without storing, `/v1/segments:predict`: routes, and rows as JSON, NDJSON or Arrow."""
