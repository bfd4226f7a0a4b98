"""Training: starting one, what its process does, schedules, studies, tables for Spark."""
