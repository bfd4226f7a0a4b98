"""Audiences as resources, under `/v1/audiences`."""
