"""Customers: find, look at, change, add and delete."""
