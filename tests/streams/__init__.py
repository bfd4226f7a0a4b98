"""Tests of streams, against the real brokers."""
