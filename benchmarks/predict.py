"""How many predictions a second one worker answers, next to a plain service and to the floor."""

import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median

import msgspec

from benchmarks.load import Load, http_request, run_load
from customer_segmentation.api.schemas import ATTRIBUTES

PATH = "/predict_customer_segment_in_real_time"
ROUNDS = 3
FIRST_PORT = 18_400

SERVICES = {
    "ours": ["-m", "customer_segmentation", "serve"],
    "plain": ["-m", "uvicorn", "--no-access-log", "benchmarks.plain_service:app"],
    "floor": ["-m", "uvicorn", "--no-access-log", "--lifespan=off", "benchmarks.floor_service:app"],
}


def run() -> None:
    """Print each service's rate, and the ratios of ours to the others."""
    request = http_request("POST", PATH, msgspec.json.encode(ATTRIBUTES))
    loads: dict[str, list[Load]] = {name: [] for name in SERVICES}
    with serving() as ports:
        for _ in range(ROUNDS):
            for name, port in ports.items():
                loads[name].append(run_load(port, request))
    print("predict, one worker, 32 connections, 20,000 customers")
    rates = {name: median(load.rate for load in found) for name, found in loads.items()}
    for name, found in loads.items():
        spread = [load.rate for load in found]
        p99 = median(load.p99 for load in found) * 1000
        print(
            f"  {name:6} {rates[name]:8,.0f} requests/s "
            f"({min(spread):,.0f} to {max(spread):,.0f}), p99 {p99:.1f} ms"
        )
    print(f"  ours / plain {rates['ours'] / rates['plain']:.1f}")
    print(f"  ours / floor {rates['ours'] / rates['floor']:.2f}")


@contextmanager
def serving() -> Iterator[dict[str, int]]:
    """Run every service, each on a port of its own."""
    processes = []
    ports = {name: FIRST_PORT + place for place, name in enumerate(SERVICES)}
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {
            "DATABASE_URL": f"sqlite:///{folder}/bank.db",
            "PYTHONPATH": os.getcwd(),  # noqa: PTH109
        }
        try:
            for name, arguments in SERVICES.items():
                command = [sys.executable, *arguments, "--port", str(ports[name])]
                processes.append(
                    subprocess.Popen(
                        command, cwd=folder, env=environment, stderr=subprocess.DEVNULL
                    )
                )
            for port in ports.values():
                wait_for(port)
            yield ports
        finally:
            for process in processes:
                process.terminate()
            for process in processes:
                process.wait()


def wait_for(port: int, seconds: float = 60.0) -> None:
    """Wait until a server answers anything at all."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/health/live", timeout=5).close()
        except urllib.error.HTTPError:
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return
