"""The services that contests start: ours, the plain one and the floor; and what processes use."""

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

OURS = ("-m", "customer_segmentation", "serve")
PLAIN = ("-m", "uvicorn", "--no-access-log", "benchmarks.plain_service:app")
FLOOR = ("-m", "uvicorn", "--no-access-log", "--lifespan=off", "benchmarks.floor_service:app")

_ROOT = Path(__file__).parent.parent
_PORTS = count(18_400)
_TICKS = os.sysconf("SC_CLK_TCK")


class Service:
    """A server process, and those that it starts.

    Attributes:
        port: where it listens on this machine.
    """

    def __init__(self, arguments: tuple[str, ...], folder: Path, **environment: str) -> None:
        """Start it, and wait for nothing."""
        self.port = next(_PORTS)
        self._process = subprocess.Popen(
            [sys.executable, *arguments, "--port", str(self.port)],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(_ROOT)} | environment,
            stderr=subprocess.DEVNULL,
            # Not a session of its own, of which many kernels make a group for scheduling: niceness
            # counts within one only (sched(7), "The autogroup feature").
            process_group=0,
        )

    @property
    def pid(self) -> int:
        """The first process's id."""
        return self._process.pid

    def wait_for(self, path: str = "/health/ready", seconds: float = 900.0) -> None:
        """Wait until it answers, 404 included but not that it is not ready."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5).close()
            except urllib.error.HTTPError as error:
                if error.code != 503:
                    return
            except OSError:
                if self._process.poll() is not None:
                    raise
            else:
                return
            if time.monotonic() > deadline:
                raise TimeoutError(f"port {self.port} does not answer")
            time.sleep(0.01)

    def stop(self) -> None:
        """Stop it as an operator does."""
        self._process.send_signal(signal.SIGTERM)
        self._process.wait()


@contextmanager
def serving(arguments: tuple[str, ...], folder: Path, **environment: str) -> Iterator[Service]:
    """Run a service that answers for the length of a block."""
    service = Service(arguments, folder, **environment)
    try:
        service.wait_for()
        yield service
    finally:
        service.stop()


def family(pid: int) -> list[int]:
    """Return the ids of a process and of all that it started, directly or not."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
        children.setdefault(parent, []).append(int(stat.parent.name))
    found = [pid]
    for member in found:
        found.extend(children.get(member, []))
    return found


def cpu_seconds(pid: int) -> float:
    """Return how long a process and those it started have computed, in seconds."""
    return sum(_numbers(member, "stat", 11, 13) for member in family(pid)) / _TICKS


def resident_bytes(pid: int) -> int:
    """Return the memory in use by a process and those it started, shared pages counted for each."""
    pages = sum(_numbers(member, "statm", 1, 2) for member in family(pid))
    return pages * os.sysconf("SC_PAGE_SIZE")


def _numbers(pid: int, file: str, first: int, end: int) -> int:
    try:
        text = Path(f"/proc/{pid}/{file}").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return sum(int(number) for number in text.rpartition(")")[2].split()[first:end])


def database(folder: Path) -> dict[str, str]:
    """Return the setting for a SQLite file in a folder."""
    return {"DATABASE_URL": f"sqlite:///{folder / 'bank.db'}"}
