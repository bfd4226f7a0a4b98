"""Tests of behaviour, against real files, real databases, real HTTP and a real browser."""
