"""Work in parts that threads share, as NumPy and scikit-learn let go of Python's lock."""

import os
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import count
from typing import TypeVar

from threadpoolctl import ThreadpoolController

Item = TypeVar("Item")
Result = TypeVar("Result")

PART = 16_384
"""Rows of a part: few enough that it fits into a processor's cache."""


def map_parts(work: Callable[[slice], Result], rows: int) -> list[Result]:
    """Return what work makes of each part of so many rows, in their order.

    The parts are the same on every machine, and so are sums over them.
    """
    parts = [slice(start, min(start + PART, rows)) for start in range(0, rows, PART)]
    return map_all(work, parts)


def map_all(work: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """Return what work makes of each item, in their order."""
    items = list(items)
    if len(items) < 2:
        return [work(item) for item in items]
    own, number = _own_processors(), count(1)

    def begin() -> None:
        # What a thread calls must not start more of them. Unlike BLAS, OpenMP has a limit for each
        # thread, which ends with it.
        _libraries().limit(limits=1, user_api="openmp")
        if next(number) > own:
            _work_while_others_rest()

    with (
        _libraries().limit(limits=1, user_api="blas"),
        ThreadPoolExecutor(own + len(_others), initializer=begin) as threads,
    ):
        return list(threads.map(work, items))


def use_while_others_rest(processors: Iterable[int]) -> None:
    """Let threads work on these processors too, which this process otherwise leaves to others.

    One thread for each takes part, at the least priority there is: while nobody else computes.
    """
    _others.update(processors)


_others: set[int] = set()


def _own_processors() -> int:
    """Return on how many processors this process may run, a container's and not the machine's."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _work_while_others_rest() -> None:
    if sys.platform == "linux":
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
        os.sched_setaffinity(0, _others | os.sched_getaffinity(0))


@cache
def _libraries() -> ThreadpoolController:
    return ThreadpoolController()
