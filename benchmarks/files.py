"""Importing, exporting and scoring files, each next to a lean program that does only what it must.

The sides take turns, each as a process of its own, start included.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.support.shipped import COLUMNS, CUSTOMER_ID

from benchmarks.contest import ROUNDS, ratios, spread, table
from benchmarks.services import database, resident_bytes
from customer_segmentation.services.transfer.demo import write_bank

CUSTOMERS = int(os.environ.get("BENCHMARK_CUSTOMERS", "1000000"))
PEOPLE = int(os.environ.get("BENCHMARK_PEOPLE", "10000000"))
SEED = 1

READ = """
import sys
import adbc_driver_sqlite.dbapi

with adbc_driver_sqlite.dbapi.connect(sys.argv[1]) as connection:
    cursor = connection.cursor()
    cursor.execute("SELECT * FROM customers")
    print(cursor.fetch_arrow_table().num_rows)
"""
"""Reading every customer by ADBC into memory, and writing nothing."""

FIT = """
import sys
import pandas as pd
from sklearn.cluster import KMeans
from sklearn.preprocessing import StandardScaler

fitted = pd.read_csv(sys.argv[1]).drop(columns="customer id")
scaler = StandardScaler().fit(fitted)
kmeans = KMeans(n_clusters=4, n_init=1, random_state=0).fit(scaler.transform(fitted))
people = pd.read_parquet(sys.argv[2])
"""

BARE = (
    FIT
    + """
segments = kmeans.predict(scaler.transform(people.drop(columns="customer id")))
people[["customer id"]].assign(segment=segments).to_parquet(sys.argv[3])
"""
)
"""Scoring as it is often written; it fits on 20,000 customers first and tells a number only."""

ALIKE = (
    FIT
    + """
import numpy as np

names = np.array(["Power Users", "Frequent Users", "Inactives", "Occasionals"])
strategies = np.array(["Upsell products", "Build loyalty", "Increase engagement", "Incentives"])
scaled = scaler.transform(people.drop(columns="customer id"))
segments = kmeans.predict(scaled)
distances = np.sort(kmeans.transform(scaled), axis=1)
near, next_one = distances[:, 0], distances[:, 1]
people[["customer id"]].assign(
    segment=segments,
    name=names[segments],
    strategy=strategies[segments],
    confidence=(next_one - near) / (next_one + near),
    outlier=near > 10,
).to_parquet(sys.argv[3])
"""
)
"""The same, telling all that ours tells."""


def run() -> str:
    """Return how long each takes, the ratio, and the memory that ours uses."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        command(folder, "demo", "2000")  # All but as many of the file are new.
        rows = [_import(folder), _export(folder), *_score(folder)]
    head = ["what", "ours, s", "the other side", "its time, s", "ours / other", "memory, MiB"]
    return table(head, rows)


def command(folder: Path, *arguments: str) -> int:
    """Run one of our commands on a folder's database; return its peak memory in bytes."""
    return _run(folder, sys.executable, "-m", "customer_segmentation", *arguments)


def _import(folder: Path) -> list[str]:
    data = folder / "customers.csv"
    write_bank(data, CUSTOMERS, SEED)
    shutil.copy(folder / "bank.db", folder / "first.db")
    columns = ", ".join(
        f'"{feature.record_name}" {"INTEGER" if feature.is_integer else "REAL"}'
        f"{' PRIMARY KEY' if feature == CUSTOMER_ID else ''}"
        for feature in COLUMNS
    )

    def ours() -> int:
        (folder / "bank.db-wal").unlink(missing_ok=True)
        shutil.copy(folder / "first.db", folder / "bank.db")
        return command(folder, "import", str(data))

    def shell() -> None:
        (folder / "shell.db").unlink(missing_ok=True)
        create = f"CREATE TABLE customers ({columns})"
        load = f".import --skip 1 {data} customers"
        _run(folder, "sqlite3", "shell.db", create, ".mode csv", load)

    return _row(f"import of {CUSTOMERS:,} customers from CSV", ours, "sqlite3's `.import`", shell)


def _export(folder: Path) -> list[str]:
    def ours() -> int:
        return command(folder, "export", "-o", "customers.parquet")

    def read() -> None:
        _run(folder, sys.executable, "-c", READ, str(folder / "bank.db"))

    return _row(f"export of {CUSTOMERS:,} customers to Parquet", ours, "reading by ADBC", read)


def _score(folder: Path) -> list[list[str]]:
    people, shipped = folder / "people.parquet", folder / "shipped.csv"
    write_bank(people, PEOPLE, SEED)
    write_bank(shipped, 20_000, SEED)

    def ours() -> int:
        return command(folder, "score", str(people), "-o", "segments.parquet")

    def other(program: str) -> Callable[[], object]:
        arguments = (str(shipped), str(people), "plain.parquet")
        return lambda: _run(folder, sys.executable, "-c", program, *arguments)

    what = f"scoring of {PEOPLE:,} people from Parquet"
    return [
        _row(what, ours, "pandas and scikit-learn, number only", other(BARE)),
        _row(what, ours, "the same, telling as much as ours", other(ALIKE)),
    ]


def _run(folder: Path, *arguments: str) -> int:
    """Run a program to its end; return the most memory that it and its processes used at once."""
    environment = os.environ | database(folder)
    peak = 0
    with (
        tempfile.TemporaryFile() as told,
        subprocess.Popen(
            arguments, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=told
        ) as process,
    ):
        while process.poll() is None:
            peak = max(peak, resident_bytes(process.pid))
            time.sleep(0.02)
        if process.returncode != 0:
            told.seek(0)
            raise RuntimeError(f"{arguments}: {told.read().decode()}")
    return peak


def _row(what: str, ours: Callable[[], int], other: str, theirs: Callable[[], object]) -> list[str]:
    """Let both sides take turns."""
    taken: tuple[list[float], list[float]] = ([], [])
    memory = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        memory.append(ours() / 2**20)
        halfway = time.perf_counter()
        theirs()
        taken[0].append(halfway - started)
        taken[1].append(time.perf_counter() - halfway)
    times = [spread(side, "{:.1f}") for side in taken]
    return [what, times[0], other, times[1], ratios(*taken), spread(memory)]
