"""Customers' files: reading, mapping, checking and writing them, block by block.

Any tabular source becomes checked arrays, a block at a time. This room knows the domain only.
"""
