"""Runs every contest, or those named: `python -m benchmarks [predict]`."""

import sys

from benchmarks import predict

CONTESTS = {"predict": predict.run}

for name in sys.argv[1:] or CONTESTS:
    CONTESTS[name]()
