"""Customers to begin with: the file that a first start loads, and the model it is drawn from."""
