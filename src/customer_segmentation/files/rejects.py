"""The file of rows not loaded, which a person mends and loads again."""

import csv
import io
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from customer_segmentation.files.blocks import Reject
from customer_segmentation.files.formulas import neutralised
from customer_segmentation.files.whole import whole_file

if TYPE_CHECKING:
    from _csv import Writer

LEADING_COLUMNS = ["line", "column", "reason"]
"""What stands before the fields of a row; a file whose header begins so is a file of rejects."""


class RejectsFile:
    """Takes the rejects of a table as they come; where none come, there is no file.

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
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, trace)

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
