"""What each column is taken for after a first look, and what a person may say instead."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
import pyarrow as pa

from customer_segmentation.domain.arrays import FloatArray
from customer_segmentation.domain.attributes import Kind
from customer_segmentation.files.map.mapping import Entry, code_key
from customer_segmentation.files.map.texts import find_missing
from customer_segmentation.services.schema import words
from customer_segmentation.services.schema.ladders import in_order
from customer_segmentation.services.schema.looking import LONGEST_TEXT, ColumnLook, TableLook
from customer_segmentation.services.schema.missing import missing_words
from customer_segmentation.services.schema.quantities import Quantity, as_date, as_number

NEARLY_ALWAYS = 0.95
MAX_CATEGORIES = 50
_MAX_CODES = 20
_FEW = 10
_UNIQUE = 0.9
_COVERED = 0.8
_LONG_TEXT = 5
_TRUTHS = {"true", "false"}


class Use(StrEnum):
    """What becomes of a column."""

    ID = "id"
    USED = "used"
    UNUSED = "kept, not used"
    LEFT_OUT = "left out"


@dataclass(frozen=True, slots=True)
class Choice:
    """One answer to a question.

    Attributes:
        word: the answer.
        use: what becomes of the column.
        kind: of the attribute.
        source: how it is read.
        is_text: whether the column then holds categories in words.
    """

    word: str
    use: Use
    kind: Kind | None
    source: Entry
    is_text: bool = False


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a column is taken for.

    Attributes:
        place: of the column, from 0.
        header: of the column.
        use: what becomes of it.
        kind: of the attribute; None where it becomes none.
        source: how its texts are read.
        reason: why, for people.
        question: what a person may know better; empty where nothing is in doubt.
        choices: the answers, the guess first.
        is_text: whether it holds categories in words, and not numbers or dates.
        options: what a person may take the column for instead, also where nothing is in doubt.
    """

    place: int
    header: str
    use: Use
    kind: Kind | None
    source: Entry
    reason: str
    question: str = ""
    choices: tuple[Choice, ...] = ()
    is_text: bool = False
    options: tuple[Choice, ...] = ()

    @property
    def chosen(self) -> str:
        """The word of the option that it is taken for; empty where it is none of them."""
        taken = (self.kind, self.source)
        return next((one.word for one in self.options if (one.kind, one.source) == taken), "")

    def take(self, option: Choice) -> "Proposal":
        """Return the proposal where a person takes the column for an option."""
        use = self.use if self.use is Use.UNUSED else option.use
        reason = f"as was chosen: {option.word}"
        return replace(
            self,
            use=use,
            kind=option.kind,
            source=option.source,
            reason=reason,
            is_text=option.is_text,
        )

    def choose(self, choice: Choice) -> "Proposal":
        """Return the proposal after an answer."""
        if choice == self.choices[0]:
            return self
        reason = f"as was answered: {choice.word}"
        return replace(self, use=choice.use, kind=choice.kind, source=choice.source, reason=reason)


def propose(column: ColumnLook, place: int, rows: int) -> Proposal:
    """Return what a column is taken for that is not the id.

    Args:
        column: what was seen of it.
        place: of the column, from 0.
        rows: how many the table has.
    """
    found = _Column(column, place, rows)
    proposal = found.propose()
    proposal = replace(proposal, options=found.options(proposal))
    if proposal.use is Use.USED:
        if found.distinct <= _FEW and words.is_outcome(column.name):
            return _unused(proposal, "looks like an outcome, which segments do not depend on")
        if words.is_of_model(column.name):
            return _unused(proposal, "looks like the output of another model")
    return proposal


def _unused(proposal: Proposal, why: str) -> Proposal:
    return replace(
        proposal, use=Use.UNUSED, reason=f"{why}; {proposal.reason}", question="", choices=()
    )


class _Column:
    """A column while it is decided what it is.

    Attributes:
        distinct: how many distinct values there are.
    """

    def __init__(self, column: ColumnLook, place: int, rows: int) -> None:
        self._place = place
        self._header = column.name
        self._rows = rows
        self._words = words.words_in(column.name)
        spellings = missing_words(column.texts)
        missing = find_missing(column.texts, spellings)
        self._texts = column.texts.filter(pa.array(~missing))
        self._missing = float(missing.mean())
        self._spellings = tuple(sorted(spellings))
        self.distinct = max(column.distinct.number - len(spellings), 0)
        self._unique = self.distinct > max(_UNIQUE * (1 - self._missing) * rows, 2)
        self._quantity: Quantity | None = None

    def _made(self, kind: Kind, reason: str, *, is_text: bool = False) -> Proposal:
        source = self._source()
        return Proposal(self._place, self._header, Use.USED, kind, source, reason, is_text=is_text)

    def _source(self, source: Entry | None = None) -> Entry:
        return replace(source or Entry(None), missing=self._spellings)

    def _left(self, reason: str) -> Proposal:
        return Proposal(self._place, self._header, Use.LEFT_OUT, None, self._source(), reason)

    def propose(self) -> Proposal:
        if not self._header and self._place:
            return self._left("it has no header")
        if self._missing > NEARLY_ALWAYS:
            return self._left(f"{self._missing:.1%} of it is missing")
        if self.distinct == 1:
            return self._left("it has the same value everywhere")
        if found := as_date(self._texts, self._header):
            return self._date(found)
        if found := as_number(self._texts):
            self._quantity = found
            self._spellings = tuple(sorted({*self._spellings, *found.others}))
            self._texts = self._texts.filter(pa.array(~np.isnan(found.values)))
            return self._number(found)
        return self._text()

    def options(self, proposal: Proposal) -> tuple[Choice, ...]:
        """Return what a person may take the column for, in the order of kinds."""
        if len({choice.kind for choice in proposal.choices}) == 1:
            return proposal.choices  # Its form is in doubt, not its kind.
        if self._quantity is not None:
            return self._options_of_numbers(self._quantity)
        if not proposal.is_text:
            return ()
        kinds = [Kind.ORDINAL, Kind.NOMINAL]
        if len(_count_categories(self._texts)) == 2:
            kinds.insert(0, Kind.BINARY)
        source = proposal.source
        return tuple(Choice(kind, Use.USED, kind, source, is_text=True) for kind in kinds)

    def _options_of_numbers(self, found: Quantity) -> tuple[Choice, ...]:
        values = found.values[~np.isnan(found.values)]
        if values.min() == values.max():
            return ()
        kinds = [Kind.AMOUNT]
        if (values == np.floor(values)).all():
            kinds = [Kind.ORDINAL, Kind.COUNT, Kind.AMOUNT]
            if self.distinct <= _MAX_CODES:
                kinds.insert(1, Kind.NOMINAL)
            if self.distinct == 2 and (values.min(), values.max()) == (0, 1):
                kinds.insert(0, Kind.BINARY)
        source = self._source(found.source)
        return tuple(Choice(kind, Use.USED, kind, source) for kind in kinds)

    def _date(self, found: Quantity) -> Proposal:
        days = found.values[~np.isnan(found.values)]
        if days.min() == days.max():
            return self._left("it has the same date nearly everywhere")
        source = self._source(found.source)
        told = f"dates such as {found.shown}, from which days are counted up to the last one"
        if words.is_birth(self._header):
            told = f"dates of birth such as {found.shown}, from which the age is counted"
        proposal = self._made(Kind.COUNT, told)
        proposal = replace(proposal, source=source)
        choices = [Choice(found.source.date, Use.USED, proposal.kind, source)]
        choices += [
            Choice(rival.date, Use.USED, proposal.kind, self._source(rival))
            for rival in found.rivals
        ]
        return self._asked(proposal, f"Which form have dates such as {found.shown}?", choices)

    def _asked(self, proposal: Proposal, question: str, choices: Sequence[Choice]) -> Proposal:
        if len(choices) < 2:
            return proposal
        return replace(proposal, question=question, choices=tuple(choices))

    def _number(self, found: Quantity) -> Proposal:
        source = self._source(found.source)
        kinds, reason = self._kinds(found.values[~np.isnan(found.values)])
        if not kinds:
            return self._left(reason)
        proposal = replace(self._made(kinds[0], reason), source=source)
        if found.rivals:
            choices = [
                Choice(self._told(s), Use.USED, kinds[0], self._source(s))
                for s in (found.source, *found.rivals)
            ]
            return self._asked(proposal, f"How are numbers such as {found.shown} written?", choices)
        choices = [Choice(kind, Use.USED, kind, source) for kind in kinds]
        return self._asked(proposal, f"What are its numbers, such as {found.shown}?", choices)

    def _told(self, source: Entry) -> str:
        return "with decimal comma" if source.style.decimal == "," else "with decimal point"

    def _kinds(self, values: FloatArray) -> tuple[list[Kind], str]:
        """Return what numbers may be, the likeliest first, and why; none where left out."""
        named, lowest, highest = self._words, values.min(), values.max()
        whole = bool((values == np.floor(values)).all())
        if lowest == highest:
            return [], "it has the same value nearly everywhere"
        if whole and self.distinct == 2:
            if (lowest, highest) == (0, 1):
                return [Kind.BINARY], "0 or 1"
            return [Kind.NOMINAL], f"one of two numbers, {lowest:g} and {highest:g}"
        if whole and self._unique and self._rows > _FEW and words.id_likeness(self._header):
            return [], "nearly every row has a number of its own, which says nothing of customers"
        if not whole:
            return [Kind.AMOUNT], "numbers"
        few = f"{self.distinct} whole numbers"
        if named & words.LEVELS and lowest >= 0 and highest <= 1000:
            others = [Kind.NOMINAL, Kind.COUNT] if self.distinct <= _FEW else []
            told = named & {"score", "rating", "level", "grade", "nps", "education"}
            return [Kind.ORDINAL, *([] if told else others)], f"a scale: {few}"
        counts_something = named & (words.MONEY | words.COUNTED) - {"number", "no"}
        if "id" in named or (named & words.PLACES and not counts_something):
            if self.distinct > _MAX_CODES:
                return [], f"{self.distinct:,} numbers that name something and measure nothing"
            return [Kind.NOMINAL, Kind.ORDINAL, Kind.COUNT], f"{few}, which name something"
        if named & {"num", "number", "count", "ct", "trx", "no"}:
            return [Kind.COUNT], "whole numbers"
        if (named & words.MONEY and "day" not in named) or highest >= 10_000:
            return [Kind.AMOUNT], "an amount"
        if self.distinct <= _FEW and lowest >= 0 and not named & words.COUNTED:
            return [Kind.COUNT, Kind.ORDINAL, Kind.NOMINAL], few
        return [Kind.COUNT], "whole numbers"

    def _text(self) -> Proposal:
        counts = _count_categories(self._texts)
        number = len(counts)
        if number <= 1:
            return self._left("it has the same value nearly everywhere")
        if not all(map(is_category, self._texts.unique().to_pylist())):
            return self._left("its texts are too long for categories, or have several lines")
        if self._words & words.NAMES and number > _FEW:
            return self._left("it tells who somebody is (name, address, number)")
        if self._unique and number > 2:
            return self._left("nearly every row has a text of its own, such as a name or a key")
        if number == 2:
            if set(counts) == _TRUTHS:
                return self._made(Kind.BINARY, "true or false")
            return self._made(Kind.BINARY, "one of two texts", is_text=True)
        if number <= MAX_CATEGORIES and (number <= _FEW or len(self._texts) >= 5 * number):
            if in_order(list(counts)):
                return self._made(Kind.ORDINAL, f"{number} texts that have an order", is_text=True)
            return self._made(Kind.NOMINAL, f"one of {number} texts", is_text=True)
        most = [n for n in counts.values() if n >= 0.01 * len(self._texts)][:MAX_CATEGORIES]
        if self.distinct > MAX_CATEGORIES and sum(most) >= _COVERED * len(self._texts):
            told = f"{self.distinct:,} texts, of which {len(most)} are frequent"
            return self._made(Kind.NOMINAL, told, is_text=True)
        if np.mean([len(text.split()) for text in self._texts.to_pylist()]) >= _LONG_TEXT:
            return self._left("it is free text")
        return self._left(f"it has {self.distinct:,} different texts, too many to compare")


def is_category(text: str) -> bool:
    """Tell whether a text may be a category of a schema."""
    return len(text) < LONGEST_TEXT and text.isprintable() and bool(text.strip())


def _count_categories(texts: pa.Array) -> dict[str, int]:
    """Return how often each text comes, whatever its case and blanks, the most frequent first."""
    counts: dict[str, int] = {}
    for found in texts.value_counts().to_pylist():
        key = code_key(found["values"])
        counts[key] = counts.get(key, 0) + found["counts"]
    return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))


@dataclass(frozen=True, slots=True)
class IdProposal:
    """Which column tells customers apart.

    Attributes:
        place: of the column, from 0; None where rows are numbered.
        reason: why, for people.
        candidates: places of all columns that may be meant.
        is_doubtful: whether a person should be asked.
        remark: what speaks against the rows being customers; empty where nothing does.
    """

    place: int | None
    reason: str
    candidates: tuple[int, ...] = ()
    is_doubtful: bool = False
    remark: str = ""


_REPEATED = 0.02


def propose_id(table: TableLook) -> IdProposal:
    """Return which column is taken for the id of customers."""
    likeness = {place: words.id_likeness(c.name) for place, c in enumerate(table.columns)}
    able = [place for place in likeness if _tells_apart(table.columns[place], table.rows)]
    named = sorted((p for p in able if likeness[p]), key=lambda p: (-likeness[p], p))
    remark = _find_repeated(table, likeness, able)
    if named:
        best = named[0]
        rivals = [p for p in named[1:] if likeness[p] == likeness[best]]
        repeated = table.columns[best].distinct.repeated
        reason = (
            "every row has a value of its own"
            if not repeated
            else (
                f"it is named like an id, though {repeated:.1%} of its values come more than once"
            )
        )
        return IdProposal(best, reason, tuple(able), bool(rivals), remark)
    if able and able[0] == 0 and not table.columns[0].distinct.repeated and table.rows > 2:
        return IdProposal(
            0, "the first column, and every row has a value of its own", tuple(able), True, remark
        )
    reason = "no column tells customers apart, so rows are numbered; to update customers, add one"
    return IdProposal(None, reason, tuple(able), bool(able), remark)


def _tells_apart(column: ColumnLook, rows: int) -> bool:
    texts = column.texts
    if find_missing(texts, missing_words(texts)).any() or column.distinct.repeated > _REPEATED:
        return False
    values = texts.to_pylist()
    is_short = all(len(text) <= 64 and text.isprintable() and " " not in text for text in values)
    if not is_short or any("@" in text for text in values[:100]):
        return False
    number = as_number(texts)
    has_fraction = number is not None and bool((number.values % 1 != 0).any())
    is_signed = number is not None and bool((number.values < 0).any())
    return not has_fraction and not is_signed and column.distinct.number >= 0.9 * rows


def _find_repeated(table: TableLook, likeness: dict[int, int], able: list[int]) -> str:
    """Tell of a column that names customers, of whom each has several rows."""
    for place, column in enumerate(table.columns):
        if likeness[place] == 3 and place not in able and column.distinct.repeated > 0.2:
            return (
                f"{column.name} comes in several rows for each customer, so these rows are not "
                "customers but what happened to them: add them up by customer first"
            )
    return ""
