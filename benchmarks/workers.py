"""What more server processes bring, up to one for each processor and beyond."""

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.calls import predictions, reads
from benchmarks.contest import ROUNDS, spread, table
from benchmarks.load import run_load
from benchmarks.services import OURS, Service, cpu_seconds, database, serving

SECONDS = 3.0
CONNECTIONS = 64


def run() -> str:
    """Return rates by the number of workers, and what a second of their computing answers.

    The load takes a processor's time too, so on few processors the rate says less about scaling
    than calls by second computed: where these stay alike, no worker waits for another.
    """
    processors = os.cpu_count() or 1
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for workers in sorted({1, 2, 2 * processors}):
            arguments = (*OURS, "--workers", str(workers))
            with serving(arguments, Path(folder), **database(Path(folder))) as service:
                rows += [_row(service, workers, "predict", predictions)]
                rows += [_row(service, workers, "get", reads)]
    rows.sort(key=lambda row: row[0], reverse=True)
    return table(["call", "workers", "calls/s", "calls by second computed"], rows)


def _row(
    service: Service, workers: int, call: str, requests: Callable[[], Iterator[bytes]]
) -> list[str]:
    rates, by_second = [], []
    for _ in range(ROUNDS):
        computed, started = cpu_seconds(service.pid), time.monotonic()
        load = run_load(
            service.port, requests(), connections=CONNECTIONS, seconds=SECONDS, warm_up=0.0
        )
        busy = (cpu_seconds(service.pid) - computed) / (time.monotonic() - started)
        rates.append(load.rate)
        by_second.append(load.rate / busy)
    return [call, str(workers), spread(rates), spread(by_second)]
