"""Crashes, faults, load, waits, and every way to start."""
