"""Predictions for 100,000 people in one request, next to scikit-learn on the same rows.

Inside the service is what the route does with a body that has arrived: read, predict, write.
"""

import io
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
from sklearn.cluster import KMeans
from sklearn.preprocessing import StandardScaler
from tests.support.shipped import FEATURES, FORMATS

from benchmarks.contest import ROUNDS, ratios, spread, table
from benchmarks.services import OURS, cpu_seconds, database, serving
from customer_segmentation.api.v1.predictions.formats import Format
from customer_segmentation.data.synthetic import draw_bank
from customer_segmentation.domain.arrays import FloatArray
from customer_segmentation.services.customers.prediction import predict_segments
from customer_segmentation.services.runtime.unit_of_work import units_over

PEOPLE = 100_000
REQUESTS = 20
"""In a round, so that the processor's clock, which ticks a hundred times a second, says enough."""

ARROW, JSON, NDJSON = (
    "application/vnd.apache.arrow.stream",
    "application/json",
    "application/x-ndjson",
)


def run() -> str:
    """Return people a second: inside the service, by all its computing, and at the caller."""
    values = np.vstack(list(draw_bank(PEOPLE, seed=1)))
    rows = []
    scaler = StandardScaler().fit(values)
    kmeans = KMeans(n_clusters=4, n_init=1, random_state=0).fit(scaler.transform(values))

    def predict() -> None:
        kmeans.predict(scaler.transform(values))

    with (
        tempfile.TemporaryDirectory() as folder,
        serving(OURS, Path(folder), **database(Path(folder))) as service,
    ):
        units = units_over(database(Path(folder))["DATABASE_URL"])
        for name, kind, body in _bodies(values):
            request = urllib.request.Request(
                f"http://127.0.0.1:{service.port}/v1/segments:predict",
                data=body,
                headers={"Content-Type": kind, "Accept": kind},
            )

            def ask(request: urllib.request.Request = request) -> None:
                with urllib.request.urlopen(request) as answer:
                    answer.read()

            def answer(form: Format = FORMATS[kind], body: bytes = body) -> None:
                form.write(predict_segments(units, form.read(body)))

            ask()
            answer()
            inside, clock, computing, theirs = [], [], [], []
            for _ in range(ROUNDS):
                inside.append(_rate(answer, time.thread_time))
                computed = cpu_seconds(service.pid)
                clock.append(_rate(ask))
                spent = cpu_seconds(service.pid) - computed
                computing.append(REQUESTS * PEOPLE / spent)
                theirs.append(_rate(predict))
            cells = [spread(found) for found in (inside, computing, clock, theirs)]
            rows.append([name, *cells, ratios(clock, theirs)])
        units.close()
    head = [
        "format",
        "inside, by second computed",
        "with HTTP, by second computed",
        "by second at the caller",
        "scaler and `predict` alone",
        "caller / alone",
    ]
    return table(head, rows)


def _rate(work: Callable[[], None], clock: Callable[[], float] = time.perf_counter) -> float:
    started = clock()
    for _ in range(REQUESTS):
        work()
    return REQUESTS * PEOPLE / (clock() - started)


def _bodies(values: FloatArray) -> list[tuple[str, str, bytes]]:
    names = [feature.name for feature in FEATURES]
    columns = [
        pa.array(column.astype(np.int64) if feature.is_integer else column)
        for feature, column in zip(FEATURES, values.T, strict=True)
    ]
    people = pa.table(columns, names=names)
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, people.schema) as writer:
        writer.write_table(people)
    records = people.to_pylist()
    return [
        ("Arrow", ARROW, sink.getvalue()),
        ("JSON", JSON, msgspec.json.encode(records)),
        ("NDJSON", NDJSON, msgspec.json.Encoder().encode_lines(records)),
    ]
