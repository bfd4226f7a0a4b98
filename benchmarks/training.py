"""How long reads take while 1,000,000 customers are trained on, next to reads at rest."""

import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import numpy as np

from benchmarks.load import Load, http_request, run_load
from benchmarks.predict import wait_for
from customer_segmentation.services.demo import write_bank

CUSTOMERS = int(os.environ.get("BENCHMARK_CUSTOMERS", "1000000"))
PORT = 18_410
CONNECTIONS = 8
INTERVAL = 0.02
SECONDS = 2.0
IDLE_SECONDS = 20.0


def run() -> None:
    """Print the p99 of reads at rest and during a training, and their ratio."""
    random = np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "customers.csv"
        write_bank(data, CUSTOMERS, seed=1)
        server = subprocess.Popen(
            [sys.executable, "-m", "customer_segmentation", "serve", "--port", str(PORT)],
            cwd=folder,
            env=os.environ
            | {
                "DATABASE_URL": f"sqlite:///{folder}/bank.db",
                "CUSTOMER_SEGMENTATION_DATA": str(data),
            },
            stderr=subprocess.DEVNULL,
        )
        try:
            wait_for(PORT, seconds=600)
            _contest(random)
        finally:
            server.terminate()
            server.wait()


def _contest(random: np.random.Generator) -> None:
    path = "/get_customer_info_from_database?customer_id="
    ids = random.integers(1, CUSTOMERS + 1, 1000).tolist()
    reads = [http_request("GET", f"{path}{customer_id}") for customer_id in ids]

    def load(seconds: float) -> Load:
        return run_load(PORT, *reads, connections=CONNECTIONS, seconds=seconds, interval=INTERVAL)

    idle = load(IDLE_SECONDS)
    started = time.perf_counter()
    request = urllib.request.Request(f"http://127.0.0.1:{PORT}/v1/models", method="POST")
    with urllib.request.urlopen(request) as answer:
        job = f"http://127.0.0.1:{PORT}{answer.headers['Location']}"
    phases: dict[str, list[float]] = {}
    state = {"state": "running", "phase": "starting"}
    while state["state"] == "running":
        phases.setdefault(state["phase"], []).extend(load(SECONDS).latencies)
        with urllib.request.urlopen(job) as answer:
            state = json.load(answer)
    elapsed = time.perf_counter() - started
    during = Load(0.0, tuple(sorted(latency for found in phases.values() for latency in found)))
    print(
        f"reads while {CUSTOMERS:,} customers are trained on, one worker, {CONNECTIONS} "
        f"connections, {idle.rate:.0f} reads/s"
    )
    print(f"  idle      p99 {idle.p99 * 1000:.2f} ms, median {idle.median * 1000:.2f} ms")
    print(
        f"  training  p99 {during.p99 * 1000:.2f} ms, median {during.median * 1000:.2f} ms "
        f"({state['state']}, {elapsed:.0f} s)"
    )
    for phase, latencies in phases.items():
        found = Load(0.0, tuple(sorted(latencies)))
        print(f"    from {phase:9} p99 {found.p99 * 1000:.2f} ms")
    print(f"  training / idle {during.p99 / idle.p99:.2f}")
