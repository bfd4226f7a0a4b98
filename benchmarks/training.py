"""Retraining a million customers, next to scikit-learn's fit, and what reads notice of it."""

import json
import multiprocessing
import os
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.synchronize import Event
from pathlib import Path

from sklearn.cluster import KMeans

from benchmarks.calls import reads
from benchmarks.contest import ROUNDS, ratios, spread, table
from benchmarks.files import command
from benchmarks.load import run_load
from benchmarks.services import OURS, Service, database, resident_bytes, serving
from customer_segmentation.services.runtime.serving import load_model
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork
from customer_segmentation.services.transfer.demo import write_bank
from customer_segmentation.store.arrow import arrow_reader
from customer_segmentation.store.database import Database

CUSTOMERS = int(os.environ.get("BENCHMARK_CUSTOMERS", "1000000"))
CHANGED = 100
"""Before each retrain, one of so many customers is another."""

LOOK_SECONDS = 0.1
"""How often a training is asked after. To ask and to add up memory takes processors too."""

CONNECTIONS = 8
RATE = 400.0
READ_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Retrained:
    """A retrain, from the call to the end of its job.

    Attributes:
        version: that it made.
        seconds: that it took.
        peak: bytes that the service and its processes used at most meanwhile.
    """

    version: int
    seconds: float
    peak: int


def retrain(service: Service) -> Retrained:
    """Let a service train on its customers and wait until every one is re-scored."""
    started = time.perf_counter()
    peak = resident_bytes(service.pid)

    def look() -> None:
        nonlocal peak
        peak = max(peak, resident_bytes(service.pid))

    version = train(service.port, look)
    return Retrained(version, time.perf_counter() - started, peak)


def train(port: int, look: Callable[[], None]) -> int:
    """Let a service train, and look again and again until it is done; return the version."""
    url = f"http://127.0.0.1:{port}"
    with urllib.request.urlopen(urllib.request.Request(f"{url}/v1/models", method="POST")) as told:
        url += told.headers["Location"]
    while True:
        look()
        with urllib.request.urlopen(url) as told:
            job = json.load(told)
        if job["state"] != "running":
            break
        time.sleep(LOOK_SECONDS)
    if job["state"] != "succeeded":
        raise RuntimeError(f"the training {job['state']}: {job['error']}")
    return int(job["model_version"])


def run() -> str:
    """Return the times of both sides, how good their clusters are, and how long reads take."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        command(folder, "demo", str(CUSTOMERS))
        settings = database(folder)
        with serving(OURS, folder, **settings) as service:
            retrain(service)
            return f"{_retrains(folder, service)}\n\n{_reads(service)}"


def _retrains(folder: Path, service: Service) -> str:
    ours, theirs, inertias, peaks = [], [], [], []
    units = UnitsOfWork(Database(database(folder)["DATABASE_URL"]))
    for number in range(ROUNDS):
        changes = folder / "changes.csv"
        write_bank(changes, CUSTOMERS // CHANGED, seed=number)
        command(folder, "import", str(changes))
        done = retrain(service)
        with units.read() as work:
            model = load_model(work.connection, done.version, units.schema).model
        with arrow_reader(units.database) as read:
            values = units.customers.read_all(read, CUSTOMERS).values
        prepared = model.preparation.prepare(values)
        started = time.perf_counter()
        kmeans = KMeans(n_clusters=4, n_init=10, random_state=number).fit(prepared)
        theirs.append(time.perf_counter() - started)
        ours.append(done.seconds)
        inertias.append(model.quality.inertia / kmeans.inertia_)
        peaks.append(done.peak / 2**20)
    units.close()
    rows = [
        [
            f"{CUSTOMERS:,}",
            spread(ours, "{:.1f}"),
            spread(theirs, "{:.1f}"),
            ratios(ours, theirs),
            spread(inertias, "{:.7f}"),
            spread(peaks),
        ]
    ]
    head = [
        "customers",
        "ours, whole job, s",
        "`KMeans.fit` alone, s",
        "ours / theirs",
        "inertia, ours / theirs",
        "memory at most, MiB",
    ]
    return table(head, rows)


def _reads(service: Service) -> str:
    """Let reads at rest and reads while trainings follow one another take turns."""
    rest, training = [], []
    for _ in range(ROUNDS):
        rest.append(_read(service))
        with _training(service):
            training.append(_read(service))
    rows = [["at rest", *map(_cell, zip(*rest, strict=True))]]
    rows += [["while trained on", *map(_cell, zip(*training, strict=True))]]
    pairs = zip(zip(*training, strict=True), zip(*rest, strict=True), strict=True)
    rows += [["ratio", *(ratios(during, before) for during, before in pairs)]]
    return table([f"{RATE:.0f} reads/s", "median, ms", "p99, ms"], rows)


def _cell(latencies: tuple[float, ...]) -> str:
    return spread(latencies, "{:.2f}")


def _read(service: Service) -> tuple[float, float]:
    load = run_load(
        service.port, reads(CUSTOMERS), connections=CONNECTIONS, rate=RATE, seconds=READ_SECONDS
    )
    return load.median * 1000, load.p99 * 1000


@contextmanager
def _training(service: Service) -> Iterator[None]:
    """Train again and again for the length of a block, from a process of its own.

    A thread of this one would take turns with what measures the reads. The block begins once a
    training does, and the last training ends before this does, so that none reaches into reads at
    rest.
    """
    context = multiprocessing.get_context("spawn")
    begun, over = context.Event(), context.Event()
    trainer = context.Process(target=_train, args=(service.port, begun, over))
    trainer.start()
    begun.wait()
    try:
        yield
    finally:
        over.set()
        trainer.join()


def _train(port: int, begun: Event, over: Event) -> None:
    while not over.is_set():
        train(port, begun.set)
