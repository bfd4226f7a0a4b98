"""What the service is about: the schema, customers, segments and errors.

Standard library and NumPy only; this room imports no other.
"""
