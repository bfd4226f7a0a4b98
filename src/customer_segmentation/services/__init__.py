"""The use cases: each one transaction over plain values, raising domain errors."""
