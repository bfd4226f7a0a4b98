"""The command line: `customer-segmentation`."""
