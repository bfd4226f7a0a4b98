"""Runs every contest, or those named: `python -m benchmarks [predict] [training] [spark]`."""

import sys

from benchmarks import predict, spark, training

CONTESTS = {"predict": predict.run, "training": training.run, "spark": spark.run}

for name in sys.argv[1:] or CONTESTS:
    CONTESTS[name]()
