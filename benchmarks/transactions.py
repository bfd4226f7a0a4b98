"""Transactions: one by one, in batches, beside the usual way with pandas, and as days begin.

`BENCHMARK_SIZES` names other numbers of customers, apart by spaces.
"""

import io
import random
import sqlite3
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from operator import attrgetter
from pathlib import Path
from statistics import median
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa
from sklearn.cluster import KMeans
from sklearn.preprocessing import StandardScaler
from tests.support.beginning import begin_with
from tests.support.stored import activate

from benchmarks.calls import CUSTOMERS, SEED, updates
from benchmarks.contest import ROUNDS, ratios, spread, table
from benchmarks.growth import SIZES, bank_in_postgres, bank_in_sqlite
from benchmarks.load import http_request, run_load
from benchmarks.services import OURS, Service, serving
from customer_segmentation.services.models.rescoring import rescore
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork
from customer_segmentation.store.queries import models

BATCH = 10_000
REQUESTS = 5
"""Batches in a round."""

HISTORIES = (10, 100_000)
CONNECTIONS = 4
RATE = 100.0
Made = Callable[[int], Iterator[str]]

ARROW, JSON, NDJSON = (
    "application/vnd.apache.arrow.stream",
    "application/json",
    "application/x-ndjson",
)
_PATH = "/v1/transactions"
_numbers = count()

RFM = """
[id]
name = "customer_id"
type = "integer"

[[attributes]]
name = "recency"
kind = "count"
missing = "allowed"
from = "transactions"
aggregate = "days_since_last"

[[attributes]]
name = "frequency"
kind = "count"
default = 0
from = "transactions"
aggregate = "count"

[[attributes]]
name = "spent_lately"
kind = "amount"
default = 0
from = "transactions"
aggregate = "sum"
window = "90d"

[transactions]

[segments]
number = 3
"""


def run() -> str:
    """Return the rates of transactions, their latencies by what is there, and a day's length."""
    with tempfile.TemporaryDirectory() as folder:
        databases: dict[str, Made] = {
            "SQLite": lambda size: bank_in_sqlite(Path(tempfile.mkdtemp(dir=folder)), size),
            "PostgreSQL": bank_in_postgres,
        }
        found = [_rates(databases, Path(folder))]
        found += [_latencies(name, made, Path(folder)) for name, made in databases.items()]
        found += [_days(Path(folder), size) for size in SIZES[:2]]
    return "\n\n".join(found)


def _rates(databases: dict[str, Made], folder: Path) -> str:
    rows = []
    for name, made in databases.items():
        with (
            contextmanager(made)(CUSTOMERS) as url,
            serving(OURS, folder, DATABASE_URL=url) as service,
        ):
            singles, others = [], []
            # What follows from a customer's transactions cannot be written.
            half = CUSTOMERS // 2
            alone, changes = _alone(range(half + 1, CUSTOMERS + 1)), updates(half)
            for _ in range(ROUNDS):
                singles.append(run_load(service.port, alone).rate)
                others.append(run_load(service.port, changes).rate)
            told = [spread(singles), f"update: {spread(others)}", ratios(singles, others)]
            rows.append([f"{name}, one by one", *told])
            for form in (JSON, NDJSON, ARROW):
                rates, theirs = [], []
                for _ in range(ROUNDS):
                    rates.append(_rate_of_batches(service, form))
                    theirs.append(_rate_of_pandas())
                told = [spread(rates), f"pandas: {spread(theirs)}", ratios(rates, theirs)]
                rows.append([f"{name}, {BATCH:,} in a batch, {form}", *told])
    return table(["transactions", "by second", "beside it, by second", "ratio"], rows)


def _one(customer_id: int) -> dict[str, Any]:
    number = next(_numbers)
    return {
        "transaction_id": f"B{number}",
        "customer_id": customer_id,
        "time": (datetime.now(UTC) - timedelta(seconds=number % 10**6)).isoformat(),
        "amount": number % 10_000 / 100,
        "kind": ("withdrawal", "deposit")[number % 2],
    }


def _alone(customers: range) -> Iterator[bytes]:
    """Send transactions of some of the customers."""
    ids = random.Random(SEED).sample(customers, k=1_000)  # noqa: S311
    for number in count():
        body = msgspec.json.encode(_one(ids[number % len(ids)]))
        yield http_request("POST", _PATH, body)


def _rate_of_batches(service: Service, form: str) -> float:
    drawn = random.Random(SEED)  # noqa: S311
    bodies = [
        _body([_one(drawn.randint(1, CUSTOMERS)) for _ in range(BATCH)], form)
        for _ in range(REQUESTS)
    ]
    started = time.perf_counter()
    for body in bodies:
        request = urllib.request.Request(
            f"http://127.0.0.1:{service.port}{_PATH}", body, {"Content-Type": form}
        )
        with urllib.request.urlopen(request) as answer:
            if msgspec.json.decode(answer.read())["stored"] != BATCH:
                raise RuntimeError("not all were stored")
    return BATCH * REQUESTS / (time.perf_counter() - started)


def _body(rows: list[dict[str, Any]], form: str) -> bytes:
    if form == JSON:
        return msgspec.json.encode(rows)
    if form == NDJSON:
        return msgspec.json.Encoder().encode_lines(rows)
    found = pa.Table.from_pylist(rows)
    stream = io.BytesIO()
    with pa.ipc.new_stream(stream, found.schema) as writer:
        writer.write_table(found)
    return stream.getvalue()


def _rate_of_pandas() -> float:
    """Read, add up in pandas, write back and predict, as a job does that runs now and then."""
    random_ = np.random.default_rng(SEED)
    totals = pd.DataFrame(
        {
            "customer_id": np.arange(1, CUSTOMERS + 1),
            "spent": random_.gamma(2, 900, CUSTOMERS),
            "times": random_.integers(0, 30, CUSTOMERS),
            "segment": 0,
        }
    )
    scaler = StandardScaler().fit(totals[["spent", "times"]].to_numpy())
    means = KMeans(4, n_init=1, random_state=0)
    means.fit(scaler.transform(totals[["spent", "times"]].to_numpy()))
    drawn = random.Random(SEED)  # noqa: S311
    rows = [_one(drawn.randint(1, CUSTOMERS)) for _ in range(BATCH)]
    with tempfile.TemporaryDirectory() as folder, closing(sqlite3.connect(f"{folder}/a")) as into:
        into.execute("PRAGMA journal_mode = WAL")
        totals.to_sql("customers", into, index=False)
        started = time.perf_counter()
        new = pd.DataFrame(msgspec.json.decode(msgspec.json.encode(rows)))
        new.to_sql("transactions", into, if_exists="append", index=False)
        known = pd.read_sql("SELECT * FROM customers", into)
        added = new.groupby("customer_id").agg(spent=("amount", "sum"), times=("amount", "size"))
        known = known.set_index("customer_id")
        for name in ("spent", "times"):
            known[name] = known[name].add(added[name], fill_value=0)
        known["segment"] = means.predict(scaler.transform(known[["spent", "times"]].to_numpy()))
        known.reset_index().to_sql("customers", into, if_exists="replace", index=False)
        into.commit()
        return BATCH / (time.perf_counter() - started)


def _latencies(name: str, made: Made, folder: Path) -> str:
    rows = []
    with ExitStack() as stack:
        urls = [stack.enter_context(contextmanager(made)(size)) for size in SIZES]
        services = [stack.enter_context(serving(OURS, folder, DATABASE_URL=url)) for url in urls]
        found = _side_by_side(services, [_alone(range(1, size + 1)) for size in SIZES])
        head = [name, *(f"{size:,} customers" for size in SIZES), "last / first"]
        by_customers = table(head, found)
        first = services[0]
        for customer_id, transactions in enumerate(HISTORIES, 1):
            for start in range(0, transactions, BATCH):
                some = [_one(customer_id) for _ in range(min(BATCH, transactions - start))]
                request = urllib.request.Request(
                    f"http://127.0.0.1:{first.port}{_PATH}",
                    msgspec.json.encode(some),
                    {"Content-Type": JSON},
                )
                urllib.request.urlopen(request).close()
        rows = _side_by_side([first, first], [_of(1), _of(2)])
    head = [name, *(f"{many:,} transactions of the customer" for many in HISTORIES)]
    return "\n\n".join([by_customers, table([*head, "last / first"], rows)])


def _of(customer_id: int) -> Iterator[bytes]:
    while True:
        yield http_request("POST", _PATH, msgspec.json.encode(_one(customer_id)))


def _side_by_side(services: list[Service], requests: list[Iterator[bytes]]) -> list[list[str]]:
    loads: list[list[Any]] = [[] for _ in services]
    for _ in range(ROUNDS):
        for found, service, asked in zip(loads, services, requests, strict=True):
            found.append(run_load(service.port, asked, connections=CONNECTIONS, rate=RATE))
    rows = []
    for what, of in (("median", attrgetter("median")), ("p99", attrgetter("p99"))):
        times = [[of(load) * 1000 for load in found] for found in loads]
        ratio = median(times[-1]) / median(times[0])
        rows.append([f"{what}, ms", *(spread(t, "{:.2f}") for t in times), f"{ratio:.2f}"])
    return rows


def _days(folder: Path, size: int) -> str:
    """Return how long a day's pass takes beside a re-scoring by the same model."""
    random_ = np.random.default_rng(SEED)
    values = np.column_stack(
        [random_.integers(0, 400, size), random_.integers(0, 30, size), random_.gamma(2, 90, size)]
    ).astype(np.float64)
    url = f"sqlite:///{folder / f'days-{size}.db'}"
    with closing(begin_with(url, RFM, np.arange(1, size + 1), values)) as units:
        days, others = [], []
        for _ in range(ROUNDS):
            with units.database.write() as connection:
                active = models.active(connection)
                assert active is not None  # noqa: S101
                models.begin_day(connection, active.day + 1)
            days.append(_seconds_of_pass(units))
            activate(units, units.require_model().model)
            others.append(_seconds_of_pass(units))
    (folder / f"days-{size}.db").unlink()
    told = [spread(days, "{:.1f}"), spread(others, "{:.1f}"), ratios(days, others)]
    head = [f"{size:,} customers, SQLite", "a day's pass, s", "a re-scoring, s", "day / re-scoring"]
    return table(head, [["all", *told]])


def _seconds_of_pass(units: UnitsOfWork) -> float:
    started = time.perf_counter()
    rescore(units)
    return time.perf_counter() - started
