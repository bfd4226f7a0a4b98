"""The customers of a table, spread over partitions, each partition in the order of their ids."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from customer_segmentation.domain.arrays import FloatArray
from customer_segmentation.domain.schema import Schema
from customer_segmentation.engines.spark.session import map_batches
from customer_segmentation.engines.spark.tables import (
    PLACE,
    REFUSAL,
    ROWS,
    SparkTable,
    checked,
    customers_of,
)
from customer_segmentation.model.monitoring.fingerprint import (
    NODE_BITS,
    digest_leaves,
    digest_nodes,
    leaf_bits,
    root_of,
    rows_of,
)

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

Sums = dict[str, FloatArray]
"""What adds up over customers, by name."""


@dataclass(frozen=True, eq=False, slots=True)
class SparkCustomers:
    """Customers to go over again and again.

    Attributes:
        schema: of the customers.
        frame: a row for each, the place by the id and attributes under the request names, null
            where missing; behind them the id.
        count: how many there are.
        refusals: how many rows of the table are none, by the reason.
        least: (d,), the least value of each attribute.
        greatest: (d,), the greatest value of each.
    """

    schema: Schema
    frame: "DataFrame"
    count: int
    refusals: dict[str, int]
    least: FloatArray
    greatest: FloatArray

    def add_up(self, part: Callable[[FloatArray], Sums]) -> Sums:
        """Add up what a function gives for the attributes, (n, d), of some customers.

        One row a partition and sum comes to the driver. The same partitions are added up in the
        same order each time, so the same sums are the same to the bit.
        """

        def each(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            total: Sums = {}
            for batch in batches:
                for name, found in part(customers_of(batch)[1]).items():
                    total[name] = total[name] + found if name in total else found
            columns = [
                list(total),
                [found.shape for found in total.values()],
                [found.ravel() for found in total.values()],
            ]
            yield pa.record_batch(
                [pa.array(column, kind.type) for column, kind in zip(columns, _SUMS, strict=True)],
                schema=_SUMS,
            )

        totals: Sums = {}
        found = map_batches(
            self._without_ids, each, "name string, shape array<int>, sum array<double>"
        )
        for row in found.toArrow().to_pylist():
            part_sum = np.array(row["sum"]).reshape(row["shape"])
            totals[row["name"]] = totals.get(row["name"], 0.0) + part_sum
        return totals

    def digest(self) -> str:
        """Return the digest of all customers; see `model/monitoring/fingerprint.py`."""
        from pyspark.sql import functions as sql

        bits = _leaf_bits(self.schema)

        def digest(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            rows = (row for batch in batches for row in rows_of(*customers_of(batch), bits))
            yield from _digest_batches(digest_leaves(rows, bits))

        leaves = map_batches(self._without_ids, digest, "number long, digest binary")
        parents = leaves.withColumn("node", sql.shiftright("number", NODE_BITS))
        ordered = parents.repartition("node").sortWithinPartitions("number")
        nodes = map_batches(ordered, _digest_nodes, "number long, digest binary").toArrow()
        return root_of(_pairs(nodes.sort_by("number")))

    def sample(self, size: int, seed: int) -> FloatArray:
        """Return the attributes, (m, d), of at most so many customers, by their ids' order.

        They are those whose hash of seed and id is least (bottom-k sampling: Cohen and Kaplan
        2007, doi:10.1145/1281100.1281133), whatever the partitions are.
        """
        from pyspark.sql import functions as sql

        key = self.schema.id.name
        draw = sql.xxhash64(sql.lit(seed), key)
        drawn = self.frame.orderBy(draw, key).limit(size).toArrow()
        in_order = drawn.sort_by(key).combine_chunks()
        columns = [in_order[name].to_numpy(zero_copy_only=False) for name in self.schema.names]
        return np.column_stack(columns).astype(np.float64, copy=False)

    @property
    def _without_ids(self) -> "DataFrame":
        return self.frame.select(PLACE, *self.schema.names)


_LEAF, _COPIES = "_leaf", "_copies"

_SUMS = pa.schema(
    [("name", pa.string()), ("shape", pa.list_(pa.int32())), ("sum", pa.list_(pa.float64()))]
)
_DIGESTS = pa.schema([("number", pa.int64()), ("digest", pa.binary())])


def _leaf_bits(schema: Schema) -> int:
    return leaf_bits(np.empty(0, dtype=object if schema.id.is_text else np.int64))


@contextmanager
def open_customers(table: SparkTable) -> Iterator[SparkCustomers]:
    """Check a table's rows, and keep its customers in the memory or on the disks of Spark.

    Rows whose id other rows have too are all refused: a table in parts has no first among them.
    """
    from pyspark.sql import Window
    from pyspark.sql import functions as sql

    schema, key = table.schema, table.schema.id.name
    leaf = sql.shiftright(PLACE, _leaf_bits(schema))
    same_id = sql.count("*").over(Window.partitionBy(_LEAF, key))
    is_repeated = sql.col(key).isNotNull() & (sql.col(_COPIES) > 1)
    repeated = f"{key} must be unique, and other rows have it too"
    rows = (
        checked(table)
        .withColumn(_LEAF, leaf)
        .repartition(_LEAF)
        .withColumn(_COPIES, same_id)
        .withColumn(REFUSAL, sql.when(is_repeated, sql.lit(repeated)).otherwise(sql.col(REFUSAL)))
        .sortWithinPartitions(_LEAF, PLACE, key)
        .select(key, PLACE, REFUSAL, ROWS, *schema.names)
        .persist()
    )
    try:
        refused = rows.where(sql.col(REFUSAL).isNotNull()).groupBy(REFUSAL)
        refusals = dict(map(tuple, refused.agg(sql.sum(ROWS)).collect()))
        frame = rows.where(sql.col(REFUSAL).isNull()).select(PLACE, *schema.names, key)
        ends = [f(name) for f in (sql.min, sql.max) for name in schema.names]
        (found,) = frame.agg(sql.count("*"), *ends).collect()
        count, *extremes = found
        filled = [0.0 if value is None else value for value in extremes]
        least, greatest = np.array(filled).reshape(2, len(schema.names))
        yield SparkCustomers(schema, frame, count, refusals, least, greatest)
    finally:
        rows.unpersist()


def _digest_nodes(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    leaves = (pair for batch in batches for pair in _pairs(batch))
    yield from _digest_batches(digest_nodes(leaves))


def _pairs(digests: pa.RecordBatch | pa.Table) -> Iterator[tuple[int, bytes]]:
    numbers, contents = digests["number"].to_pylist(), digests["digest"].to_pylist()
    yield from zip(numbers, contents, strict=True)


def _digest_batches(digests: Iterable[tuple[int, bytes]]) -> Iterator[pa.RecordBatch]:
    pairs = list(digests)
    yield pa.record_batch(
        [
            pa.array([number for number, _ in pairs], pa.int64()),
            pa.array([digest for _, digest in pairs], pa.binary()),
        ],
        schema=_DIGESTS,
    )
