"""Segmenting many people at once: a block of them to the columns that are written of them."""

import numpy as np
import pyarrow as pa

from customer_segmentation.domain.arrays import FloatArray, IdArray, IntArray
from customer_segmentation.domain.customer import SEGMENT_RECORD_NAME
from customer_segmentation.model.artifact import Model
from customer_segmentation.model.assign import Assigner
from customer_segmentation.model.describing.explain import pulls_apart

WORDS = pa.dictionary(pa.int8(), pa.string())
"""The type of a column that holds few different texts."""

_REASONS = 3


class Scorer:
    """Gives people the segments of a model.

    Attributes:
        model: the model.
        schema: the columns: the people's ids, and number, name, confidence and strategy of the
            segment. With explanations also whether the person is an outlier, the distance to each
            segment, and the attributes that pull most toward the segment rather than the second
            nearest.
    """

    def __init__(
        self, model: Model, id_column: str, *, explained: bool, has_text_ids: bool = False
    ) -> None:
        """Fold the model; `id_column` is what the column of ids is called."""
        self.model = model
        self._assigner = Assigner(model)
        self._explained = explained
        more = [
            ("outlier", pa.bool_()),
            *((f"distance_{number}", pa.float64()) for number in model.numbers.tolist()),
            ("because", pa.string()),
        ]
        self.schema = pa.schema(
            [
                (id_column, pa.string() if has_text_ids else pa.int64()),
                (SEGMENT_RECORD_NAME, pa.int64()),
                ("segment", WORDS),
                ("confidence", pa.float64()),
                ("strategy", WORDS),
                *(more if explained else []),
            ]
        )

    def score(self, ids: IdArray, values: FloatArray) -> pa.RecordBatch:
        """Return the rows, under `schema`, of people: ids (n,) and attributes (n, d)."""
        assessment = self._assigner.assess(values)
        names, strategies = segment_words(self.model, assessment.segments)
        columns = [
            pa.array(ids, self.schema.field(0).type),
            pa.array(assessment.segments),
            names,
            pa.array(assessment.confidence),
            strategies,
        ]
        if self._explained:
            distances = self._assigner.distances(values)
            columns.append(pa.array(assessment.outliers))
            columns += map(pa.array, distances.T)
            columns.append(self._reasons(values))
        return pa.record_batch(columns, schema=self.schema)

    def _reasons(self, values: FloatArray) -> pa.Array:
        """Return the attributes that pull most toward each one's segment, (n,) texts."""
        pulls = pulls_apart(self.model, self._assigner, values)
        strongest = np.argsort(-pulls, axis=1, kind="stable")[:, :_REASONS]
        names = np.array(self.model.names, dtype=object)[strongest]
        speaking = np.take_along_axis(pulls, strongest, axis=1) > 0.0
        return pa.array(
            [
                ", ".join(name for name, speaks in zip(row, speaks_for, strict=True) if speaks)
                for row, speaks_for in zip(names.tolist(), speaking.tolist(), strict=True)
            ],
            pa.string(),
        )


def segment_words(model: Model, segments: IntArray) -> tuple[pa.Array, pa.Array]:
    """Return the names and the main strategies, (n,) `WORDS`, of segments by number, (n,)."""
    places = np.searchsorted(model.numbers, segments).astype(np.int8)
    names = pa.array([segment.name for segment in model.segments])
    told = [next((s.text for s in segment.strategies), "") for segment in model.segments]
    # Parquet knows nulls among the places only, not among the words.
    lacking = np.array([not text for text in told])[places]
    return (
        pa.DictionaryArray.from_arrays(pa.array(places), names),
        pa.DictionaryArray.from_arrays(pa.array(places, mask=lacking), pa.array(told)),
    )
