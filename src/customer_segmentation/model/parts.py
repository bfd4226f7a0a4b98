"""Many rows in parts that fit into a processor's cache, several of them worked on at once."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")

PART = 16_384
"""Rows of a part."""


def map_parts(work: Callable[[slice], Result], rows: int) -> list[Result]:
    """Return what work makes of each part of so many rows, in their order.

    NumPy lets go of Python's lock while it computes, so threads share the processors. The parts
    are the same on every machine, and so are sums over them.
    """
    parts = [slice(start, min(start + PART, rows)) for start in range(0, rows, PART)]
    if len(parts) < 2:
        return [work(part) for part in parts]
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        return list(threads.map(work, parts))
