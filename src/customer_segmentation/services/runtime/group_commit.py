"""Committing together what many requests write at the same time.

A commit waits for the disk, whatever there is in it. Where a database has a single writer, the
requests that come during one commit share the next one (DeWitt et al. 1984, "Implementation
techniques for main memory database systems", doi:10.1145/602259.602261, group commit). Each in a
transaction of its own, 0.4 times as many changes are made a second (SQLite, 32 connections), and
each takes three times the processor's time.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import AbstractContextManager
from contextvars import Context, copy_context
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any, Generic, Protocol, TypeVar

from customer_segmentation.domain.errors import (
    BusyError,
    SegmentationError,
    StoreUnavailableError,
)

MAX_REQUESTS = 100
"""Requests a transaction: few enough that none waits long for the others."""


class Work(Protocol):
    """A transaction, as far as it matters here."""

    @property
    def written(self) -> int:
        """How many rows its connection has written, ever."""


WorkT = TypeVar("WorkT", bound=Work)


class GroupCommit(Generic[WorkT]):
    """Runs use cases in a thread of its own, several in a transaction.

    Each is done or refused by itself: a transaction in which one fails after it wrote something is
    undone, and each is done again in one of its own. None waits longer than the database lets it
    for others that write to the database.
    """

    def __init__(
        self,
        write: Callable[..., AbstractContextManager[WorkT]],
        run: Callable[[float, Callable[[WorkT], Any]], Any],
        wait_seconds: float,
    ) -> None:
        """Start the thread.

        Args:
            write: opens a transaction; `seconds` is how long it may wait for others that write.
            run: runs a use case in a transaction of its own, after as long a wait at most.
            wait_seconds: how long a request may wait for others that write.
        """
        self._write = write
        self._run = run
        self._wait_seconds = wait_seconds
        self._waiting: SimpleQueue[_Request[WorkT] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work_off, name="group commit", daemon=True)
        self._thread.start()

    def submit(self, use_case: Callable[[WorkT], Any]) -> Future[Any]:
        """Run a use case soon; the future tells its result once that is durable."""
        due = time.monotonic() + self._wait_seconds
        request = _Request(use_case, copy_context(), Future(), due)
        self._waiting.put(request)
        return request.future

    def close(self) -> None:
        """End when all that was submitted is done."""
        self._waiting.put(None)
        self._thread.join()

    def _work_off(self) -> None:
        requests: list[_Request[WorkT]] = []
        is_open = True
        while is_open or requests:
            while (
                is_open
                and (not requests or not self._waiting.empty())
                and len(requests) < MAX_REQUESTS
            ):
                following = self._waiting.get()
                if following is None:
                    is_open = False
                elif following.future.set_running_or_notify_cancel():
                    requests.append(following)
            requests = self._commit(requests) if requests else []

    def _commit(self, requests: list["_Request[WorkT]"]) -> list["_Request[WorkT]"]:
        """Do requests in one transaction; if that fails, each in one of its own.

        Returns:
            those that wait on, as others held the database until the first of them was due.
        """
        has_begun = False
        try:
            with self._write(seconds=requests[0].seconds_left) as work:
                has_begun = True
                outcomes = [request.attempt(work) for request in requests]
        except Exception as error:  # noqa: BLE001  Each is told its own fault below.
            if isinstance(error, BusyError) and not has_begun:
                return [request for request in requests if not request.give_up(error)]
            for request in requests:
                request.run_separately(self._run)
        else:
            for tell in outcomes:
                tell()
        return []


@dataclass(frozen=True, eq=False, slots=True)
class _Request(Generic[WorkT]):
    """A use case to run.

    Attributes:
        use_case: what to run.
        context: of who asked.
        future: tells how it went.
        due: when the wait for others ends, on the monotonic clock.
    """

    use_case: Callable[[WorkT], Any]
    context: Context
    future: Future[Any]
    due: float

    @property
    def seconds_left(self) -> float:
        """How long it may still wait for others."""
        return max(0.0, self.due - time.monotonic())

    def give_up(self, error: BusyError) -> bool:
        """Tell that others were busy, where it may not wait on; return whether it was told."""
        if self.seconds_left:
            return False
        self.future.set_exception(error)
        return True

    def attempt(self, work: WorkT) -> Callable[[], None]:
        """Do it as a part of a transaction; return what tells the outcome, once that is durable."""
        before = work.written
        try:
            result = self.context.run(self.use_case, work)
        except SegmentationError as error:
            if work.written != before or isinstance(error, StoreUnavailableError):
                # What it wrote must not be committed with what the others did.
                raise
            refusal = error
            return lambda: self.future.set_exception(refusal)
        return lambda: self.future.set_result(result)

    def run_separately(self, run: Callable[[float, Callable[[WorkT], Any]], Any]) -> None:
        """Do it in a transaction of its own, and tell the outcome."""
        try:
            result = self.context.run(run, self.seconds_left, self.use_case)
        except Exception as error:  # noqa: BLE001  Who waits for the future meets it.
            self.future.set_exception(error)
        else:
            self.future.set_result(result)
