"""HTTP's own subjects: problems, requests, fields, schemas, preconditions, roles, connections."""
