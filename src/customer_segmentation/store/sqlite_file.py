"""The file of a SQLite database, watched while it is open.

SQLite itself goes on writing to a file that was moved, deleted or replaced, and to a log (`-wal`)
that was deleted: what it writes there is lost to whoever opens the path next.
"""

import threading
from pathlib import Path
from typing import TypeAlias

from customer_segmentation.domain.errors import StoreUnavailableError

_Identity: TypeAlias = tuple[int, int] | None
"""A file's device and number on it; None where there is no file."""


class SQLiteFile:
    """Knows whether the file at a path is the one that is open."""

    def __init__(self, path: Path) -> None:
        """Watch nothing until a connection is open."""
        self._paths = (path, Path(f"{path}-wal"))
        self._lock = threading.Lock()
        self._connections = 0
        self._open: tuple[_Identity, ...] = ()
        self._fault = ""

    def opened(self) -> None:
        """Note that there is a connection more.

        Raises:
            StoreUnavailableError: it is to another file than those before.
        """
        with self._lock:
            if self._connections == 0:
                self._open = self._found()
            self._look()
            self._connections += 1

    def closed(self) -> None:
        """Note that there is a connection less; the last one takes the log with it."""
        with self._lock:
            self._connections -= 1

    def check(self) -> None:
        """See that what is open is still there.

        Raises:
            StoreUnavailableError: it is not.
        """
        with self._lock:
            if self._connections:
                self._look()

    def recall(self) -> None:
        """Tell what the last check found, in less time than it takes; errors as `check`."""
        if self._fault:
            raise StoreUnavailableError(self._fault)

    def _look(self) -> None:
        self._fault = ""
        for path, found, known in zip(self._paths, self._found(), self._open, strict=True):
            if found != known:
                done = "moved or deleted" if found is None else "replaced"
                self._fault = (
                    f"The database's file {path} was {done} while it was open: put it back, or "
                    f"restart the service with the right one"
                )
        self.recall()

    def _found(self) -> tuple[_Identity, ...]:
        return tuple(_identify(path) for path in self._paths)


def _identify(path: Path) -> _Identity:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
