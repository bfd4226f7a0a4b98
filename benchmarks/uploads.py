"""Importing a file over the API, as the dashboard does, next to the command on the same machine.

The sides take turns, each on a database as it was; the command's time has its start, and that of
the upload all from the first byte sent until the import has ended.
"""

import os
import shutil
import tempfile
import time
from pathlib import Path

from benchmarks.contest import ROUNDS, ratios, spread, table
from benchmarks.files import command
from benchmarks.services import database, serving
from customer_segmentation.client import Client
from customer_segmentation.services.transfer.demo import write_bank

CUSTOMERS = int(os.environ.get("BENCHMARK_UPLOADED", "228356"))
SEED = 1


def run() -> str:
    """Return how long each takes, and the ratio."""
    uploads: list[float] = []
    commands: list[float] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = folder / "customers.csv"
        write_bank(data, CUSTOMERS, SEED)
        command(folder, "demo", "2000")  # All but as many of the file are new.
        shutil.copy(folder / "bank.db", folder / "first.db")
        for _ in range(ROUNDS):
            _restore(folder)
            commands.append(_seconds_of_command(folder, data))
            _restore(folder)
            uploads.append(_seconds_of_upload(folder, data))
    row = [
        f"import of {CUSTOMERS:,} customers from CSV",
        spread(uploads, "{:.1f}"),
        spread(commands, "{:.1f}"),
        ratios(uploads, commands),
    ]
    return table(["what", "over the API, s", "by the command, s", "API / command"], [row])


def _seconds_of_command(folder: Path, data: Path) -> float:
    started = time.perf_counter()
    command(folder, "import", str(data))
    return time.perf_counter() - started


def _seconds_of_upload(folder: Path, data: Path) -> float:
    arguments = ("-m", "customer_segmentation", "serve")
    with (
        serving(arguments, folder, **database(folder)) as service,
        Client(f"http://127.0.0.1:{service.port}") as bank,
    ):
        started = time.perf_counter()
        begun = bank.begin_import(data, data.name)
        *_, last = bank.follow_import(begun["id"], seconds=0.1)
        taken = time.perf_counter() - started
    if last["state"] != "succeeded":
        raise RuntimeError(f"the import {last['state']}: {last['error']}")
    return taken


def _restore(folder: Path) -> None:
    for ending in ("-wal", "-shm"):
        (folder / f"bank.db{ending}").unlink(missing_ok=True)
    shutil.copy(folder / "first.db", folder / "bank.db")
