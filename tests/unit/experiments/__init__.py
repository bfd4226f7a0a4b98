"""Tests of what a campaign's read-out computes."""
