"""Starting the processes that run jobs, and having one ready while jobs come often."""

import json
import os
import subprocess
import sys
import threading
import time

from customer_segmentation.domain.interrupts import held_back_interrupts
from customer_segmentation.services.runtime.settings import Settings

KEEP_SECONDS = 600.0
"""How long after a job the next process is kept ready."""

_NICENESS = 10

READY = "ready"
"""The argument of a process that loads what it needs before it is told what to do."""


def start_worker(
    settings: Settings, *task: str, background: bool = False, answers: bool = False
) -> subprocess.Popen[str]:
    """Start a task in a process of its own, or give it to the one that is ready.

    What to do goes through a pipe: arguments and environments can be seen by other processes,
    and a database URL may hold a password.

    Args:
        settings: that the task goes by.
        task: its name and arguments.
        background: whether it must leave the processors to those who answer requests.
        answers: whether the task writes a result to its standard output, to be read.
    """
    told = json.dumps([task, settings.model_dump_json()])
    if background and not answers:
        ready = _take_ready()
        if ready is not None and _tell(ready, told):
            return ready
    process = _start(background=background, answers=answers)
    _tell(process, told)
    return process


def keep_ready() -> None:
    """Have a process ready that has loaded its libraries, while jobs come often; end it otherwise.

    To be called now and then.
    """
    global _ready  # noqa: PLW0603
    with _lock:
        if _ready is not None and _ready.poll() is not None:
            _ready = None
        is_wanted = time.monotonic() < _wanted_until
        if is_wanted and _ready is None:
            _ready = _start(READY, background=True)
        elif not is_wanted and _ready is not None:
            # It has nothing to lose, and may take seconds until it listens.
            with _ready:
                _ready.kill()
            _ready = None


def end_ready() -> None:
    """End the process that is ready, if there is one, and keep none."""
    global _wanted_until  # noqa: PLW0603
    _wanted_until = 0.0
    keep_ready()


_lock = threading.Lock()
_ready: subprocess.Popen[str] | None = None
_wanted_until = 0.0


def _take_ready() -> subprocess.Popen[str] | None:
    global _ready, _wanted_until  # noqa: PLW0603
    with _lock:
        process, _ready = _ready, None
        _wanted_until = time.monotonic() + KEEP_SECONDS
    return process


def _start(*arguments: str, background: bool, answers: bool = False) -> subprocess.Popen[str]:
    with held_back_interrupts():
        process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "customer_segmentation.services.process", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE if answers else None,
            text=True,
        )
    if background:
        _stand_back(process.pid)
    return process


def _stand_back(pid: int) -> None:
    """Let those who answer requests have the processors first, and one of them alone.

    Niceness does not suffice: whoever wakes up to answer a request can wait for a tick of the
    scheduler's clock, 4 ms on many machines, until a process that computes makes way.
    """
    os.setpriority(os.PRIO_PROCESS, pid, _NICENESS)
    if sys.platform == "linux":
        processors = os.sched_getaffinity(0)
        if len(processors) > 1:
            os.sched_setaffinity(pid, processors - {min(processors)})


def left_processors() -> set[int]:
    """Return which processors of the process that started this one are not this one's."""
    if sys.platform == "linux":
        return os.sched_getaffinity(os.getppid()) - os.sched_getaffinity(0)
    return set()


def _tell(process: subprocess.Popen[str], told: str) -> bool:
    """Write what a process is to do; return False where it is gone."""
    assert process.stdin is not None  # noqa: S101
    try:
        process.stdin.write(told)
        process.stdin.close()
    except BrokenPipeError:
        return False
    return process.poll() is None
