"""Scoring a table where its partitions are, from Parquet or JDBC to Parquet."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pyarrow as pa

from customer_segmentation.domain.errors import DataFileError
from customer_segmentation.engines.scoring import WORDS, Scorer
from customer_segmentation.engines.spark.session import BatchFunction, faults_told, map_batches
from customer_segmentation.engines.spark.tables import (
    REFUSAL,
    ROWS,
    Check,
    SparkTable,
    refused_batch,
)
from customer_segmentation.model.adapting import Columns, columns_in

_TYPES = {pa.int64(): "long", pa.float64(): "double", pa.string(): "string", pa.bool_(): "boolean"}


@dataclass(frozen=True, slots=True)
class Written:
    """What came of a table's rows.

    Attributes:
        people: how many rows were written with their segment.
        refusals: how many rows are refused for an attribute, by one of the reasons.
    """

    people: int
    refusals: dict[str, int]


def score_table(table: SparkTable, scorer: Scorer, output: str) -> Written:
    """Write the segments of a table's people as Parquet, in one pass.

    Args:
        table: of the people.
        scorer: of the model.
        output: where the folder of Parquet files is made; there must be none yet.

    Raises:
        DataFileError: the table cannot be read, or the output is there or cannot be written.
    """
    from pyspark.errors import AnalysisException
    from pyspark.sql import Observation
    from pyspark.sql import functions as sql

    schema = (
        _plain(scorer.schema)
        .append(pa.field(REFUSAL, pa.string()))
        .append(pa.field(ROWS, pa.int64()))
    )
    columns = ", ".join(f"`{column.name}` {_TYPES[column.type]}" for column in schema)
    own = columns_in(scorer.model, table.schema.attributes)
    scored = map_batches(table.frame, _scoring(table.check, own, scorer, schema), columns)
    # What is refused is counted on the way: a second pass could meet other rows.
    observed, reason, rows = Observation(), sql.col(REFUSAL), sql.col(ROWS)
    metrics = [sql.count(sql.when(reason.isNull(), 1)).alias("people")]
    for feature in table.schema.columns:
        is_its = reason.startswith(f"{feature.name} ")
        metrics.append(sql.sum(sql.when(is_its, rows)).alias(f"rows {feature.name}"))
        metrics.append(sql.max(sql.when(is_its, reason)).alias(f"reason {feature.name}"))
    people = scored.observe(observed, *metrics).where(reason.isNull()).drop(REFUSAL, ROWS)
    with faults_told(output):
        try:
            people.write.parquet(output)
        except AnalysisException as error:
            if error.getCondition() != "PATH_ALREADY_EXISTS":
                raise
            raise DataFileError(f"{output} is there already; name a folder to be made") from error
    found = observed.get
    refusals = {
        found[f"reason {feature.name}"]: found[f"rows {feature.name}"]
        for feature in table.schema.columns
        if found[f"rows {feature.name}"]
    }
    return Written(found["people"], refusals)


def _scoring(check: Check, own: Columns, scorer: Scorer, schema: pa.Schema) -> BatchFunction:
    def each(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            found = check(pa.table(batch))
            n = len(found.ids)
            people = scorer.score(found.ids, own.take(found.values)).cast(_plain(scorer.schema))
            yield pa.record_batch(
                [*people.columns, pa.nulls(n, pa.string()), pa.nulls(n, pa.int64())], schema=schema
            )
            if found.refusals:
                yield refused_batch(schema, found.refusals)

    return each


def _plain(schema: pa.Schema) -> pa.Schema:
    """Return a schema with plain texts, as Spark takes no dictionaries."""
    return pa.schema(
        [column.with_type(pa.string()) if column.type == WORDS else column for column in schema]
    )
