"""Fitting K-means, and matching its clusters to the active segments."""
