"""The use case of segmenting the people of a table without storing anything."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from customer_segmentation.domain.features import (
    CUSTOMER_ID,
    FEATURE_NAMES,
    SEGMENT_RECORD_NAME,
)
from customer_segmentation.files.ahead import read_ahead
from customer_segmentation.files.blocks import Reject
from customer_segmentation.files.checking import Checked, Checker
from customer_segmentation.files.mapping import ColumnMapping
from customer_segmentation.files.reading import Source
from customer_segmentation.model.explain import pulls_apart
from customer_segmentation.services.serving import ServingModel
from customer_segmentation.services.unit_of_work import UnitsOfWork

_REASONS = 3


@dataclass(frozen=True, eq=False, slots=True)
class Scored:
    """The people of some rows, and the rows that are none.

    Attributes:
        batch: under the columns of `ScoredTable.schema`.
        rejects: the rows that are not among them, by line.
        position: how much of the source has been read, in the unit of `Source.total`.
    """

    batch: pa.RecordBatch
    rejects: list[Reject]
    position: int


class ScoredTable:
    """A table whose rows are given the active model's segments, block after block.

    Attributes:
        schema: the columns: the customer's id, or the row's line where the table tells no ids, and
            number, name, confidence and strategy of the segment. With explanations also whether
            the row is an outlier, the distance to each segment, and the attributes that pull most
            toward the segment rather than the second nearest.
    """

    def __init__(
        self, units: UnitsOfWork, source: Source, mapping: ColumnMapping, *, explained: bool
    ) -> None:
        """Find the columns.

        Raises:
            DataFileError: the table lacks a column that has no default.
            MappingError: the mapping lacks an attribute.
            NotReadyError: there is no model yet.
        """
        self._serving = units.require_model()
        self._source = source
        self._explained = explained
        with_ids = CUSTOMER_ID.name in mapping.entries
        self._checker = Checker(source, mapping, with_ids=with_ids)
        numbers = self._serving.model.numbers.tolist()
        more = [
            ("outlier", pa.bool_()),
            *((f"distance_{number}", pa.float64()) for number in numbers),
            ("because", pa.string()),
        ]
        self.schema = pa.schema(
            [
                (CUSTOMER_ID.record_name if with_ids else "line", pa.int64()),
                (SEGMENT_RECORD_NAME, pa.int64()),
                ("segment", pa.string()),
                ("confidence", pa.float64()),
                ("strategy", pa.string()),
                *(more if explained else []),
            ]
        )

    def score(self) -> Iterator[Scored]:
        """Yield the rows with their segments.

        Raises:
            DataFileError: the table cannot be read on.
        """
        blocks = self._source.blocks(self._checker.wanted)
        parts = ((block, self._checker.check(block)) for block in blocks)
        for block, found in read_ahead(parts):
            yield Scored(self._batch(found), found.rejects, block.position)

    def _batch(self, found: Checked) -> pa.RecordBatch:
        serving, values = self._serving, found.values
        assessment = serving.assigner.assess(values)
        names, strategies = serving.words(assessment.segments)
        columns = [
            pa.array(found.ids),
            pa.array(assessment.segments),
            names,
            pa.array(assessment.confidence),
            strategies,
        ]
        if self._explained:
            distances = serving.assigner.distances(values)
            columns.append(pa.array(assessment.outliers))
            columns += map(pa.array, distances.T)
            columns.append(_reasons(serving, found))
        return pa.record_batch(columns, schema=self.schema)


def _reasons(serving: ServingModel, found: Checked) -> pa.Array:
    """Return the names of the attributes that pull most toward each one's segment, (n,) texts."""
    pulls = pulls_apart(serving.model, serving.assigner, found.values)
    strongest = np.argsort(-pulls, axis=1, kind="stable")[:, :_REASONS]
    names = np.array(FEATURE_NAMES, dtype=object)[strongest]
    speaking = np.take_along_axis(pulls, strongest, axis=1) > 0.0
    return pa.array(
        [
            ", ".join(name for name, speaks in zip(row, speaks_for, strict=True) if speaks)
            for row, speaks_for in zip(names.tolist(), speaking.tolist(), strict=True)
        ],
        pa.string(),
    )
