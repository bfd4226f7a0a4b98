"""Reading all customers of a file at once, and telling which rows are not loaded and why."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from customer_segmentation.domain.arrays import FloatArray, IntArray
from customer_segmentation.files.blocks import Reject
from customer_segmentation.files.check.duplicates import SeenIds
from customer_segmentation.files.check.rows import Checker
from customer_segmentation.files.map.mapping import ColumnMapping
from customer_segmentation.files.read.tables import Reading, open_table
from tests.support.shipped import FEATURES, SHIPPED


@dataclass(frozen=True, eq=False, slots=True)
class DataFile:
    """The customers of a file.

    Attributes:
        ids: (n,), rising.
        values: (n, d), attributes in the feature table's order, in users' units.
        columns: the file's column names.
        ignored: the columns that the service does not know.
        rejects: the rows that are not among the customers.
    """

    ids: IntArray
    values: FloatArray
    columns: tuple[str, ...]
    ignored: list[str]
    rejects: list[Reject]


def read_data_file(path: Path) -> DataFile:
    """Read a file, text in UTF-8, whose columns bear the record names, in any order.

    Raises:
        DataFileError: the file cannot be read, is no UTF-8 text, or lacks a column.
    """
    with open_table(path, Reading(encoding="utf-8")) as source:
        checker = Checker(SHIPPED, source, ColumnMapping.by_record_names(SHIPPED), seen=SeenIds())
        parts = [checker.check(block) for block in source.blocks(checker.wanted)]
    ids = np.concatenate([np.empty(0, np.int64), *(part.ids for part in parts)])
    values = np.concatenate([np.empty((0, len(FEATURES))), *(part.values for part in parts)])
    order = np.argsort(ids)
    return DataFile(
        ids=ids[order],
        values=values[order],
        columns=source.columns,
        ignored=[name for name in source.columns if name not in checker.wanted],
        rejects=[reject for part in parts for reject in part.rejects],
    )
