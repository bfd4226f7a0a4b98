"""Transactions, and the attributes that follow from them."""
