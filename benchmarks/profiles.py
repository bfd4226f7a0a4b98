"""Where the microseconds of each call go: the innermost Python frame, sampled by py-spy.

What runs in C counts for the Python frame that called it: SQLite for `store`, reading and writing
JSON for `api`, parsing HTTP for uvicorn, system calls for the event loop.
"""

import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from benchmarks.calls import CALLS
from benchmarks.contest import table
from benchmarks.load import run_load
from benchmarks.services import OURS, Service, cpu_seconds, database, serving

SECONDS = 10.0
SAMPLES = 500
"""A second."""

LAYERS = (
    ("event loop, sockets", r"/(?:asyncio|uvloop)/|^<"),
    ("uvicorn", r"/uvicorn/"),
    ("`api`", r"/customer_segmentation/api/"),
    ("`services`", r"/customer_segmentation/services/"),
    ("`model`", r"/customer_segmentation/model/"),
    ("`store`, SQLite", r"/customer_segmentation/store/|/sqlalchemy/"),
    ("`domain`", r"/customer_segmentation/domain/"),
    ("other libraries", r""),
)


def run() -> str:
    """Return the microseconds that each layer takes of each call."""
    found = {}
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(OURS, Path(folder), **database(Path(folder))) as service,
    ):
        for call, requests in CALLS.items():
            found[call] = _profile(service, requests(), Path(folder) / call)
    rows = [[name, *(f"{layers[name]:.1f}" for layers in found.values())] for name, _ in LAYERS]
    rows.append(["sum", *(f"{layers.total():.1f}" for layers in found.values())])
    return table(["µs of a processor for a call", *found], rows)


def _profile(service: Service, requests: Iterator[bytes], output: Path) -> Counter[str]:
    computed = cpu_seconds(service.pid)
    calm = run_load(service.port, requests, seconds=SECONDS, warm_up=0.0)
    each = (cpu_seconds(service.pid) - computed) / (calm.rate * SECONDS) * 1e6
    recorder = subprocess.Popen(
        [
            *(str(Path(sys.executable).with_name("py-spy")), "record", "--nonblocking"),
            *("--pid", str(service.pid), "--output", str(output), "--format", "raw"),
            *("--rate", str(SAMPLES), "--duration", str(int(SECONDS)), "--full-filenames"),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    run_load(service.port, requests, seconds=SECONDS, warm_up=0.0)
    recorder.wait()
    samples: Counter[str] = Counter()
    for line in output.read_text().splitlines():
        stack, _, count = line.rpartition(" ")
        innermost = re.findall(r"\(([^()]*?)(?::\d+)?\)$", stack)
        samples[_layer(innermost[0] if innermost else "")] += int(count)
    return Counter({layer: n * each / samples.total() for layer, n in samples.items()})


def _layer(file: str) -> str:
    return next(name for name, pattern in LAYERS if re.search(pattern, file))
