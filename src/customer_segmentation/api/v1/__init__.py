"""The resources under `/v1`, in folders or modules of their names."""
