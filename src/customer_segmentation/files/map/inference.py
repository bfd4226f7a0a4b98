"""Guessing what a foreign table's columns mean, for a person to confirm."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from fractions import Fraction

import numpy as np
import pyarrow as pa

from customer_segmentation.domain.arrays import FloatArray
from customer_segmentation.domain.attributes import Attribute, Column, Id, Kind
from customer_segmentation.domain.numbers import Number
from customer_segmentation.domain.schema import Schema
from customer_segmentation.files.blocks import text_of
from customer_segmentation.files.columns import column_of, plain_array, python_values
from customer_segmentation.files.map import synonyms
from customer_segmentation.files.map.mapping import ColumnMapping, Entry, code_key
from customer_segmentation.files.map.number_texts import PLAIN, UNSURE, NumberStyle
from customer_segmentation.files.map.values import read_column

_SAMPLE_ROWS = 1000
_MAX_CODES = 20
_ENOUGH = 0.5
"""The share of a sample that a column must read as an attribute to be taken for it."""

_STYLES = (PLAIN, NumberStyle(",", "."), NumberStyle(".", ","), NumberStyle(",", " "))


class Confidence(StrEnum):
    """How sure a guess is."""

    CERTAIN = "certain"
    GUESSED = "guessed"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Guess:
    """What an attribute is taken from.

    Attributes:
        confidence: certain where a column bears the attribute's own name and holds its values.
        entry: None where no column was found.
        remarks: why, and what to look at, for people.
    """

    confidence: Confidence
    entry: Entry | None
    remarks: tuple[str, ...] = ()

    @property
    def is_complete(self) -> bool:
        """Whether nothing is left for a person to say."""
        return self.entry is not None and self.entry.style != UNSURE


def infer(schema: Schema, columns: Sequence[str], sample: pa.Table) -> dict[str, Guess]:
    """Return a guess for the id and each attribute, by name.

    Args:
        schema: of the customers.
        columns: the table's columns.
        sample: some rows under these columns, as `Source.sample` gives.
    """
    values = {
        name: pa.chunked_array([plain_array(sample.column(place))])
        for place, name in enumerate(sample.column_names)
        if sample.column_names.count(name) == 1
    }
    style, is_sure = _style_of(values)
    guesses: dict[str, Guess] = {}
    taken: set[str] = set()
    for _, feature, column in sorted(_candidates(schema, columns), key=lambda found: -found[0]):
        if feature.name in guesses or column in taken:
            continue
        guess = _guess(feature, column, values.get(column), style, is_sure=is_sure)
        if guess is not None:
            guesses[feature.name] = guess
            taken.add(column)
    missing = Guess(Confidence.MISSING, None, ("no column looks like it",))
    return {column.name: guesses.get(column.name, missing) for column in schema.columns}


def mapping_of(guesses: Mapping[str, Guess]) -> ColumnMapping:
    """Return the mapping that guesses make, without the attributes that no column was found for."""
    return ColumnMapping(
        {name: guess.entry for name, guess in guesses.items() if guess.entry is not None}
    )


def words_of(name: str) -> tuple[str, ...]:
    """Split a column's name into words.

    >>> words_of("Total_Trans_Ct"), words_of("estimatedSalary"), words_of("income/month")
    (('total', 'trans', 'ct'), ('estimated', 'salary'), ('income', 'month'))
    """
    parted = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", name)
    return tuple(word.casefold() for word in re.split(r"[\W_]+", parted) if word)


def _candidates(schema: Schema, columns: Sequence[str]) -> Iterator[tuple[float, Column, str]]:
    """Yield how well a column's name fits an attribute: 2 for its own name, 1 for a synonym."""
    for feature in schema.columns:
        own = (words_of(feature.record_name), words_of(feature.name))
        others = [words_of(name) for name in synonyms.COLUMN_NAMES.get(feature.name, ())]
        for column in columns:
            words = words_of(column)
            if words in own:
                yield 2.0, feature, column
                continue
            # Words of a period or a unit say how much, not what.
            told = tuple(word for word in words if word not in _UNITS)
            shares = [len(name) / len(told) for name in others if set(name) <= set(told)]
            if shares and max(shares) >= _ENOUGH:
                yield max(shares), feature, column


_UNITS = (synonyms.YEARLY - {"salary"}) | synonyms.MONTHLY | synonyms.CENTS | synonyms.THOUSANDS


def _guess(
    feature: Column,
    column: str,
    values: pa.ChunkedArray | None,
    style: NumberStyle,
    *,
    is_sure: bool,
) -> Guess | None:
    """Return a guess; None where the column's values speak against it."""
    factor, remarks = _factor(feature, column)
    entry = Entry(column, factor)
    is_own = words_of(column) in (words_of(feature.record_name), words_of(feature.name))
    is_styled = False
    if values is not None and len(values):
        codes, uncoded = _codes(feature, _distinct(values))
        values = values.slice(0, _SAMPLE_ROWS)
        if codes:
            entry = replace(entry, codes=codes)
        elif not feature.is_integer or not _all_accepted(feature, values):
            entry, is_styled = replace(entry, style=style), True
        remarks += ["the codes are guessed from the values"] * bool(codes)
        remarks += [f"no code yet for: {', '.join(sorted(uncoded))}"] * bool(uncoded)
        if not codes and not is_own and set(feature.codes.values()) - {"False", "True"}:
            remarks.append("its numbers are taken for those above, which they may not be")
        if entry.style != PLAIN and is_sure:
            remarks.append(f"numbers are written with {entry.style.decimal} before the fraction")
        filled = [text for text in map(text_of, values.to_pylist()) if text.strip()]
        if filled and _accepted(feature, entry, values) < _ENOUGH * len(filled):
            return None
        if len(filled) < len(values):
            remarks.append("some values are empty; without a default such rows are rejected")
        if isinstance(feature, Id) and len(set(filled)) < len(filled):
            if not is_own:
                return None
            remarks.append("some ids come again; only the first row of each is taken")
        if is_styled and not is_sure:
            entry = replace(entry, style=UNSURE)
            remarks.append("numbers can be read in two ways: say which")
    if is_own and entry == Entry(column):
        return Guess(Confidence.CERTAIN, entry, tuple(remarks))
    return Guess(Confidence.GUESSED, entry, tuple(remarks or ["by the column's name"]))


def _factor(feature: Column, column: str) -> tuple[Fraction, list[str]]:
    words = set(words_of(column))
    factor, remarks = Fraction(1), []
    if not feature.is_integer and words & synonyms.CENTS:
        factor, remarks = Fraction(1, 100), ["cents to whole units of currency"]
    if not feature.is_integer and words & synonyms.THOUSANDS:
        factor, remarks = Fraction(1000), ["thousands to units of currency"]
    is_yearly = words & synonyms.YEARLY and not words & synonyms.MONTHLY
    if "month" in words_of(feature.unit) and is_yearly:
        factor, remarks = factor / 12, [*remarks, "yearly to monthly"]
    return factor, remarks


def _codes(feature: Column, values: pa.Array) -> tuple[dict[str, Number], set[str]]:
    """Return what a coded attribute's values stand for, and those that nobody knows.

    Args:
        feature: any attribute.
        values: each value that there is, once.
    """
    if not feature.codes or len(values) > _MAX_CODES:
        return {}, set()
    if _all_accepted(feature, pa.chunked_array([values])):
        return {}, set()
    texts = {text_of(value).strip() for value in values.to_pylist()} - {""}
    if feature.name == "gender" and "2" in texts:
        known = synonyms.ISO_5218
    else:
        own = {code_key(text): number for number, text in feature.codes.items()}
        known = own | dict(synonyms.VALUES.get(feature.name, synonyms.YES_NO))
    found = {text: known.get(" ".join(words_of(text.casefold()))) for text in texts}
    codes: dict[str, Number] = {
        code_key(text): number for text, number in sorted(found.items()) if number is not None
    }
    uncoded = {text for text, number in found.items() if number is None}
    return (codes, uncoded) if codes else ({}, set())


def _distinct(values: pa.ChunkedArray) -> pa.Array:
    if pa.types.is_union(values.type):
        return column_of(list(dict.fromkeys(values.to_pylist())))
    return values.unique()


def _all_accepted(feature: Column, values: pa.ChunkedArray) -> bool:
    return _accepted(feature, Entry("", default=feature.minimum), values) == len(values)


def _accepted(feature: Column, entry: Entry, values: pa.ChunkedArray) -> int:
    return len(values) - len(read_column(feature, entry, values)[1])


def _style_of(values: Mapping[str, pa.ChunkedArray]) -> tuple[NumberStyle, bool]:
    """Return the style in which most texts of a sample are numbers, the plain one if as many.

    Second, whether it is sure: whether no other style in which as many are reads another number.
    """
    texts = [
        column.slice(0, _SAMPLE_ROWS)
        for column in values.values()
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
    ]

    def numbers(style: NumberStyle) -> FloatArray:
        entry = Entry("", style=style)
        found = [np.empty(0)]
        for column in texts:
            read, refused = read_column(_ANY_NUMBER, entry, column)
            read[list(refused)] = np.nan
            found.append(read)
        return np.concatenate(found)

    found = {style: numbers(style) for style in _STYLES}
    best = max(_STYLES, key=lambda style: np.isfinite(found[style]).sum())
    most = np.isfinite(found[best]).sum()
    rivals = [numbers for numbers in found.values() if np.isfinite(numbers).sum() == most]
    return best, all(np.array_equal(found[best], rival, equal_nan=True) for rival in rivals)


def doubts_about(columns: Sequence[str], sample: pa.Table) -> list[str]:
    """Return what speaks against a file being one table with one header, for people."""
    doubts = []
    if len(columns) == 1:
        doubts.append("There is one column only: what stands between fields may be another sign")
    if sample.num_rows > 2 and len(columns) > 1:
        heads = sum(_begins_with_a_word(sample.column(place)) for place in range(len(columns)))
        if heads > len(columns) / 2:
            doubts.append("The first row looks like a second header: remove one of the two")
    return doubts


def _begins_with_a_word(column: pa.ChunkedArray) -> bool:
    """Tell whether the first value is no number and stands there only, and most others are."""
    texts = [text_of(value) for value in python_values(column.slice(0, _SAMPLE_ROWS))]
    is_number = [any(map(str.isdigit, text)) and not any(map(str.isalpha, text)) for text in texts]
    is_word = bool(texts[0].strip()) and not is_number[0] and texts[0] not in texts[1:]
    return is_word and sum(is_number) > len(texts) / 2


_ANY_NUMBER = Attribute("number", "number", "number", "Any number", 0, Kind.AMOUNT)
