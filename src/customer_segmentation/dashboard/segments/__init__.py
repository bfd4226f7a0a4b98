"""Segments: what their customers are like, side by side, on a map, and the words for them."""
