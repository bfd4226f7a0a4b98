"""Starting, stopping and killing the real server for tests."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType

import httpx

from tests.support.forked import ForkedCommand

START_SECONDS = 60.0
WORKERS = "CUSTOMER_SEGMENTATION_WORKERS"


class Server:
    """A server process of its own process group on a free port."""

    def __init__(self, database_url: str, directory: Path, **settings: str) -> None:
        """Remember how to start it."""
        self.database_url = database_url
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._directory = directory
        self._environment = os.environ | {"DATABASE_URL": database_url} | settings
        self._process: subprocess.Popen[bytes] | ForkedCommand | None = None
        self.client = httpx.Client(base_url=self.url, timeout=60.0)

    def __enter__(self) -> "Server":
        """Start and wait until it is ready."""
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop."""
        self.client.close()
        self.stop()

    def start(self) -> None:
        """Start and wait until it is ready."""
        process = self.begin()
        deadline = time.monotonic() + START_SECONDS
        while not self.is_ready():
            if process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"the server did not start:\n{self.log}")
            time.sleep(0.05)

    def begin(self) -> "subprocess.Popen[bytes] | ForkedCommand":
        """Start, and wait for nothing."""
        # Several server processes are new interpreters in any case.
        is_one = self._environment.get(WORKERS, "1") == "1"
        self._process = self._fork() if is_one else self.launch()
        return self._process

    def launch(self) -> subprocess.Popen[bytes]:
        """Start a new interpreter, as a person does, and wait for nothing."""
        with (self._directory / "server.log").open("ab") as log:
            process = self._process = subprocess.Popen(
                [sys.executable, "-m", "customer_segmentation", *self._arguments],
                cwd=self._directory,
                env=self._environment,
                stderr=log,
                start_new_session=True,
            )
        return process

    def _fork(self) -> ForkedCommand:
        log = self._directory / "server.log"
        log.touch()
        return ForkedCommand(self._arguments, self._directory, self._environment, log, log)

    @property
    def _arguments(self) -> list[str]:
        return ["serve", "--port", str(self.port)]

    @property
    def log(self) -> str:
        """What the server wrote to standard error."""
        return (self._directory / "server.log").read_text()

    @property
    def pid(self) -> int:
        """The process's id."""
        assert self._process is not None
        return self._process.pid

    def stop(self) -> None:
        """Stop as an operator does, with SIGTERM."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Kill the server and every process it started, with SIGKILL."""
        self._end(signal.SIGKILL)

    def _end(self, sent: signal.Signals) -> None:
        if self._process is None:
            return
        if self._process.poll() is None:
            if sent is signal.SIGKILL:
                # One that has just begun may have no group yet, and nothing in it.
                with suppress(ProcessLookupError):
                    os.killpg(self._process.pid, sent)
                self._process.send_signal(sent)
            else:
                self._process.send_signal(sent)
        self._process.wait(timeout=60)
        self._process = None

    def is_ready(self) -> bool:
        """Whether it answers, and is ready."""
        try:
            return httpx.get(f"{self.url}/health/ready", timeout=5.0).status_code == 200
        except httpx.TransportError:
            return False


@contextmanager
def running(database_url: str, directory: Path, **settings: str) -> Iterator[Server]:
    """Run a server for the length of a block."""
    with Server(database_url, directory, **settings) as server:
        yield server


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(is_so: Callable[[], bool]) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + 30.0
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def eventually(call: Callable[[], int], status: int) -> None:
    """Call until it answers with a status."""
    deadline = time.monotonic() + 30.0
    while (found := call()) != status:
        assert time.monotonic() < deadline, found
        time.sleep(0.05)


def status(server: Server) -> int:
    """Whether a server is ready, 0 while it does not answer."""
    try:
        return server.client.get("/health/ready").status_code
    except httpx.TransportError:
        return 0
