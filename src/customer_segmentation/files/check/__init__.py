"""Rows into checked ids and attributes, and the rows that are rejected."""
