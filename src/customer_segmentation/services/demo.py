"""The use cases on a synthetic bank: write it to a file, or load it into an empty database."""

import csv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from customer_segmentation.data.synthetic import SEED, draw_bank
from customer_segmentation.domain.arrays import FloatArray
from customer_segmentation.domain.errors import (
    DatabaseNotEmptyError,
    DataFileError,
    FieldError,
    InvalidInputError,
)
from customer_segmentation.domain.features import CUSTOMER_ID, FEATURES, plain_number
from customer_segmentation.services.settings import Settings
from customer_segmentation.services.startup import begin_start, finish_start

Progress = Callable[[int, int], None]
Write = Callable[[int, FloatArray], None]

_COLUMNS = (CUSTOMER_ID, *FEATURES)


def write_bank(
    path: Path, count: int, seed: int = SEED, progress: Progress = lambda _done, _total: None
) -> None:
    """Write a bank's customers to a file, under the record names, in constant memory.

    Args:
        path: of the file, which is replaced; its ending says which kind: `.csv` or `.parquet`.
        count: how many customers.
        seed: of every random choice.
        progress: is told how many of them are written.

    Raises:
        InvalidInputError: the file's ending is another.
        DataFileError: the file cannot be written.
    """
    open_file = {".csv": _open_csv, ".parquet": _open_parquet}.get(path.suffix.lower())
    if open_file is None:
        message = "output must end with .csv or .parquet"
        raise InvalidInputError([FieldError("output", message)])
    try:
        with open_file(path) as write:
            done = 0
            for customers in draw_bank(count, seed):
                write(done + 1, customers)
                done += len(customers)
                progress(done, count)
    except OSError as error:
        raise DataFileError(f"{path} cannot be written: {error.strerror}") from error


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
        loading = begin_start(first)
        if loading is None:
            raise DatabaseNotEmptyError
        finish_start(first, loading)


@contextmanager
def _open_csv(path: Path) -> Iterator[Write]:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([column.record_name for column in _COLUMNS])

        def write(first_id: int, customers: FloatArray) -> None:
            columns = [
                column.astype(np.int64).tolist()
                if feature.is_integer
                else map(plain_number, column.tolist())
                for feature, column in zip(FEATURES, customers.T, strict=True)
            ]
            ids = range(first_id, first_id + len(customers))
            writer.writerows(zip(ids, *columns, strict=True))

        yield write


@contextmanager
def _open_parquet(path: Path) -> Iterator[Write]:
    schema = pa.schema(
        [
            pa.field(column.record_name, pa.int64() if column.is_integer else pa.float64(), False)
            for column in _COLUMNS
        ]
    )
    with pq.ParquetWriter(path, schema) as writer:

        def write(first_id: int, customers: FloatArray) -> None:
            ids = np.arange(first_id, first_id + len(customers))
            columns = [
                column.astype(np.int64) if feature.is_integer else column
                for feature, column in zip(FEATURES, customers.T, strict=True)
            ]
            writer.write_batch(pa.record_batch([ids, *columns], schema=schema))

        yield write
