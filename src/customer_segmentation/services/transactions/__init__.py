"""Transactions: taking them in and back, and the attributes that follow from them."""
