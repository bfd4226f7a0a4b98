"""Telling by a column's texts whether they are numbers or dates, and in which form."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from customer_segmentation.domain.arrays import FloatArray
from customer_segmentation.files.map.date_texts import FORMATS, read_days
from customer_segmentation.files.map.mapping import Entry
from customer_segmentation.files.map.number_texts import STYLES, read_numbers, sign_beside
from customer_segmentation.services.schema.words import is_birth, words_in

_NEARLY_ALL = 0.98
_MOST = 0.8
_FEW_OTHERS = 3
_TRIED = 2_000
_SHORT = 20
_EXACT = 2**53
_SHORT_DATE = "%y%m%d"


@dataclass(frozen=True, eq=False, slots=True)
class Quantity:
    """How texts are read as numbers or dates.

    Attributes:
        source: the likeliest way.
        values: (n,), NaN for texts that are none.
        shown: one of the texts.
        rivals: other ways to read just as many, with another result.
        others: texts that are none and come again, so that they stand for something missing.
    """

    source: Entry
    values: FloatArray
    shown: str
    rivals: tuple[Entry, ...] = ()
    others: frozenset[str] = frozenset()


def as_number(texts: pa.Array) -> Quantity | None:
    """Return how texts are read as numbers; None where most are none, or are codes such as 007."""
    distinct = texts.unique()
    if not len(distinct) or _has_leading_zeros(distinct):
        return None
    sign = ""
    tried = distinct.slice(0, _TRIED)
    if np.isnan(read_numbers(tried, STYLES[0])).any():
        sign = sign_beside(tried.to_pylist())
    found = {style: read_numbers(tried, style, sign) for style in STYLES}
    counts = {style: int(np.isfinite(values).sum()) for style, values in found.items()}
    best = max(STYLES, key=lambda style: counts[style])
    values = read_numbers(texts, best, sign)
    if np.isfinite(values).any() and np.nanmax(np.abs(values)) >= _EXACT:
        return None  # Those are keys, which a number would not keep.
    others: frozenset[str] = frozenset()
    share = float(np.isfinite(values).mean())
    if share < 1:
        others = frozenset(texts.filter(pa.array(np.isnan(values))).unique().to_pylist())
        if share < _MOST or (share < _NEARLY_ALL and len(others) > _FEW_OTHERS):
            return None
        if len(others) > _FEW_OTHERS or max(map(len, others)) > _SHORT:
            others = frozenset()  # Typing errors, each another one: such rows are to be looked at.
    rivals: list[Entry] = []
    if best != STYLES[0]:
        known = [found[best]]
        for style in STYLES:
            if counts[style] == counts[best] and not any(
                np.array_equal(found[style], other, equal_nan=True) for other in known
            ):
                known.append(found[style])
                rivals.append(Entry(None, style=style, sign=sign))
    shown = tried[int(np.flatnonzero(np.isfinite(found[best]))[0])].as_py()
    return Quantity(Entry(None, style=best, sign=sign), values, shown, tuple(rivals), others)


def _has_leading_zeros(texts: pa.Array) -> bool:
    return bool(pc.any(pc.match_substring_regex(texts, r"^0\d+$")).as_py())


def as_date(texts: pa.Array, header: str) -> Quantity | None:
    """Return how texts are read as dates; None where some are none.

    Args:
        texts: without those that are missing.
        header: of the column, without which 930101 is a number.
    """
    distinct = texts.unique().slice(0, _TRIED)
    if not len(distinct):
        return None
    if is_birth(header):
        years = read_days(distinct, "%Y")
        if np.isfinite(years).all():
            return Quantity(Entry(None, date="%Y"), read_days(texts, "%Y"), distinct[0].as_py())
    is_named = bool(words_in(header) & {"date", "day", "dt", "datum"}) or is_birth(header)
    forms = [form for form in FORMATS if form != _SHORT_DATE or is_named]
    found: dict[str, FloatArray] = {}
    for form in forms:
        days = read_days(distinct, form)
        if np.isfinite(days).mean() >= _NEARLY_ALL:
            found[form] = days
    if not found:
        return None
    best = max(found, key=lambda form: np.isfinite(found[form]).sum())
    if best == "%Y%m%d" and not is_named and len(distinct) < 3:
        return None
    rivals = [
        Entry(None, date=form)
        for form, days in found.items()
        if not np.array_equal(days, found[best], equal_nan=True)
        and np.isfinite(days).sum() == np.isfinite(found[best]).sum()
    ]
    shown = distinct[0].as_py()
    return Quantity(Entry(None, date=best), read_days(texts, best), shown, tuple(rivals))
