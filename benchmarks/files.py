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
from statistics import median

from customer_segmentation.domain.features import COLUMNS, CUSTOMER_ID
from customer_segmentation.services.demo import write_bank

CUSTOMERS = int(os.environ.get("BENCHMARK_CUSTOMERS", "1000000"))
PEOPLE = int(os.environ.get("BENCHMARK_PEOPLE", "10000000"))
ROUNDS = 3
SEED = 1
COMMAND = (sys.executable, "-m", "customer_segmentation")

SCIKIT_LEARN = """
import sys
import pandas as pd
from sklearn.cluster import KMeans
from sklearn.preprocessing import StandardScaler

fitted = pd.read_csv(sys.argv[1]).drop(columns="customer id")
scaler = StandardScaler().fit(fitted)
kmeans = KMeans(n_clusters=4, n_init=1, random_state=0).fit(scaler.transform(fitted))
people = pd.read_parquet(sys.argv[2])
segments = kmeans.predict(scaler.transform(people.drop(columns="customer id")))
people[["customer id"]].assign(segment=segments).to_parquet(sys.argv[3])
"""
"""Scoring as it is often written; it fits on the 20,000 shipped customers first."""

READ = """
import sqlite3
with sqlite3.connect("bank.db") as connection:
    print(len(connection.execute("SELECT * FROM customers").fetchall()))
"""
"""Reading every customer by Python's own driver."""


def run() -> None:
    """Print how long each takes, and the ratio."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        _start(work)
        _import(work)
        _export(work)
        _score(work)


def _start(work: Path) -> None:
    """Make a database that holds a model, and the shipped customers."""
    _run(work, *COMMAND, "demo", "20000", database="first.db")


def _import(work: Path) -> None:
    data = work / "customers.csv"
    write_bank(data, CUSTOMERS, SEED)
    columns = ", ".join(
        f'"{feature.record_name}" {"INTEGER" if feature.is_integer else "REAL"}'
        f"{' PRIMARY KEY' if feature == CUSTOMER_ID else ''}"
        for feature in COLUMNS
    )

    def ours() -> None:
        shutil.copy(work / "first.db", work / "bank.db")
        _run(work, *COMMAND, "import", str(data))

    def shell() -> None:
        (work / "shell.db").unlink(missing_ok=True)
        load = f".import --skip 1 {data} customers"
        _run(work, "sqlite3", "shell.db", f"CREATE TABLE customers ({columns})", ".mode csv", load)

    _tell(f"import of {CUSTOMERS:,} customers from CSV", ours, "sqlite3's .import", shell)


def _export(work: Path) -> None:
    def ours() -> None:
        _run(work, *COMMAND, "export", "-o", "customers.parquet")

    def read() -> None:
        _run(work, sys.executable, "-c", READ)

    _tell(f"export of {CUSTOMERS:,} customers to Parquet", ours, "reading them by sqlite3", read)


def _score(work: Path) -> None:
    people = work / "people.parquet"
    write_bank(people, PEOPLE, SEED)
    shipped = work / "shipped.csv"
    write_bank(shipped, 20_000, SEED)

    def ours() -> None:
        _run(work, *COMMAND, "score", str(people), "-o", "segments.parquet")

    def plain() -> None:
        _run(work, sys.executable, "-c", SCIKIT_LEARN, str(shipped), str(people), "plain.parquet")

    _tell(f"scoring of {PEOPLE:,} people from Parquet", ours, "pandas and scikit-learn", plain)


def _run(work: Path, *command: str, database: str = "bank.db") -> None:
    environment = os.environ | {"DATABASE_URL": f"sqlite:///{work / database}"}
    subprocess.run(command, cwd=work, env=environment, check=True, capture_output=True)


def _tell(what: str, ours: Callable[[], None], other: str, theirs: Callable[[], None]) -> None:
    """Let both sides take turns; print medians, spread and ratio."""
    taken: tuple[list[float], list[float]] = ([], [])
    for _ in range(ROUNDS):
        for side, contestant in zip(taken, (ours, theirs), strict=True):
            started = time.perf_counter()
            contestant()
            side.append(time.perf_counter() - started)
    first, second = (median(side) for side in taken)
    spread = ", ".join(f"{min(side):.1f}-{max(side):.1f} s" for side in taken)
    print(f"{what}: {first:.1f} s, {other}: {second:.1f} s; ratio {first / second:.2f} ({spread})")
