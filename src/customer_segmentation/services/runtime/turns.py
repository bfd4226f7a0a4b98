"""Running what many requests write beside one another, but not all of it on one subject.

While another client of the database holds a customer's row, each change of that customer takes a
connection to wait for it. Would all of them wait at once, none would be left for the changes of
other customers.
"""

import threading
from collections import deque
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

Result = TypeVar("Result")


class Turns:
    """Runs calls in threads, of those about the same subject only so many at a time, in order."""

    def __init__(self, threads: int) -> None:
        """Run nothing yet."""
        self._threads = ThreadPoolExecutor(threads)
        self._lock = threading.Lock()
        self._lines: dict[Hashable, _Line] = {}
        self._is_open = True

    def submit(self, subject: Hashable, limit: int, run: Callable[[], Result]) -> Future[Result]:
        """Run a call soon.

        Args:
            subject: what it is about.
            limit: how many about that may run at a time.
            run: the call.

        Returns:
            what tells its result or its error.
        """
        call = _Call(run, Future())
        with self._lock:
            line = self._lines.setdefault(subject, _Line())
            if line.running >= limit:
                line.waiting.append(call)
            else:
                self._threads.submit(self._run, subject, call)
                line.running += 1
        return call.future

    def close(self) -> None:
        """Finish what was submitted."""
        with self._lock:
            self._is_open = False
        self._threads.shutdown()

    def _run(self, subject: Hashable, call: "_Call[Any]") -> None:
        following: _Call[Any] | None = call
        while following is not None:
            following.run()
            following = self._next(subject)

    def _next(self, subject: Hashable) -> "_Call[Any] | None":
        """Begin the next call about a subject; return it where this thread is to run it itself."""
        with self._lock:
            line = self._lines[subject]
            if line.waiting:
                following = line.waiting.popleft()
                if not self._is_open:
                    return following  # The threads take no more.
                # Behind those about other things that came before.
                self._threads.submit(self._run, subject, following)
                return None
            line.running -= 1
            if not line.running:
                del self._lines[subject]
            return None


@dataclass(frozen=True, eq=False, slots=True)
class _Call(Generic[Result]):
    """A call, and what tells how it went."""

    call: Callable[[], Result]
    future: Future[Result]

    def run(self) -> None:
        """Run it, unless nobody waits for it any more."""
        if not self.future.set_running_or_notify_cancel():
            return
        try:
            result = self.call()
        except Exception as error:  # noqa: BLE001  Who waits for the future meets it.
            self.future.set_exception(error)
        else:
            self.future.set_result(result)


@dataclass(slots=True)
class _Line:
    """The calls about one subject: how many run, and those that wait, the first one first."""

    running: int = 0
    waiting: deque[_Call[Any]] = field(default_factory=deque)
