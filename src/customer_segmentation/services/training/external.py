"""The use cases on tables outside the database, too large for one machine: Apache Spark's."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pyarrow as pa

from customer_segmentation.domain.arrays import IntArray
from customer_segmentation.domain.errors import DataFileError, FieldError, InvalidInputError
from customer_segmentation.domain.jobs import Phase
from customer_segmentation.domain.schema import Schema
from customer_segmentation.engines.scoring import Scorer
from customer_segmentation.engines.spark.customers import open_customers
from customer_segmentation.engines.spark.scoring import Written, score_table
from customer_segmentation.engines.spark.session import faults_told, open_session
from customer_segmentation.engines.spark.tables import (
    JDBC,
    CheckedRows,
    SparkTable,
    TableLocation,
    open_table,
)
from customer_segmentation.files.blocks import Block, fields_of
from customer_segmentation.files.check.rows import Checker
from customer_segmentation.files.map.mapping import ColumnMapping
from customer_segmentation.files.map.mapping_file import parse_mapping
from customer_segmentation.files.read.tables import Source
from customer_segmentation.files.read.typed import TypedReader
from customer_segmentation.files.table_source import find_mapping
from customer_segmentation.model.artifact import Model, Parameters
from customer_segmentation.services.runtime.settings import Settings

if TYPE_CHECKING:
    from customer_segmentation.engines.engine import Progress

_NOBODY = np.empty(0, dtype=np.int64)
_ERASED = "the id is of a customer who was erased"
_PASSWORD = re.compile(r"pass(word|wd)?=|[:/][^/@:]*[:/][^/@:]+@", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ExternalTable:
    """A table outside the database.

    Attributes:
        source: a path or a pattern of Parquet as Spark reads it, or a JDBC URL.
        table: the table of the database that a JDBC URL names.
        mapping: what its columns mean, as TOML; None where they bear the attributes' own names.
    """

    source: str
    table: str | None = None
    mapping: str | None = None

    def __post_init__(self) -> None:
        """See that it can be a table.

        Raises:
            InvalidInputError: a JDBC URL comes without a table or with a password, or a path with
                a table.
        """
        if not self.source.startswith(JDBC):
            if self.table is not None:
                raise _invalid("table", "table is of a database; Parquet has none to name")
        elif self.table is None:
            raise _invalid("table", "table must name a table of the database at the JDBC URL")
        elif _PASSWORD.search(self.source):
            raise _invalid(
                "source",
                "the JDBC URL must hold no password, as jobs are kept and shown: set "
                "CUSTOMER_SEGMENTATION_JDBC_PASSWORD",
            )

    @classmethod
    def of(cls, request: Mapping[str, Any]) -> Self | None:
        """Return the table that a job was asked to train on; None for the stored customers."""
        return cls(**request["external"]) if "external" in request else None

    @property
    def request(self) -> dict[str, Any]:
        """What a job keeps of it."""
        return {"external": asdict(self)}

    @property
    def name(self) -> str:
        """What messages and records call it."""
        return TableLocation(self.source, self.table).name


def train_on_table(
    settings: Settings,
    schema: Schema,
    external: ExternalTable,
    parameters: Parameters,
    serving: Model | None,
    *,
    erased: IntArray,
    next_number: int,
    progress: "Progress",
    refused: Callable[[dict[str, int]], object],
) -> Model:
    """Train a model on a table.

    Args:
        settings: of the session.
        schema: of the customers.
        external: the table.
        parameters: as `Engine.train`.
        serving: as `Engine.train`.
        erased: (n,), ids of erased customers, whose rows are refused.
        next_number: as `Engine.train`.
        progress: as `Engine.train`.
        refused: is told how many rows are refused, by the reason, before the training.

    Raises:
        DataFileError: the table cannot be read, or what its columns mean is not said.
        EngineUnavailableError: Spark does not start.
        ExtraMissingError: PySpark is not installed.
        MappingError: the mapping is not as it must be.
        TrainingRefusedError: there are fewer customers, or fewer that differ, than segments.
    """
    progress(Phase.READING, 0, 0)
    with _opened(settings, schema, external, erased) as table, faults_told(external.name):
        # Imports scikit-learn, as do engines' protocols; a process that serves never does.
        from customer_segmentation.engines.spark.engine import train

        with open_customers(table) as customers:
            refused(customers.refusals)
            progress(Phase.READING, customers.count, customers.count)
            return train(customers, parameters, serving, next_number=next_number, progress=progress)


def score_external(
    settings: Settings,
    schema: Schema,
    model: Model,
    external: ExternalTable,
    output: str,
    *,
    explained: bool,
) -> Written:
    """Write the segments that a model gives a table's people as Parquet.

    Args:
        settings: of the session.
        schema: of the customers.
        model: the active one.
        external: the table.
        output: the folder to be made, anywhere that Spark writes.
        explained: whether to write what `Scorer` tells more.

    Raises:
        DataFileError: the table cannot be read, or the output is there or cannot be written.
        EngineUnavailableError: Spark does not start.
        ExtraMissingError: PySpark is not installed.
        MappingError: the mapping is not as it must be.
    """
    scorer = Scorer(
        model, schema.id.record_name, explained=explained, has_text_ids=schema.id.is_text
    )
    with _opened(settings, schema, external) as table:
        return score_table(table, scorer, output)


@contextmanager
def _opened(
    settings: Settings, schema: Schema, external: ExternalTable, erased: IntArray = _NOBODY
) -> Iterator[SparkTable]:
    place = TableLocation(
        external.source, external.table, settings.jdbc_user, settings.jdbc_password
    )
    with open_session(settings.spark_master, settings.spark_conf) as session:
        yield open_table(
            session, place, schema, lambda columns: _Check(schema, external, columns, erased)
        )


def _meaning(schema: Schema, external: ExternalTable, columns: Sequence[str]) -> ColumnMapping:
    if external.mapping is not None:
        return parse_mapping(schema, external.mapping, f"of {external.name}")
    if (known := find_mapping(schema, columns)) is not None:
        return known
    raise DataFileError(
        f"The columns of {external.name} do not bear the attributes' names. Write a mapping with "
        "customer-segmentation import --infer FILE > mapping.toml from some rows of it, look at "
        "it, and give it with --mapping mapping.toml"
    )


class _Check:
    """Checks a table's rows by the rule of `Feature.accept`, wherever they are."""

    def __init__(
        self, schema: Schema, external: ExternalTable, columns: list[str], erased: IntArray
    ) -> None:
        mapping = _meaning(schema, external, columns)
        # The checker looks at the columns of a source; its rows are elsewhere.
        source = Source(external.name, TypedReader(columns, iter(())), None)
        self._checker = Checker(schema, source, mapping)
        self.wanted = self._checker.wanted
        self._erased = erased
        self.id_column = mapping.entries[schema.id.name].column or ""

    def __call__(self, rows: pa.Table) -> CheckedRows:
        lines = np.arange(1, rows.num_rows + 1)
        found = self._checker.check(Block(lines, rows, fields_of(rows)))
        refusals = Counter(reject.reason for reject in found.rejects)
        is_erased = np.isin(found.ids, self._erased)
        if is_erased.any():
            refusals[_ERASED] = int(is_erased.sum())
        return CheckedRows(found.ids[~is_erased], found.values[~is_erased], refusals)


def _invalid(field: str, message: str) -> InvalidInputError:
    return InvalidInputError([FieldError(field, message)])
