"""The K-means model as pure NumPy: preparing, fitting, aligning, assigning, explaining, quality.

No input or output but the artifact; everything here can be tested without a database or a clock.
"""
