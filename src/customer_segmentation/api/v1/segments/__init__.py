"""Segments under `/v1/segments`: routes, figures to plot, answers."""
