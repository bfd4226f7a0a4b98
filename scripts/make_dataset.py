"""Make the shipped data set: `python scripts/make_dataset.py [OUT]`."""

import sys
from pathlib import Path

from customer_segmentation.data.synthetic import SEED, SHIPPED_CUSTOMERS
from customer_segmentation.services.demo import write_bank
from customer_segmentation.services.settings import SHIPPED_DATA

if __name__ == "__main__":
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else SHIPPED_DATA
    write_bank(out, SHIPPED_CUSTOMERS, SEED)
