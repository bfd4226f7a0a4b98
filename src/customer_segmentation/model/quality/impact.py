"""Impact: what activating another model would do to the customers."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from customer_segmentation.domain.arrays import IntArray
from customer_segmentation.model.artifact import Model
from customer_segmentation.model.fitting.shared import adjusted_rand_index, count_shared

_SUBSTANTIAL = 0.3
"""The share of a segment's customers from which a part of it counts in a split or a merge."""


class Fate(StrEnum):
    """What becomes of a segment."""

    KEPT = "kept"
    NEW = "new"
    SPLIT = "split"
    MERGED = "merged"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class SegmentFate:
    """What becomes of one segment.

    Attributes:
        number: the segment's number.
        name: the segment's name.
        fate: kept or new; or, for one that the other model no longer has, split, merged or
            retired.
        size_before: its customers by the active model, None for a new segment.
        size_after: its customers by the other model, None for a segment that it does not have.
        into: the segments that the customers of one that is gone go to, most first.
    """

    number: int
    name: str
    fate: Fate
    size_before: int | None
    size_after: int | None
    into: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Impact:
    """What changes between two models for the same customers.

    Attributes:
        customers: how many were compared.
        moved: how many would be in another segment.
        moved_share: their share.
        agreement: the adjusted Rand index of the two segmentations.
        matrix: customers by segment number before and by segment number after.
        segments: what becomes of each segment.
        strategies_touched: the main strategies of the segments that customers would leave or
            enter.
    """

    customers: int
    moved: int
    moved_share: float
    agreement: float
    matrix: dict[int, dict[int, int]]
    segments: tuple[SegmentFate, ...]
    strategies_touched: tuple[str, ...]


def count_pairs(before: Model, after: Model, left: IntArray, entered: IntArray) -> IntArray:
    """Count customers by the segments that two models give them.

    Args:
        before: a model of k segments.
        after: a model of m segments.
        left: (n,), the segment numbers that the one gives.
        entered: (n,), the segment numbers that the other gives to the same customers.

    Returns:
        (k, m), in the order of the models' segments.
    """
    rows = np.searchsorted(before.numbers, left)
    columns = np.searchsorted(after.numbers, entered)
    return count_shared(rows, len(before.segments), columns, len(after.segments))


def measure_impact(before: Model, after: Model, pairs: IntArray) -> Impact:
    """Tell what changes, from counts of customers, (k, m), by `count_pairs`."""
    total = int(pairs.sum())
    same = before.numbers[:, None] == after.numbers[None, :]
    moved = total - int(pairs[same].sum())
    matrix = {
        number: dict(zip(after.numbers.tolist(), row, strict=True))
        for number, row in zip(before.numbers.tolist(), pairs.tolist(), strict=True)
    }
    changing = np.where(same, 0, pairs)
    touched = {
        segment.strategy
        for model, axis in ((before, 1), (after, 0))
        for segment, count in zip(model.segments, changing.sum(axis=axis).tolist(), strict=True)
        if count
    }
    return Impact(
        customers=total,
        moved=moved,
        moved_share=moved / max(total, 1),
        agreement=adjusted_rand_index(pairs),
        matrix=matrix,
        segments=_fates(before, after, pairs),
        strategies_touched=tuple(sorted(touched)),
    )


def _fates(before: Model, after: Model, pairs: IntArray) -> tuple[SegmentFate, ...]:
    sizes_before = dict(zip(before.numbers.tolist(), pairs.sum(axis=1).tolist(), strict=True))
    sizes_after = dict(zip(after.numbers.tolist(), pairs.sum(axis=0).tolist(), strict=True))
    fates = [
        SegmentFate(
            number=segment.number,
            name=segment.name,
            fate=Fate.KEPT if segment.number in sizes_before else Fate.NEW,
            size_before=sizes_before.get(segment.number),
            size_after=sizes_after[segment.number],
            into=(),
        )
        for segment in after.segments
    ]
    for row, segment in enumerate(before.segments):
        if segment.number in sizes_after:
            continue
        fate, into = _fate_of_gone(pairs, row, after.numbers)
        fates.append(
            SegmentFate(
                number=segment.number,
                name=segment.name,
                fate=fate,
                size_before=sizes_before[segment.number],
                size_after=None,
                into=into,
            )
        )
    return tuple(sorted(fates, key=lambda fate: fate.number))


def _fate_of_gone(pairs: IntArray, row: int, numbers: IntArray) -> tuple[Fate, tuple[int, ...]]:
    """Tell what became of a segment that the other model does not have, and where its people go.

    Split: two or more segments each take a substantial part of it. Merged: one takes most of it.
    Retired: its customers scatter.
    """
    shares = pairs[row] / max(int(pairs[row].sum()), 1)
    order = [int(column) for column in np.argsort(-shares, kind="stable")]
    into = tuple(int(numbers[column]) for column in order if shares[column] >= _SUBSTANTIAL)
    if len(into) >= 2:
        return Fate.SPLIT, into
    if shares[order[0]] > 0.5:
        return Fate.MERGED, into
    return Fate.RETIRED, into
