"""The file of rows not loaded, which a person mends and loads again."""

import csv
import io
import os
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from customer_segmentation.domain.errors import FieldError, InvalidInputError
from customer_segmentation.files.blocks import LEADING_COLUMNS, Reject
from customer_segmentation.files.formulas import neutralised
from customer_segmentation.files.write.atomic import whole_file

if TYPE_CHECKING:
    from _csv import Writer

_HEAD = ",".join(LEADING_COLUMNS).encode()


def rejects_path(table: Path | None, what: str = "") -> Path:
    """Return where the rejects of a table go unless told.

    They go beside the file that they are of, under its whole name, so that those of two files never
    meet. Where there is no such file, or its folder takes none, they go into the working directory,
    under a name that is free.

    Args:
        table: the file.
        what: what stands for its name where there is none.
    """
    name = what if table is None else table.name.removesuffix(".csv")
    if table is not None and name == table.name and not table.suffix:
        name += "."  # As X.csv may stand beside X.
    beside = None if table is None else table.with_name(f"{name}.rejects.csv")
    if beside is not None and os.access(beside.parent, os.W_OK):
        return beside
    number, path = 1, Path(f"{name}.rejects.csv")
    while path.exists():
        number += 1
        path = Path(f"{name}-{number}.rejects.csv")
    return path


def check_rejects_path(path: Path) -> None:
    """See that rejects would take the place of nothing but earlier rejects.

    Raises:
        InvalidInputError: another file is there.
    """
    if path.is_file() and not _holds_rejects(path):
        message = f"{path} is there and holds no refused rows: name another file for the rejects"
        raise InvalidInputError([FieldError("rejects", message)])


def _holds_rejects(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(_HEAD)) == _HEAD
    except OSError:
        return False


class RejectsFile:
    """Takes the rejects of a table as they come; where none come, there is no file.

    Rejects of an earlier time, which its path then holds no longer, are replaced or removed.

    Attributes:
        path: where the file is, once the block is left.
        count: how many rejects came.
    """

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self.path = path
        self.count = 0
        self._columns = columns
        self._stack = ExitStack()
        self._rows: Writer | None = None

    def __enter__(self) -> Self:
        """Look whether the path may be written.

        Raises:
            InvalidInputError: there is a file that holds something else.
        """
        check_rejects_path(self.path)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, trace)
        if kind is None and self._rows is None and self.path.is_file():
            self.path.unlink()

    def add(self, rejects: Iterable[Reject]) -> None:
        """Write rows, each with its line, column and reason, then its fields.

        Raises:
            DataFileError: the file cannot be written.
        """
        for reject in rejects:
            texts = [reject.column, reject.reason, *reject.fields]
            self._writer().writerow([reject.line, *map(neutralised, texts)])
            self.count += 1

    def _writer(self) -> "Writer":
        if self._rows is None:
            file = self._stack.enter_context(whole_file(self.path))
            text = io.TextIOWrapper(file, encoding="utf-8", newline="")
            self._stack.callback(text.detach)
            self._rows = csv.writer(text)
            self._rows.writerow([*LEADING_COLUMNS, *map(neutralised, self._columns)])
        return self._rows
