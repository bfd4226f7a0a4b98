"""The six functions: their routes and their documentation."""
