"""Campaigns as resources, under `/v1/campaigns`."""
