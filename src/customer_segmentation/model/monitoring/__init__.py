"""Watching customers after a training: distribution, drift, and the training data's fingerprint."""
