"""Schemas of customers' tables: made from a table by looking at it."""
