"""Whether a bank of ten million is served as one of twenty thousand is, in SQLite and PostgreSQL.

`BENCHMARK_SIZES` names other sizes, apart by spaces; `BENCHMARK_POSTGRES` the server, as a URL
without a database.
"""

import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from operator import attrgetter
from pathlib import Path
from statistics import median

import psycopg
from psycopg.sql import SQL, Identifier

from benchmarks.calls import additions, predictions, reads, updates
from benchmarks.contest import ROUNDS, spread, table
from benchmarks.load import Load, run_load
from benchmarks.services import OURS, Service, resident_bytes, serving
from benchmarks.training import retrain

SIZES = [int(size) for size in os.environ.get("BENCHMARK_SIZES", "20000 1000000 10000000").split()]
POSTGRES = os.environ.get("BENCHMARK_POSTGRES", "postgresql://postgres@127.0.0.1:5432")
SECONDS = 2.0
CONNECTIONS = 4
RATE = 200.0


def run() -> str:
    """Return latencies, start and memory by the number of customers, for each database."""
    with tempfile.TemporaryDirectory() as folder:
        found = [_contest("SQLite", lambda size: bank_in_sqlite(Path(folder), size), Path(folder))]
        found += [_contest("PostgreSQL", bank_in_postgres, Path(folder))]
    return "\n\n".join(found)


Opened = Callable[[int], Iterator[str]]


def _contest(name: str, made: Opened, folder: Path) -> str:
    rows = []
    with ExitStack() as stack:
        urls = [stack.enter_context(contextmanager(made)(size)) for size in SIZES]
        starts = [_starts(url, folder) for url in urls]
        services = [stack.enter_context(serving(OURS, folder, DATABASE_URL=url)) for url in urls]
        calls = {
            "predict": [predictions() for _ in SIZES],
            "get": [reads(size) for size in SIZES],
            "update": [updates(size) for size in SIZES],
            "add": [additions(size + 1) for size in SIZES],
        }
        for call, requests in calls.items():
            rows += _latencies(call, services, requests)
        rows.append(["a start until it answers, s", *(spread(s, "{:.2f}") for s in starts), ""])
        used = [resident_bytes(service.pid) / 2**20 for service in services]
        grown = f"{used[-1] / used[0]:.2f}"
        rows.append(["memory, MiB", *(f"{size:,.0f}" for size in used), grown])
        trained = [retrain(service) for service in services]
        rows.append(["a retrain, s", *(f"{done.seconds:.1f}" for done in trained), ""])
        rows.append(
            ["its memory at most, MiB", *(f"{done.peak / 2**20:,.0f}" for done in trained), ""]
        )
    head = [name, *(f"{size:,} customers" for size in SIZES), "last / first"]
    return table(head, rows)


def _latencies(
    call: str, services: list[Service], requests: list[Iterator[bytes]]
) -> list[list[str]]:
    loads: list[list[Load]] = [[] for _ in services]
    for _ in range(ROUNDS):
        for found, service, asked in zip(loads, services, requests, strict=True):
            found.append(
                run_load(service.port, asked, connections=CONNECTIONS, rate=RATE, seconds=SECONDS)
            )
    rows = []
    for what, of in (("median", attrgetter("median")), ("p99", attrgetter("p99"))):
        times: list[list[float]] = [[of(load) * 1000 for load in found] for found in loads]
        ratio = median(times[-1]) / median(times[0])
        cells = [spread(found, "{:.2f}") for found in times]
        rows.append([f"{call}, {what}, ms", *cells, f"{ratio:.2f}"])
    return rows


def _starts(url: str, folder: Path) -> list[float]:
    """Return how long a start takes until a customer is answered, in seconds."""
    taken = []
    for _ in range(ROUNDS):
        started = time.monotonic()
        service = Service(OURS, folder, DATABASE_URL=url)
        service.wait_for("/get_customer_info_from_database?customer_id=56")
        taken.append(time.monotonic() - started)
        service.stop()
    return taken


def _load(url: str, size: int) -> None:
    """Make up a bank, and train its first model."""
    command = [sys.executable, "-m", "customer_segmentation", "demo", str(size)]
    environment = os.environ | {"DATABASE_URL": url}
    subprocess.run(command, env=environment, check=True, capture_output=True)


def bank_in_sqlite(folder: Path, size: int) -> Iterator[str]:
    """Yield the URL of a bank of so many customers in SQLite."""
    file = folder / f"{size}.db"
    _load(f"sqlite:///{file}", size)
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    yield f"sqlite:///{file}"
    file.unlink()


def bank_in_postgres(size: int) -> Iterator[str]:
    """Yield the URL of a bank of so many customers in PostgreSQL."""
    with new_database(f"customer_segmentation_benchmark_{size}") as url:
        _load(url, size)
        with psycopg.connect(url, autocommit=True) as database:
            database.execute("VACUUM ANALYZE")
        yield url


@contextmanager
def new_database(name: str) -> Iterator[str]:
    """Make an empty database in PostgreSQL for the length of a block; return its URL."""
    with psycopg.connect(f"{POSTGRES}/postgres", autocommit=True) as server:
        server.execute(SQL("DROP DATABASE IF EXISTS {}").format(Identifier(name)))
        server.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
        try:
            yield f"{POSTGRES}/{name}"
        finally:
            server.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))
