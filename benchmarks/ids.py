"""Customers whose ids are texts next to the same ones whose ids are integers."""

import csv
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

from benchmarks.calls import CUSTOMERS, additions, reads, updates
from benchmarks.contest import ROUNDS, ratios, spread, table
from benchmarks.growth import new_database
from benchmarks.load import run_load
from benchmarks.services import OURS, serving
from customer_segmentation.services.runtime.current_schema import SHIPPED_SCHEMA
from customer_segmentation.services.runtime.settings import SHIPPED_DATA
from customer_segmentation.services.transfer.demo import write_bank

MANY = int(os.environ.get("BENCHMARK_CUSTOMERS", "1000000"))
SIDES = ("integers", "texts")


def code(number: int) -> str:
    """Return what a shop calls the customer of a number."""
    return f"C-{number:07}"


NAMED: dict[str, Callable[[int], int | str]] = {"integers": int, "texts": code}


def run() -> str:
    """Return the rates of calls, and the times of files, by what ids are."""
    with tempfile.TemporaryDirectory() as folder:
        settings = {side: _settings(side, Path(folder)) for side in SIDES}
        rows = [*_calls("SQLite", _sqlite, settings), *_calls("PostgreSQL", _postgres, settings)]
        rows += _files(settings, Path(folder))
    return table(["", *SIDES, "texts / integers, in time"], rows)


def _settings(side: str, folder: Path) -> dict[str, str]:
    """Return a schema and a table of first customers whose ids are so."""
    home = folder / side
    home.mkdir()
    schema, data = home / "schema.toml", home / "first.csv"
    text = SHIPPED_SCHEMA.read_text()
    if side == "texts":
        text = text.replace('type = "integer"', 'type = "text"', 1)
        text = text.replace("example = 20001", f'example = "{code(20_001)}"', 1)
    schema.write_text(text)
    _rename(SHIPPED_DATA, data, NAMED[side])
    return {
        "CUSTOMER_SEGMENTATION_SCHEMA_FILE": str(schema),
        "CUSTOMER_SEGMENTATION_DATA": str(data),
    }


def _rename(source: Path, target: Path, named: Callable[[int], int | str]) -> None:
    with source.open(newline="") as read, target.open("w", newline="") as written:
        rows, writer = csv.reader(read), csv.writer(written)
        head = next(rows)
        place = head.index("customer id")
        writer.writerow(head)
        for row in rows:
            row[place] = str(named(int(row[place])))
            writer.writerow(row)


@contextmanager
def _sqlite(folder: Path) -> Iterator[str]:
    yield f"sqlite:///{folder / 'calls.db'}"


def _postgres(folder: Path) -> AbstractContextManager[str]:
    return new_database(f"customer_segmentation_benchmark_{folder.name}")


def _calls(
    database: str,
    opened: Callable[[Path], AbstractContextManager[str]],
    settings: dict[str, dict[str, str]],
) -> Iterator[list[str]]:
    with ExitStack() as stack:
        services = {}
        for side, told in settings.items():
            folder = Path(told["CUSTOMER_SEGMENTATION_DATA"]).parent
            url = stack.enter_context(opened(folder))
            services[side] = stack.enter_context(serving(OURS, folder, DATABASE_URL=url, **told))
        for call, asked in {"get": reads, "update": updates, "add": additions}.items():
            first = CUSTOMERS + 1 if call == "add" else CUSTOMERS
            sent = {side: asked(first, NAMED[side]) for side in SIDES}
            rates: dict[str, list[float]] = {side: [] for side in SIDES}
            for _ in range(ROUNDS):
                for side, service in services.items():
                    rates[side].append(run_load(service.port, sent[side]).rate)
            yield [
                f"{call}, {database}, calls/s",
                *(spread(rates[side]) for side in SIDES),
                ratios(rates["integers"], rates["texts"]),
            ]


def _files(settings: dict[str, dict[str, str]], folder: Path) -> Iterator[list[str]]:
    bank = folder / "bank.csv"
    write_bank(bank, MANY)
    tables = {side: folder / side / "many.csv" for side in SIDES}
    for side, path in tables.items():
        _rename(bank, path, NAMED[side])
    times: dict[str, dict[str, list[float]]] = {
        task: {side: [] for side in SIDES} for task in ("import", "import again", "export")
    }
    for _ in range(ROUNDS):
        for side, told in settings.items():
            database = folder / side / "files.db"
            for old in database.parent.glob("files.db*"):
                old.unlink()
            environment = told | {"DATABASE_URL": f"sqlite:///{database}"}
            first = ["import", told["CUSTOMER_SEGMENTATION_DATA"]]
            _command(environment, *first)
            many = ["import", str(tables[side])]
            times["import"][side].append(_command(environment, *many))
            times["import again"][side].append(_command(environment, *many))
            target = folder / side / "out.parquet"
            times["export"][side].append(_command(environment, "export", "-o", str(target)))
    for task, found in times.items():
        yield [
            f"{task} of {MANY:,}, s",
            *(spread(found[side], "{:.1f}") for side in SIDES),
            ratios(found["texts"], found["integers"]),
        ]


def _command(environment: dict[str, str], *arguments: str) -> float:
    """Return how long a command takes, in seconds."""
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "customer_segmentation", *arguments],
        env=os.environ | environment,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return time.perf_counter() - started
