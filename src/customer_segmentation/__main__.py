"""`python -m customer_segmentation` is the command `customer-segmentation`."""

from customer_segmentation.cli.main import app

app(prog_name="customer-segmentation")
