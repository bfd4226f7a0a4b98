"""Real-time customer segmentation: which segment a customer is in, why, and what to do about it."""

from importlib.metadata import version

__version__ = version("customer-segmentation")
