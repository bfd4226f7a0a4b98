"""The use case of segmenting the people of a table without storing anything."""

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa

from customer_segmentation.engines.scoring import Scorer
from customer_segmentation.files.blocks import Reject
from customer_segmentation.files.check.rows import Checker
from customer_segmentation.files.map.mapping import ColumnMapping
from customer_segmentation.files.read.prefetch import prefetch
from customer_segmentation.files.read.tables import Source
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork
from customer_segmentation.services.transfer.likeness import Likeness


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
        schema: the columns of `Scorer`; where the table tells no ids, the row's line stands for it.
    """

    def __init__(
        self, units: UnitsOfWork, source: Source, mapping: ColumnMapping, *, explained: bool
    ) -> None:
        """Find the columns.

        Raises:
            DataFileError: the table lacks a column.
            MappingError: the mapping lacks an attribute.
            NotReadyError: there is no model yet.
        """
        serving = units.require_model()
        key = units.schema.id
        with_ids = mapping.numbered or key.name in mapping.entries
        self._serving = serving
        self._likeness = Likeness(serving)
        self._source = source
        self._checker = Checker(units.schema, source, mapping, with_ids=with_ids)
        id_column = key.record_name if with_ids else "line"
        self._scorer = Scorer(
            serving.model, id_column, explained=explained, has_text_ids=with_ids and key.is_text
        )
        self.schema = self._scorer.schema

    @property
    def differing(self) -> list[str]:
        """The attributes that are spread otherwise by far than in the model's training data."""
        return self._likeness.differing

    @property
    def filled(self) -> dict[str, int]:
        """How many empty values the mapping's default has filled so far, by attribute."""
        return {name: count for name, count in self._checker.filled.items() if count}

    def score(self) -> Iterator[Scored]:
        """Yield the rows with their segments.

        Raises:
            DataFileError: the table cannot be read on.
        """
        blocks = self._source.blocks(self._checker.wanted)
        parts = ((block, self._checker.check(block)) for block in blocks)
        for block, found in prefetch(parts):
            self._likeness.look(found.values)
            batch = self._scorer.score(found.ids, self._serving.rows(found.values))
            yield Scored(batch, found.rejects, block.position)
