"""Starting, stopping and killing the real server for tests."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

import httpx

START_SECONDS = 60.0


class Server:
    """A server process of its own process group on a free port."""

    def __init__(self, database_url: str, directory: Path, **settings: str) -> None:
        """Remember how to start it."""
        self.database_url = database_url
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._directory = directory
        self._environment = os.environ | {"DATABASE_URL": database_url} | settings
        self._process: subprocess.Popen[bytes] | None = None
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
        process = self.launch()
        deadline = time.monotonic() + START_SECONDS
        while not self._is_ready():
            if process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"the server did not start:\n{self.log}")
            time.sleep(0.05)

    def launch(self) -> subprocess.Popen[bytes]:
        """Start and wait for nothing."""
        command = [sys.executable, "-m", "customer_segmentation", "serve", "--port", str(self.port)]
        with (self._directory / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                command,
                cwd=self._directory,
                env=self._environment,
                stderr=log,
                start_new_session=True,
            )
        return self._process

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
                os.killpg(self._process.pid, sent)
            else:
                self._process.send_signal(sent)
        self._process.wait(timeout=60)
        self._process = None

    def _is_ready(self) -> bool:
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
