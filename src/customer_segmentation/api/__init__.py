"""The HTTP face: the six functions, health and /docs. It turns requests into use cases, no more."""
