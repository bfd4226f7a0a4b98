"""Work in parts that threads share, as NumPy and scikit-learn let go of Python's lock."""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
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
    # What a thread calls must not start more of them.
    with (
        _libraries().limit(limits=1, user_api="blas"),
        ThreadPoolExecutor(os.cpu_count(), initializer=_start_no_more) as threads,
    ):
        return list(threads.map(work, items))


@cache
def _libraries() -> ThreadpoolController:
    return ThreadpoolController()


def _start_no_more() -> None:
    # Unlike BLAS, OpenMP has a limit for each thread, which ends with it.
    _libraries().limit(limits=1, user_api="openmp")
