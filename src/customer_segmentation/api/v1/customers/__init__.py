"""Customers under `/v1/customers`: routes, batches, listings, answers."""
