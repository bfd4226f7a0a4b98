"""Customers' files: reading, mapping, checking and writing them, block by block.

Any tabular source becomes checked arrays in constant memory. This room knows the domain only.
"""
