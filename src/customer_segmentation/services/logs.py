"""The one place that says where log lines go and how they look."""

import logging
import sys


def configure_logs() -> None:
    """Write log lines to standard error; customers' attributes are never among them."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s: %(message)s", stream=sys.stderr)
    for chatty in ("alembic", "uvicorn.error"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
