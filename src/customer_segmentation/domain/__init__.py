"""What the service is about: the feature table, customers, segments and errors.

Standard library and NumPy only; this room imports no other.
"""
