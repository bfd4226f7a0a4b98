"""The use cases on a synthetic bank: write it to a file, or load it into an empty database."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

import numpy as np
import pyarrow as pa

from customer_segmentation.data.synthetic import SEED, draw_bank
from customer_segmentation.domain.arrays import FloatArray
from customer_segmentation.domain.errors import DatabaseNotEmptyError
from customer_segmentation.domain.schema import Schema
from customer_segmentation.files.formats import Format, format_of
from customer_segmentation.files.write.tables import open_writer
from customer_segmentation.services.operation.startup import begin_start, finish_start
from customer_segmentation.services.runtime.current_schema import shipped_schema
from customer_segmentation.services.runtime.settings import Settings

Progress = Callable[[int, int], None]


def write_bank(
    target: Path | BinaryIO,
    count: int,
    seed: int = SEED,
    progress: Progress = lambda _done, _total: None,
) -> None:
    """Write a bank's customers, under the record names, in constant memory.

    Args:
        target: a file, there whole or not at all, whose ending names the format; or a stream such
            as standard output, for CSV.
        count: how many customers.
        seed: of every random choice.
        progress: is told how many of them are written.

    Raises:
        InvalidInputError: the file's ending names no format.
        DataFileError: they cannot be written.
        ExtraMissingError: this format needs an optional part of the installation.
    """
    schema = shipped_schema()
    columns = _columns(schema)
    form = format_of(target) if isinstance(target, Path) else Format.CSV
    with open_writer(target, columns, form) as writer:
        done = 0
        for customers in draw_bank(count, seed):
            writer.write(_batch(schema, columns, done + 1, customers))
            done += len(customers)
            progress(done, count)


def load_bank(
    settings: Settings,
    count: int,
    seed: int = SEED,
    progress: Progress = lambda _done, _total: None,
) -> None:
    """Load a bank's customers into an empty database and train its first model; see `write_bank`.

    Raises:
        DatabaseNotEmptyError: the database holds customers already.
        DataFileError: they are too few to train on.
        StoreUnavailableError: the database does not answer or cannot be written.
    """
    with TemporaryDirectory(prefix="customers-") as directory:
        path = Path(directory) / "demo.csv"
        write_bank(path, count, seed, progress)
        first = settings.model_copy(update={"data": path})
        loading = begin_start(first, is_demo=True)
        if loading is None:
            raise DatabaseNotEmptyError
        finish_start(first, loading)


def _columns(schema: Schema) -> pa.Schema:
    return pa.schema(
        [
            pa.field(column.record_name, pa.int64() if column.is_integer else pa.float64(), False)
            for column in schema.columns
        ]
    )


def _batch(
    schema: Schema, columns: pa.Schema, first_id: int, customers: FloatArray
) -> pa.RecordBatch:
    values = [
        column.astype(np.int64) if attribute.is_integer else column
        for attribute, column in zip(schema.attributes, customers.T, strict=True)
    ]
    ids = np.arange(first_id, first_id + len(customers))
    return pa.record_batch([ids, *values], schema=columns)
