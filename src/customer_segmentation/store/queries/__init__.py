"""Queries, a module for each subject."""
