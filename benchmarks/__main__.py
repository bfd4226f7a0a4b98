"""Runs every contest, or those named: `python -m benchmarks [predict] [training]`."""

import sys

from benchmarks import predict, training

CONTESTS = {"predict": predict.run, "training": training.run}

for name in sys.argv[1:] or CONTESTS:
    CONTESTS[name]()
