"""Reading the next part of a table while the last one is worked on."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Part = TypeVar("Part")


def prefetch(parts: Iterator[Part]) -> Iterator[Part]:
    """Yield parts, each of which a thread has made while the one before was worked on.

    Reading and checking leave Python's lock to others most of the time, as databases do.
    """
    with ThreadPoolExecutor(max_workers=1) as thread:
        coming = thread.submit(next, parts, None)
        while (part := coming.result()) is not None:
            coming = thread.submit(next, parts, None)
            yield part
