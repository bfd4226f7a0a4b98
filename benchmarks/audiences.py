"""What ten audiences cost: an update beside one without them, and how soon rules are answered.

`BENCHMARK_SIZES` names another number of customers; `BENCHMARK_POSTGRES` the server, as a URL
without a database.
"""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import psycopg

from benchmarks.calls import updates
from benchmarks.contest import ROUNDS, ratios, spread, table
from benchmarks.growth import new_database
from benchmarks.load import run_load
from benchmarks.services import OURS, Service, serving

SIZE = int(os.environ.get("BENCHMARK_SIZES", "1000000").split()[-1])
CONNECTIONS = 4
ASKED = 20
RULES = [
    "segment = 2 AND age >= 60",
    "segment IN (0, 1) AND monthly_income > 5000",
    "age BETWEEN 30 AND 40 AND gender = 1",
    "has_loan AND account_balance < 1000",
    "loyalty_score >= 700 AND NOT has_loan AND age < 50",
    "email_interaction AND transaction_count >= 5 AND segment = 0",
    "total_deposit_amount > 3000 AND total_withdrawal_amount < 1000",
    "days_in_segment < 30 AND age >= 40",
    "education_level = 2 OR education_level = 3",
    "monthly_income BETWEEN 1000 AND 2000 AND NOT email_interaction AND age < 40",
]
COUNTED = "segment IN (1, 2) AND age BETWEEN 30 AND 60 AND NOT has_loan"


def run() -> str:
    """Return the cost of updates, and how long rules of three conditions take, by database."""
    with tempfile.TemporaryDirectory() as folder:
        costs, times = [], []
        for name, made in (("SQLite", _sqlite), ("PostgreSQL", _postgres)):
            with ExitStack() as stack:
                plain, audience = stack.enter_context(made(Path(folder)))
                without = stack.enter_context(serving(OURS, Path(folder), DATABASE_URL=plain))
                with_ten = stack.enter_context(serving(OURS, Path(folder), DATABASE_URL=audience))
                saved = [_ask(with_ten, "/v1/audiences", _new(rule)) for rule in RULES]
                costs.append([name, *_updates(without, with_ten)])
                counted = _times(with_ten, "/v1/audiences:count", {"rule": COUNTED})
                listed = _times(with_ten, "/v1/customers?audience=1&limit=1000&sort=-age", None)
                made_in = spread([seconds for seconds, _ in saved], "{:.1f}")
                times.append([name, made_in, *counted, *listed])
    head = ["database", "updates/s without", "with ten audiences", "cost with / without"]
    more = ["database", "to save one, s", "count, p95 ms", "a page of 1,000, p95 ms"]
    return f"{SIZE:,} customers.\n\n{table(head, costs)}\n\n{table(more, times)}"


def _new(rule: str) -> dict[str, str]:
    return {"name": rule[:100], "rule": rule}


def _updates(without: Service, with_ten: Service) -> list[str]:
    loads: list[list[float]] = [[], []]
    asked = [updates(SIZE), updates(SIZE)]
    for _ in range(ROUNDS):
        for found, service, requests in zip(loads, (without, with_ten), asked, strict=True):
            load = run_load(service.port, requests, connections=CONNECTIONS)
            found.append(load.rate)
    return [spread(loads[0]), spread(loads[1]), ratios(loads[0], loads[1])]


def _ask(service: Service, path: str, body: dict[str, str] | None) -> tuple[float, object]:
    data = None if body is None else json.dumps(body).encode()
    address = f"http://127.0.0.1:{service.port}{path}"
    request = urllib.request.Request(address, data, {"Content-Type": "application/json"})
    started = time.monotonic()
    with urllib.request.urlopen(request, timeout=600) as answer:
        found = json.load(answer)
    return time.monotonic() - started, found


def _times(service: Service, path: str, body: dict[str, str] | None) -> list[str]:
    taken = [_ask(service, path, body)[0] * 1000 for _ in range(ASKED)]
    return [f"{np.percentile(taken, 95):,.0f}"]


def _load(url: str) -> None:
    command = [sys.executable, "-m", "customer_segmentation", "demo", str(SIZE)]
    environment = os.environ | {"DATABASE_URL": url}
    subprocess.run(command, env=environment, check=True, capture_output=True)


@contextmanager
def _sqlite(folder: Path) -> Iterator[tuple[str, str]]:
    one, other = folder / "without.db", folder / "with.db"
    _load(f"sqlite:///{one}")
    with sqlite3.connect(one) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copy(one, other)
    yield f"sqlite:///{one}", f"sqlite:///{other}"
    one.unlink()
    other.unlink()


@contextmanager
def _postgres(_folder: Path) -> Iterator[tuple[str, str]]:
    with (
        new_database("customer_segmentation_benchmark_without") as one,
        new_database("customer_segmentation_benchmark_with") as other,
    ):
        for url in (one, other):
            _load(url)
            with psycopg.connect(url, autocommit=True) as database:
                database.execute("VACUUM ANALYZE")
        yield one, other
