"""Runs every contest, or those named, and writes what they find to docs/performance.md.

`python -m benchmarks [calls] [workers] [growth] …`
"""

import sys
import time

from benchmarks import (
    audiences,
    batches,
    calls,
    dashboard,
    files,
    growth,
    ids,
    profiles,
    spark,
    training,
    transactions,
    uploads,
    workers,
)
from benchmarks.contest import put

CONTESTS = {
    "calls": calls.run,
    "workers": workers.run,
    "profiles": profiles.run,
    "growth": growth.run,
    "batches": batches.run,
    "transactions": transactions.run,
    "audiences": audiences.run,
    "training": training.run,
    "ids": ids.run,
    "files": files.run,
    "uploads": uploads.run,
    "spark": spark.run,
    "dashboard": dashboard.run,
}


def main() -> None:
    """Run what is asked for, print it as it is found, and keep it."""
    for name in sys.argv[1:] or CONTESTS:
        started = time.monotonic()
        found = CONTESTS[name]()
        print(f"{found}\n\n{name}: {time.monotonic() - started:.0f} s\n", flush=True)
        put(name, found)


if __name__ == "__main__":
    main()
