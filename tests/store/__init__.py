"""The databases, and what is kept in them."""
