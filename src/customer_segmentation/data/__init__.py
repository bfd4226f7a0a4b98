"""The data set that a first start loads; `scripts/make_dataset.py` makes it."""
