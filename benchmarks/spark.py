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
from tests.support.data_file import read_data_file
from tests.support.shipped import SHIPPED

from benchmarks.contest import ROUNDS, ratios, spread, table
from customer_segmentation.domain.arrays import FloatArray, IntArray
from customer_segmentation.domain.jobs import Phase
from customer_segmentation.engines.local import LocalEngine
from customer_segmentation.engines.scoring import Scorer
from customer_segmentation.engines.spark.session import open_session
from customer_segmentation.model.artifact import Model, Parameters
from customer_segmentation.model.assign import Assigner
from customer_segmentation.services.runtime.settings import Settings
from customer_segmentation.services.training.external import (
    ExternalTable,
    score_external,
    train_on_table,
)
from customer_segmentation.services.transfer.demo import write_bank

CUSTOMERS = int(os.environ.get("BENCHMARK_CUSTOMERS", "1000000"))
NOBODY = np.empty(0, dtype=np.int64)

Result = TypeVar("Result")


def run() -> str:
    """Return times, and the ratios of times and inertias."""
    rounds = []
    with tempfile.TemporaryDirectory() as folder:
        bank = Path(folder) / "customers.parquet"
        write_bank(bank, CUSTOMERS, seed=1)
        settings = Settings()
        with open_session(settings.spark_master, settings.spark_conf):
            rounds = [_contest(bank, settings, Path(folder)) for _ in range(ROUNDS)]
    train, train_there, score, score_there, inertia, farthest, differ, passes = zip(
        *rounds, strict=True
    )
    rows = [
        ["read and train", *_sides(train, train_there)],
        ["read and score", *_sides(score, score_there)],
    ]
    head = [f"{CUSTOMERS:,} customers", "local engine, s", "Spark, s", "Spark / local"]
    alike = (
        f"After {passes[-1]:.0f} passes Spark's inertia is {spread(inertia, '{:.9f}')} times the "
        f"local engine's, no centroid is farther than {max(farthest):.1e} from its, and at most "
        f"{max(differ):,.0f} customers are in another segment. Master: `{settings.spark_master}`; "
        "starting its session is not counted."
    )
    return f"{table(head, rows)}\n\n{alike}"


def _sides(local: tuple[float, ...], there: tuple[float, ...]) -> list[str]:
    return [spread(local, "{:.1f}"), spread(there, "{:.1f}"), ratios(there, local, "{:.1f}")]


def _contest(bank: Path, settings: Settings, folder: Path) -> tuple[float, ...]:
    (ids, values), reading = _timed(lambda: _read(bank))
    local, fitting = _timed(lambda: LocalEngine(SHIPPED).train(ids, values, Parameters()))
    passes: list[int] = []
    spread_out, on_spark = _timed(lambda: _train_on_spark(bank, settings, passes))
    _, scoring = _timed(lambda: Scorer(local, "customer id", explained=False).score(ids, values))
    output = str(folder / f"segments-{time.monotonic_ns()}")
    external = ExternalTable(str(bank))
    _, scoring_on_spark = _timed(
        lambda: score_external(settings, SHIPPED, local, external, output, explained=False)
    )
    return (
        reading + fitting,
        on_spark,
        reading + scoring,
        scoring_on_spark,
        spread_out.quality.inertia / local.quality.inertia,
        float(np.abs(spread_out.centroids - local.centroids).max()),
        float((Assigner(local).assign(values) != Assigner(spread_out).assign(values)).sum()),
        float(len(passes)),
    )


def _read(bank: Path) -> tuple[IntArray, FloatArray]:
    found = read_data_file(bank)
    return found.ids, found.values


def _train_on_spark(bank: Path, settings: Settings, passes: list[int]) -> Model:
    def progress(phase: Phase, done: int, total: int) -> None:
        if phase is Phase.FITTING and total == 0:
            passes.append(done)

    return train_on_table(
        settings,
        SHIPPED,
        ExternalTable(str(bank)),
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
