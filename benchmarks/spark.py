"""Training and scoring on Apache Spark next to the local engine, on the same table and machine.

Spark pays for moving rows between processes and for being ready for many machines, so on one it is
slower; what it must be is as good, and bounded by no machine's memory.
"""

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np

from customer_segmentation.domain.arrays import FloatArray, IntArray
from customer_segmentation.domain.jobs import Phase
from customer_segmentation.engines.local import LocalEngine
from customer_segmentation.engines.scoring import Scorer
from customer_segmentation.engines.spark.session import open_session
from customer_segmentation.model.artifact import Model, Parameters
from customer_segmentation.model.assign import Assigner
from customer_segmentation.services.data_file import read_data_file
from customer_segmentation.services.demo import write_bank
from customer_segmentation.services.external import ExternalTable, score_external, train_on_table
from customer_segmentation.services.settings import Settings

CUSTOMERS = int(os.environ.get("BENCHMARK_CUSTOMERS", "1000000"))
ROUNDS = 2
NOBODY = np.empty(0, dtype=np.int64)

Result = TypeVar("Result")


def run() -> None:
    """Print times and the ratios of times, inertias and segments."""
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "customers.parquet"
        write_bank(table, CUSTOMERS, seed=1)
        settings = Settings()
        print(f"{CUSTOMERS:,} customers, master {settings.spark_master}")
        started = time.perf_counter()
        with open_session(settings.spark_master, settings.spark_conf):
            print(f"  a session starts in {time.perf_counter() - started:.1f} s")
            for _ in range(ROUNDS):
                _contest(table, settings, Path(folder))


def _contest(table: Path, settings: Settings, folder: Path) -> None:
    (ids, values), reading = _timed(lambda: _read(table))
    local, fitting = _timed(lambda: LocalEngine().train(ids, values, Parameters()))
    passes: list[int] = []
    spread, on_spark = _timed(lambda: _train_on_spark(table, settings, passes))
    _, scoring = _timed(lambda: Scorer(local, "customer id", explained=False).score(ids, values))
    output = str(folder / f"segments-{time.monotonic_ns()}")
    external = ExternalTable(str(table))
    _, scoring_on_spark = _timed(
        lambda: score_external(settings, local, external, output, explained=False)
    )
    differ = int((Assigner(local).assign(values) != Assigner(spread).assign(values)).sum())
    train = reading + fitting
    print(f"  training  local {train:.1f} s, Spark {on_spark:.1f} s: {on_spark / train:.1f} times")
    score = reading + scoring
    ratio = scoring_on_spark / score
    print(f"  scoring   local {score:.1f} s, Spark {scoring_on_spark:.1f} s: {ratio:.1f} times")
    inertia = spread.quality.inertia / local.quality.inertia
    print(f"  inertia   Spark / local {inertia:.9f}, after {len(passes)} passes")
    farthest = np.abs(spread.centroids - local.centroids).max()
    print(f"  centroids differ by {farthest:.1e} at most, and {differ:,} customers' segments")
    print(f"  fingerprints alike: {spread.fingerprint.sha256 == local.fingerprint.sha256}")


def _read(table: Path) -> tuple[IntArray, FloatArray]:
    found = read_data_file(table)
    return found.ids, found.values


def _train_on_spark(table: Path, settings: Settings, passes: list[int]) -> Model:
    def progress(phase: Phase, done: int, total: int) -> None:
        if phase is Phase.FITTING and total == 0:
            passes.append(done)

    return train_on_table(
        settings,
        ExternalTable(str(table)),
        Parameters(),
        None,
        erased=NOBODY,
        next_number=0,
        progress=progress,
        refused=lambda _rows: None,
    )


def _timed(work: Callable[[], Result]) -> tuple[Result, float]:
    started = time.perf_counter()
    return work(), time.perf_counter() - started
