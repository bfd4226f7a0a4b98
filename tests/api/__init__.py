"""The six functions, the resources under `/v1`, and the client."""
