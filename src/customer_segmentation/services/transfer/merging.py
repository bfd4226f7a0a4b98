"""What an import makes of rows, beside the customers who are there."""

from collections.abc import Collection
from dataclasses import dataclass, field

import numpy as np

from customer_segmentation.domain.arrays import BoolArray, FloatArray, IntArray
from customer_segmentation.domain.imports import Mode

TAKEN = "the id is taken"
"""Why a row is refused where it may not change who is there."""


@dataclass(frozen=True, slots=True)
class Done:
    """What was done with some rows, and why which were refused, by their place."""

    added: int
    changed: int
    unchanged: int
    erased: int
    refused: dict[int, str] = field(default_factory=dict)


@dataclass(eq=False, slots=True)
class Merged:
    """Rows beside the customers who are there.

    Attributes:
        ids: (n,), of the rows, as the numbers that they are inside.
        values: (n, d), the attributes that are to be stored.
        places: (n,), where among those who are there; without meaning for who is new.
        new: (n,), who are not there, and may be.
        changed: (n,), who are there otherwise, and are to be changed.
        same: (n,), who are there like this.
        taken: (n,), who are there otherwise, and are refused.
        erased: (n,), who are passed over.
    """

    ids: IntArray
    values: FloatArray
    places: IntArray
    new: BoolArray
    changed: BoolArray
    same: BoolArray
    taken: BoolArray
    erased: BoolArray

    def pass_over(self, erased: Collection[int] | IntArray) -> None:
        """Let those of these ids who are not there stay away, as they were erased."""
        self.erased = self.new & np.isin(self.ids, np.asarray(erased, dtype=np.int64))
        self.new = self.new & ~self.erased

    @property
    def done(self) -> Done:
        """How many of each there are."""
        refusals = dict.fromkeys(np.flatnonzero(self.taken).tolist(), TAKEN)
        rows = self.new, self.changed, self.same, self.erased
        added, changed, unchanged, erased = (int(chosen.sum()) for chosen in rows)
        return Done(added, changed, unchanged, erased, refusals)


def merge(
    stored: tuple[IntArray, FloatArray],
    ids: IntArray,
    values: FloatArray,
    keeps: BoolArray,
    mode: Mode,
) -> Merged:
    """Return what becomes of rows, ids (n,) and attributes (n, d).

    Args:
        stored: who is there: ids (m,), rising, and attributes (m, d).
        ids: of the rows.
        values: of the rows.
        keeps: (n, d), the attributes that who is there keeps.
        mode: what to do with who is there.
    """
    places, known = find_places(stored[0], ids)
    if keeps.any():
        values = values.copy()
        values[known] = np.where(keeps[known], stored[1][places[known]], values[known])
    same = known.copy()
    same[known] = _are_same(stored[1][places[known]], values[known])
    differs = known & ~same
    nobody = np.zeros(len(ids), dtype=bool)
    refuses = mode is Mode.INSERT
    changed, taken = (nobody, differs) if refuses else (differs, nobody)
    return Merged(ids, values, places, ~known, changed, same, taken, nobody)


def _are_same(left: FloatArray, right: FloatArray) -> BoolArray:
    """Return which rows, (n, d), are the same, (n,); what is missing in both is so too."""
    same: BoolArray = ((left == right) | (np.isnan(left) & np.isnan(right))).all(axis=1)
    return same


def find_places(stored: IntArray, ids: IntArray) -> tuple[IntArray, BoolArray]:
    """Return the place of each id, (n,), among sorted ones, and whether it is there."""
    if len(stored) == 0:
        return np.zeros(len(ids), dtype=np.int64), np.zeros(len(ids), dtype=bool)
    places = np.minimum(np.searchsorted(stored, ids), len(stored) - 1)
    return places, stored[places] == ids
