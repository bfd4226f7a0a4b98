"""The parts of the product that run as processes of their own, forked instead of started anew.

What a job or a bulk read of SQLite needs takes a new interpreter up to four seconds of a processor
to import, many times what most of the tests' jobs take. A process that has imported it, and begun
nothing yet, forks them; whoever asked for one becomes its parent, as if it had started it.
"""

import contextlib
import ctypes
import functools
import io
import json
import multiprocessing
import os
import runpy
import signal
import socket
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import ModuleType, TracebackType
from typing import IO, Any
from unittest.mock import patch

PARTS = ("customer_segmentation.services.process", "customer_segmentation.store.sqlite_arrow")
"""The modules that the product runs as processes of their own."""

FORKER = "forks parts"
"""The name of processes that fork these, among those of the system."""

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(
    [
        *PARTS,
        "customer_segmentation.cli.main",
        "customer_segmentation.api.app",
        "customer_segmentation.engines.local",
        "customer_segmentation.services.operation.startup",
        "adbc_driver_postgresql",
        "adbc_driver_sqlite",
        "pydantic.v1",
        "uvicorn.protocols.http.httptools_impl",
        "uvloop",
        "tests.support.forked",
    ]
)

# Of `linux/prctl.h`.
_SET_NAME, _SET_CHILD_SUBREAPER = 15, 36


class ForkedPart:
    """A part of the product in a process of its own; used as a `subprocess.Popen` is."""

    def __init__(self, pid: int, stdin: IO[Any] | None, stdout: IO[Any] | None) -> None:
        """Take over a process, the other ends of whose pipes are given."""
        self.pid, self.stdin, self.stdout = pid, stdin, stdout
        self.returncode: int | None = None
        self._waiting = threading.Lock()

    def __enter__(self) -> "ForkedPart":
        """Return it."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close its pipes and wait for its end."""
        for pipe in (self.stdout, self.stdin):
            with contextlib.suppress(BrokenPipeError):
                if pipe is not None:
                    pipe.close()
        self.wait()

    def poll(self) -> int | None:
        """Return its exit status, negative for a signal, or None while it runs."""
        if self.returncode is None and self._waiting.acquire(blocking=False):
            with contextlib.ExitStack() as held:
                held.callback(self._waiting.release)
                self._note(*os.waitpid(self.pid, os.WNOHANG))
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; raises as `subprocess.Popen.wait` does."""
        if timeout is None:
            with self._waiting:
                if self.returncode is None:
                    self._note(*os.waitpid(self.pid, 0))
        deadline = time.monotonic() + (timeout or 0.0)
        while (status := self.poll()) is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired("a part of the product", timeout or 0.0)
            time.sleep(0.005)
        return status

    def _note(self, pid: int, status: int) -> None:
        if pid:
            self.returncode = os.waitstatus_to_exitcode(status)

    def send_signal(self, sent: signal.Signals) -> None:
        """Send it a signal, if it has not ended."""
        if self.poll() is None:
            os.kill(self.pid, sent)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self.send_signal(signal.SIGKILL)


@contextlib.contextmanager
def forked_parts() -> Iterator[None]:
    """Fork what this process starts of the product's parts, instead of starting interpreters."""
    with contextlib.ExitStack() as at_the_end:

        @functools.cache
        def forker() -> socket.socket:
            ours, theirs = _pair()
            with theirs:
                start_forked(_fork_parts, theirs)
            return at_the_end.enter_context(ours)

        with _started_by(forker):
            yield


def _pair() -> tuple[socket.socket, socket.socket]:
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def start_forked(run: Any, *given: Any) -> BaseProcess:  # noqa: ANN401
    """Fork a process that has imported the product, and run a function in it."""
    process = _context.Process(target=run, args=given, daemon=run is _fork_parts)
    # The tests' main program, or the one that Streamlit's test runner puts in its place, is not
    # to be run in it.
    with patch.dict(sys.modules, {"__main__": ModuleType("__main__")}):
        process.start()
    return process


@contextlib.contextmanager
def fork_parts_from_here() -> Iterator[None]:
    """As `forked_parts`, for a process that has imported the product and begun nothing yet."""
    ours, theirs = _pair()
    if os.fork() == 0:
        ours.close()
        _fork_parts(theirs)
    theirs.close()
    with ours, _started_by(lambda: ours):
        yield


@contextlib.contextmanager
def _started_by(forker: Callable[[], socket.socket]) -> Iterator[None]:
    """Let `subprocess.Popen` ask a process that forks for the product's parts."""
    original = subprocess.Popen
    asking = threading.Lock()
    # Whoever loses its parent becomes this process's child.
    ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, 1)

    def ask(message: bytes, streams: list[int]) -> int | None:
        with asking, contextlib.suppress(OSError):
            socket.send_fds(forker(), [message], streams)
            if answer := forker().recv(32):
                return int(answer)
        return None  # It was killed.

    class Popen(original):  # type: ignore[misc, valid-type]
        def __new__(cls, args: Any, **options: Any) -> Any:  # noqa: ANN401
            is_part = args[:2] == [sys.executable, "-m"] and args[2] in PARTS
            if is_part and options.keys() <= {"stdin", "stdout", "text"}:
                part = _ask_for_part(ask, args[2:], **options)
                if part is not None:
                    return part
            return super().__new__(cls)

    with patch.object(subprocess, "Popen", Popen):
        yield


def _ask_for_part(
    ask: Callable[[bytes, list[int]], int | None],
    arguments: list[str],
    stdin: int | None = None,
    stdout: int | None = None,
    *,
    text: bool = False,
) -> ForkedPart | None:
    ends, streams = [], [0, 1, 2]
    if stdin is not None:
        streams[0], written = os.pipe()
        ends.append(open(written, "w" if text else "wb"))  # noqa: PTH123, SIM115
    if stdout is not None:
        read, streams[1] = os.pipe()
        ends.append(open(read, "r" if text else "rb"))  # noqa: PTH123, SIM115
    message = {
        "arguments": arguments,
        "directory": str(Path.cwd()),
        "environment": dict(os.environ),
        "held_back": [int(held) for held in signal.pthread_sigmask(signal.SIG_BLOCK, [])],
        "ignores": signal.getsignal(signal.SIGINT) is signal.SIG_IGN,
    }
    pid = ask(json.dumps(message).encode(), streams)
    for stream in set(streams) - {0, 1, 2}:
        os.close(stream)
    if pid is None:
        for end in ends:
            end.close()
        return None
    return ForkedPart(
        pid,
        stdin=ends.pop(0) if stdin is not None else None,
        stdout=ends.pop(0) if stdout is not None else None,
    )


def _fork_parts(asked: socket.socket) -> None:
    """Fork a process for each that is asked for, until nobody can ask any more."""
    _name_process(FORKER)
    # Ctrl+C goes to every process of a terminal's.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    while True:
        message, streams, _, _ = socket.recv_fds(asked, 1 << 20, 3)
        if not message:
            os._exit(0)
        read, written = os.pipe()
        # One between them, which ends at once, leaves the part to whoever asked, who adopts it.
        between = os.fork()
        if between == 0:
            part = os.fork()
            if part == 0:
                asked.close()
                os.close(read)
                os.close(written)
                _become_part(streams, **json.loads(message))
            os.write(written, str(part).encode())
            os._exit(0)
        os.waitpid(between, 0)
        for descriptor in (written, *streams):
            os.close(descriptor)
        asked.send(os.read(read, 32))
        os.close(read)


def _name_process(name: str) -> None:
    ctypes.CDLL(None).prctl(_SET_NAME, name.encode()[:15])


def _become_part(
    streams: list[int],
    arguments: list[str],
    directory: str,
    environment: dict[str, str],
    held_back: list[int],
    *,
    ignores: bool,
) -> None:
    for stream, given in enumerate(streams):
        os.dup2(given, stream)
        os.close(given)
    os.chdir(directory)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    sys.stdin, sys.stdout, sys.stderr = (
        io.TextIOWrapper(open(stream, mode, closefd=False), line_buffering=stream == 2)  # noqa: SIM115
        for stream, mode in enumerate(("rb", "wb", "wb"))
    )
    signal.signal(signal.SIGINT, signal.SIG_IGN if ignores else signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, held_back)
    module, *sys.argv[1:] = arguments
    # What it is shows where others look at processes, as its command line does otherwise.
    _name_process(arguments[-1])
    status = 0
    try:
        with warnings.catch_warnings(), contextlib.ExitStack() as begun:
            # The module has been imported already.
            warnings.simplefilter("ignore", RuntimeWarning)
            if module == PARTS[0]:
                begun.enter_context(fork_parts_from_here())
            runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else 1
    except BaseException:  # noqa: BLE001
        sys.excepthook(*sys.exc_info())
        status = 1
    with contextlib.suppress(OSError):
        sys.stdout.flush()
    os._exit(status)
