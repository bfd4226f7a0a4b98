"""Contests of two things run side by side on one machine: `./run bench`.

Only the ratios mean something elsewhere; the absolute figures are this machine's.
"""
