"""Committing together what many requests write at the same time.

A commit waits for the disk, whatever there is in it. Where a database has a single writer, the
requests that come during one commit share the next one (DeWitt et al. 1984, "Implementation
techniques for main memory database systems", doi:10.1145/602259.602261, group commit).
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import Context, copy_context
from dataclasses import dataclass
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from customer_segmentation.domain.errors import SegmentationError, StoreUnavailableError

if TYPE_CHECKING:
    from customer_segmentation.services.unit_of_work import UnitOfWork, UnitsOfWork

MOST = 100
"""Requests a transaction: few enough that none waits long for the others."""


class GroupCommit:
    """Runs use cases in a thread of its own, several in a transaction.

    Each is done or refused by itself: a transaction in which one fails after it wrote something is
    undone, and each is done again in one of its own.
    """

    def __init__(self, units: "UnitsOfWork") -> None:
        """Start the thread."""
        self._units = units
        self._waiting: SimpleQueue[_Request | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work_off, name="group commit", daemon=True)
        self._thread.start()

    def submit(self, use_case: Callable[["UnitOfWork"], Any]) -> Future[Any]:
        """Run a use case soon; the future tells its result once that is durable."""
        request = _Request(use_case, copy_context(), Future())
        self._waiting.put(request)
        return request.future

    def close(self) -> None:
        """End when all that was submitted is done."""
        self._waiting.put(None)
        self._thread.join()

    def _work_off(self) -> None:
        while (first := self._waiting.get()) is not None:
            requests: list[_Request] = []
            following: _Request | None = first
            while following is not None:
                if following.future.set_running_or_notify_cancel():
                    requests.append(following)
                if len(requests) == MOST or self._waiting.empty():
                    break
                following = self._waiting.get()
            self._commit(requests)
            if following is None:
                return

    def _commit(self, requests: list["_Request"]) -> None:
        """Do requests in one transaction; if that fails, each in one of its own."""
        try:
            with self._units.write() as work:
                outcomes = [request.attempt(work) for request in requests]
        except Exception:  # noqa: BLE001  Each is told its own fault below.
            for request in requests:
                request.do_alone(self._units)
        else:
            for tell in outcomes:
                tell()


@dataclass(frozen=True, eq=False, slots=True)
class _Request:
    use_case: Callable[["UnitOfWork"], Any]
    context: Context
    future: Future[Any]

    def attempt(self, work: "UnitOfWork") -> Callable[[], None]:
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

    def do_alone(self, units: "UnitsOfWork") -> None:
        """Do it in a transaction of its own, and tell the outcome."""
        try:
            self.future.set_result(self.context.run(units.run, self.use_case))
        except Exception as error:  # noqa: BLE001  Who waits for the future meets it.
            self.future.set_exception(error)
