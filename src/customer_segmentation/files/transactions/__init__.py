"""Totals of transactions, as attributes of customers."""
