"""Tests of schemas: how one is made from a table."""
