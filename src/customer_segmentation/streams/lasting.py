"""Going on through passing failures: growing pauses, and the service and broker opened anew."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager
from signal import SIGINT, SIGTERM
from typing import TypeVar

import httpx

from customer_segmentation.client import Client, ServiceError

Result = TypeVar("Result")
Tell = Callable[[str], None]
"""Tells people something on standard error."""

_FIRST_SECONDS, _LONGEST_SECONDS, _SLOWER = 0.1, 30.0, 2.0
_PASSING = (429, 500, 502, 503, 504)
"""What a service answers that may take the same later."""


class Pauses:
    """Pauses between tries, each longer than the one before."""

    def __init__(self, stop: asyncio.Event) -> None:
        """Begin with the shortest.

        Args:
            stop: ends a pause at once.
        """
        self._stop = stop
        self._seconds = _FIRST_SECONDS

    async def pause(self) -> None:
        """Wait for the next try, or until all is to end."""
        # Those that failed together are not to try again together.
        seconds = self._seconds * random.uniform(1.0, 1.2)  # noqa: S311
        self._seconds = min(self._seconds * _SLOWER, _LONGEST_SECONDS)
        await first_of(self._stop.wait(), asyncio.sleep(seconds))

    def reset(self) -> None:
        """Begin with the shortest again, as a try has succeeded."""
        self._seconds = _FIRST_SECONDS


async def first_of(*awaited: object) -> None:
    """Wait until one of some coroutines has ended, and cancel the others."""
    tasks = [asyncio.ensure_future(one) for one in awaited]  # type: ignore[call-overload]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class UnreachableError(Exception):
    """The service does not answer, or not now; the same may succeed later."""


class Services:
    """The service that is asked, opened anew after a failure.

    What was opened before may know a schema that holds no more, or a database that was moved.
    """

    def __init__(self, make: Callable[[], AbstractContextManager[Client]]) -> None:
        """Open nothing yet.

        Args:
            make: returns a service to open; it raises a `UnreachableError` where none is there now.
        """
        self._make = make
        self._stack = ExitStack()
        self._client: Client | None = None
        # One for all, as who acts is known to the thread in which a service was opened.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="service")

    async def call(self, ask: Callable[[Client], Result]) -> Result:
        """Return what a service answers.

        Raises:
            UnreachableError: it does not answer, or not now.
            ServiceError: it refuses the call.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._call, ask)

    async def close(self) -> None:
        """Close what is open; nothing is called afterwards."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        self._thread.shutdown()

    def _call(self, ask: Callable[[Client], Result]) -> Result:
        try:
            if self._client is None:
                self._client = self._stack.enter_context(self._make())
            return ask(self._client)
        except httpx.TransportError as error:
            self._close()
            raise UnreachableError(f"The service does not answer: {error}") from error
        except ServiceError as error:
            if error.status not in _PASSING:
                raise
            self._close()
            raise UnreachableError(str(error)) from error

    def _close(self) -> None:
        self._client = None
        self._stack.close()


@asynccontextmanager
async def stopped_by_signals() -> AsyncIterator[asyncio.Event]:
    """Yield an event that SIGTERM and Ctrl+C set, in place of what they do otherwise."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for signal in (SIGTERM, SIGINT):
        loop.add_signal_handler(signal, stop.set)
    try:
        yield stop
    finally:
        for signal in (SIGTERM, SIGINT):
            loop.remove_signal_handler(signal)
