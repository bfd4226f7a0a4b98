"""Processes of the command, forked from one that has imported the product.

Importing takes a new interpreter two seconds of a processor, four times what the rest of a start
takes, and the tests start hundreds. What starts from nothing is tested by `Server.launch`.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support.parts import fork_parts_from_here, start_forked


class ForkedCommand:
    """A command that runs in a process group of its own; used as a `subprocess.Popen` is."""

    def __init__(
        self,
        arguments: Sequence[str],
        directory: Path,
        environment: Mapping[str, str],
        output: Path,
        errors: Path,
    ) -> None:
        """Start it; its standard output and standard error are added to two files."""
        given = (list(arguments), str(directory), dict(environment), str(output), str(errors))
        self._process = start_forked(_run, *given)
        assert self._process.pid is not None
        self.pid: int = self._process.pid

    def poll(self) -> int | None:
        """Return its exit status, negative for a signal, or None while it runs."""
        return self._process.exitcode

    def wait(self, timeout: float) -> int:
        """Wait for its end.

        Raises:
            subprocess.TimeoutExpired: it did not end in time.
        """
        self._process.join(timeout)
        status = self._process.exitcode
        if status is None:
            raise subprocess.TimeoutExpired("customer-segmentation", timeout)
        return status

    def send_signal(self, sent: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self.pid, sent)


def _run(
    arguments: list[str], directory: str, environment: dict[str, str], output: str, errors: str
) -> None:
    from customer_segmentation.cli.main import app

    os.setsid()
    os.chdir(directory)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    for path, stream in ((output, 1), (errors, 2)):
        with Path(path).open("ab") as file:
            os.dup2(file.fileno(), stream)
    sys.argv = ["customer-segmentation", *arguments]
    with fork_parts_from_here():
        app(prog_name="customer-segmentation")
