"""What holds for every request: limits, roles, origins, documents, connections."""
