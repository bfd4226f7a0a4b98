"""Make the shipped data set: `python scripts/make_dataset.py [OUT]`."""

import sys
from pathlib import Path

from customer_segmentation.data.synthetic import SEED, SHIPPED_CUSTOMERS
from customer_segmentation.services.runtime.settings import SHIPPED_DATA
from customer_segmentation.services.transfer.demo import write_bank

if __name__ == "__main__":
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else SHIPPED_DATA
    write_bank(out, SHIPPED_CUSTOMERS, SEED)
