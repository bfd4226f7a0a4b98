"""The second pass over a table: exact shares, ranges and categories of its columns."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from customer_segmentation.domain.arrays import FloatArray
from customer_segmentation.files.map.mapping import code_key
from customer_segmentation.files.map.texts import find_missing, truths_as_numbers
from customer_segmentation.files.map.values import read_quantities
from customer_segmentation.services.schema.looking import Opening, columns_of, each
from customer_segmentation.services.schema.proposals import Proposal, Use

_MAX_CATEGORIES = 5_000
_MAX_NUMBERS = 100
_INTEGER = r"^[1-9]\d{0,14}$"


@dataclass(eq=False, slots=True)
class ColumnCount:
    """What a column holds, over all rows.

    Attributes:
        rows: how many there are.
        missing: how many lack it.
        unreadable: how many have something that is no number or date, where such are expected.
        least: the smallest number, or day count.
        most: the largest.
        below_zero: how many numbers are.
        is_whole: whether all numbers are.
        are_integers: whether all texts are integers of at least 1, as ids may be.
        longest: how many characters the longest text has.
        example: a text of it.
        numbers: the distinct numbers, while they are few.
        spellings: of each category, by its key, how often each spelling comes.
    """

    rows: int = 0
    missing: int = 0
    unreadable: int = 0
    least: float = np.inf
    most: float = -np.inf
    below_zero: int = 0
    is_whole: bool = True
    are_integers: bool = True
    longest: int = 0
    example: str = ""
    numbers: set[float] = field(default_factory=set)
    spellings: dict[str, Counter[str]] = field(default_factory=dict)

    @property
    def share_missing(self) -> float:
        """The share of rows that lack it."""
        return self.missing / max(self.rows, 1)

    def add_texts(self, texts: pa.Array) -> None:
        """Count categories."""
        for found in texts.value_counts().to_pylist():
            key = code_key(found["values"])
            if key in self.spellings or len(self.spellings) < _MAX_CATEGORIES:
                self.spellings.setdefault(key, Counter())[found["values"]] += found["counts"]

    def add_ids(self, texts: pa.Array) -> None:
        """Look at ids."""
        if not len(texts):
            return
        integers = pc.all(pc.match_substring_regex(texts, _INTEGER)).as_py()
        self.are_integers &= bool(integers)
        self.longest = max(self.longest, pc.max(pc.utf8_length(texts)).as_py())
        self.example = max(self.example, pc.max(texts).as_py())
        if integers:
            self.most = max(self.most, pc.max(texts.cast(pa.int64())).as_py())

    def add_numbers(self, numbers: FloatArray) -> None:
        """Count numbers, NaN being none."""
        known = numbers[~np.isnan(numbers)]
        self.unreadable += len(numbers) - len(known)
        if len(known):
            self.least = min(self.least, float(known.min()))
            self.most = max(self.most, float(known.max()))
            self.below_zero += int((known < 0).sum())
            self.is_whole &= bool((known == np.floor(known)).all())
            if len(self.numbers) <= _MAX_NUMBERS:
                self.numbers |= set(np.unique(known)[: _MAX_NUMBERS + 1].tolist())


def count(
    openings: Sequence[Opening],
    names: tuple[str, ...],
    proposals: Sequence[Proposal],
    id_place: int | None,
) -> list[ColumnCount]:
    """Return what each column holds, in the order of their names."""
    counts = [ColumnCount() for _ in names]
    for source in each(openings):
        for block in source.blocks():
            columns = columns_of(block, source.columns, names)
            for place, (proposal, texts) in enumerate(zip(proposals, columns, strict=True)):
                _add(counts[place], proposal, texts, place == id_place)
    return counts


def _add(found: ColumnCount, proposal: Proposal, texts: pa.Array, is_id: bool) -> None:
    missing = find_missing(texts, {"", *(proposal.source.missing or ())})
    found.rows += len(texts)
    found.missing += int(missing.sum())
    known = texts.filter(pa.array(~missing)) if missing.any() else texts
    if is_id:
        found.add_ids(known)
    elif proposal.use in {Use.USED, Use.UNUSED}:
        if proposal.is_text:
            found.add_texts(known)
        else:
            found.add_numbers(read_quantities(truths_as_numbers(known), proposal.source))
