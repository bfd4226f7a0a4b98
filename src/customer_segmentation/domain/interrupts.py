"""Ctrl+C and the processes that a command starts.

A terminal sends Ctrl+C to every process of a command at once. Until Python has imported what a
process needs, it answers with a trace; so such a process starts with the signal held back.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def held_back_interrupts() -> Iterator[None]:
    """Let processes that are started meanwhile not receive Ctrl+C until they ask for it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def end_at_interrupts() -> None:
    """End at once by Ctrl+C, without a trace, also by one that came already.

    Where it is ignored, as by what a shell runs in the background, it stays so.
    """
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
