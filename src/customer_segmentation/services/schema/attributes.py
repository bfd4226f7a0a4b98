"""Attributes of a schema, made from what columns are taken for and what they hold."""

import datetime as dt
import math
import re
from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from customer_segmentation.domain.arrays import FloatArray
from customer_segmentation.domain.attributes import (
    OTHER,
    Attribute,
    Id,
    IdType,
    Kind,
    Missing,
    Transform,
    Unknown,
    Value,
)
from customer_segmentation.files.map.mapping import Entry
from customer_segmentation.files.map.number_texts import unit_beside
from customer_segmentation.files.map.texts import truths_as_numbers
from customer_segmentation.files.map.values import read_quantities
from customer_segmentation.files.schema_file import (
    RESERVED_NAMES,
    RESERVED_RECORD_NAMES,
    UNRECORDED,
)
from customer_segmentation.services.schema import words
from customer_segmentation.services.schema.counting import ColumnCount
from customer_segmentation.services.schema.ladders import in_order
from customer_segmentation.services.schema.naming import (
    find_range,
    find_unit,
    make_name,
    make_title,
)
from customer_segmentation.services.schema.proposals import (
    MAX_CATEGORIES,
    Proposal,
    Use,
    is_category,
)
from customer_segmentation.services.schema.shapes import choose_transform, find_unscored

_ROOM = 10
_LARGEST = 2**53 - 1
_AGE_BANDS = ((0, 17), (18, 24), (25, 34), (35, 44), (45, 54), (55, 64), (65, 130))
_OLDEST = 130
_YEARS = (1850, 2150)
_EPOCH = dt.date(1970, 1, 1)
_SHARES = frozenset({"ratio", "rate", "share", "frequency", "pct", "percent", "prc", "percentage"})


@dataclass(frozen=True, eq=False, slots=True)
class Made:
    """An attribute as it was made.

    Attributes:
        attribute: as the schema declares it.
        source: how its texts are read.
        reasons: why it is so, for people.
        sampled: (n,), values of some rows in users' units; NaN where they are missing. Empty for
            texts.
    """

    attribute: Attribute
    source: Entry
    reasons: tuple[str, ...]
    sampled: FloatArray


def make_attribute(
    proposal: Proposal,
    counted: ColumnCount,
    texts: pa.Array,
    taken: tuple[Collection[str], Collection[str]],
    now: dt.date,
) -> Made:
    """Return the attribute of a column.

    Args:
        proposal: what the column is taken for.
        counted: what it holds.
        texts: of some rows.
        taken: names and record names that are not free.
        now: the day up to which ages are counted.
    """
    header = proposal.header
    source = replace(proposal.source, column=header)
    told, description = header, ""
    if source.date:
        # What a column does not hold as it stands has a name of its own.
        told, source, description = _counted(source, counted, header, now)
    name = make_name(told, proposal.place + 1, taken[0])
    plain = Attribute(
        name=name,
        record_name=record_name_of(told, name, taken[1]),
        title=make_title(told) or name.replace("_", " "),
        description=description,
        kind=proposal.kind or Kind.AMOUNT,
        example=0,
        missing=Missing.ALLOWED if counted.missing else Missing.REFUSED,
        used=proposal.use is Use.USED,
    )
    reasons = [proposal.reason]
    if counted.missing:
        spelled = [text for text in source.missing or () if text]
        told = f", written {', '.join(spelled)}" if spelled else ""
        reasons.append(f"{counted.missing:,} missing ({counted.share_missing:.1%}){told}")
    sampled: FloatArray = np.empty(0)
    if proposal.is_text:
        attribute = _of_texts(plain, counted, reasons)
    else:
        sampled = _sample(source, texts)
        attribute = _of_numbers(plain, source, counted, header, sampled, reasons)
    keys = [text.casefold() for text in attribute.categories]
    if protected := words.protected_as(header, keys):
        attribute = replace(attribute, protected=True, changeable=False)
        reasons.append(f"protected: tells {protected}")
    return Made(attribute, source, tuple(reasons), sampled)


def record_name_of(header: str, name: str, taken: Collection[str] = ()) -> str:
    """Return a header as a record name, without what no text of a schema may have."""
    kept = (letter for letter in header if letter.isprintable() and letter not in UNRECORDED)
    plain = "".join(kept)[:200].strip()
    return plain if plain and plain not in taken else name


def _sample(source: Entry, texts: pa.Array) -> FloatArray:
    texts = texts.fill_null("")
    missing = np.isin(np.array(texts.to_pylist(), object), [*(source.missing or ()), ""])
    values = read_quantities(truths_as_numbers(texts), source)
    values[missing] = np.nan
    return values


def _of_texts(plain: Attribute, counted: ColumnCount, reasons: list[str]) -> Attribute:
    totals = {key: found.total() for key, found in counted.spellings.items()}
    spelled = {
        key: max(sorted(filter(is_category, found)), key=found.__getitem__, default="")
        for key, found in counted.spellings.items()
    }
    keys = sorted(filter(spelled.get, totals), key=lambda key: (-totals[key], key))
    unknown = Unknown.REFUSED
    if len(keys) > MAX_CATEGORIES:
        frequent = [key for key in keys if totals[key] >= 0.01 * sum(totals.values())]
        # One that the table calls so is among those that count as another one.
        frequent = [key for key in frequent if key != OTHER]
        keys, unknown = frequent[:MAX_CATEGORIES], Unknown.OTHER
        reasons.append("rarer ones count as another one")
    categories = [spelled[key] for key in keys]
    if plain.kind is Kind.BINARY:
        categories = _no_before_yes(categories)
    elif plain.kind is Kind.ORDINAL:
        categories = list(in_order(categories) or sorted(categories))
        reasons.append(f"in the order {', '.join(categories)}")
    elif unknown is Unknown.REFUSED:
        categories.sort(key=str.casefold)
    variants = sum(len(found) > 1 for found in counted.spellings.values())
    if variants:
        reasons.append("spellings that differ in case or blanks are one")
    steps = max(len(categories) - 1, 1)
    return replace(
        plain,
        categories=tuple(categories),
        unknown=unknown,
        example=spelled[max(keys, key=totals.__getitem__)],
        weight=round(1 / steps, 3) if plain.kind is Kind.ORDINAL else plain.weight,
    )


_YES = frozenset({"yes", "y", "true", "t", "1", "on", "ja", "oui", "si", "sí", "sim", "active"})


def _no_before_yes(categories: list[str]) -> list[str]:
    return sorted(categories, key=lambda text: (text.casefold() in _YES, text.casefold()))


def _of_numbers(
    plain: Attribute,
    source: Entry,
    counted: ColumnCount,
    header: str,
    sampled: FloatArray,
    reasons: list[str],
) -> Attribute:
    known = sampled[~np.isnan(sampled)]
    kind = plain.kind
    if kind is Kind.COUNT and not counted.is_whole:
        kind = Kind.AMOUNT
    unit = _find_unit(source, counted, header)
    if kind is Kind.BINARY:
        is_gender = words.protected_as(header, ()) == "gender"
        labels = {0: "0", 1: "1"} if is_gender else {0: "No", 1: "Yes"}
        typical = _find_typical(known, kind)
        return replace(plain, kind=kind, minimum=0, maximum=1, codes=labels, example=typical)
    if kind is Kind.NOMINAL:
        codes = {int(value): f"{value:g}" for value in sorted(counted.numbers)}
        values, frequent = np.unique(known, return_counts=True)
        return replace(
            plain,
            kind=kind,
            codes=codes,
            minimum=min(codes),
            maximum=max(codes),
            example=int(values[frequent.argmax()]),
        )
    minimum, maximum = _find_bounds(kind, source, counted, header)
    if not source.date and counted.least < counted.most:
        reasons[0] += f" from {counted.least:,.10g} to {counted.most:,.10g}"
    if source.style.decimal != ".":
        reasons.append(f"written with {source.style.decimal} before the fraction")
    if source.sign:
        reasons.append(f"beside the numbers stands {source.sign}")
    if counted.below_zero and not source.date:
        reasons.append(f"{counted.below_zero:,} below zero")
    if counted.unreadable:
        reasons.append(f"{counted.unreadable:,} values are no numbers, and such rows are refused")
    unscored = None if source.date else find_unscored(known)
    if unscored is not None:
        share = (known == unscored).mean()
        known = known[known != unscored]
        minimum = unscored if unscored < 0 else minimum
        reasons.append(f"{unscored} ({share:.0%}) says that nothing was measured")
    transform = Transform.LINEAR
    bands: tuple[tuple[int, int], ...] = ()
    if kind in {Kind.COUNT, Kind.AMOUNT} and len(np.unique(known)) > 2:
        transform, why = choose_transform(known)
        reasons += [why] * bool(why)
    if unit == "years" and (words.is_age(header) or words.is_birth(header)):
        minimum, maximum, bands = 0, _OLDEST, _AGE_BANDS
    is_age = bool(bands)
    example = _find_typical(known, kind)
    attribute = replace(
        plain,
        kind=kind,
        unit=unit,
        minimum=minimum,
        maximum=maximum,
        transform=transform,
        unscored=unscored,
        bands=bands,
        changeable=not is_age,
        example=example,
    )
    if counted.most > _LARGEST or not is_accepted(attribute, example):
        attribute = replace(attribute, minimum=None, maximum=None)
    return attribute


def _find_typical(known: FloatArray, kind: Kind) -> Value:
    """Return the median, of four figures where it need not be whole."""
    middle = float(np.median(known)) if len(known) else 0.0
    if kind is not Kind.AMOUNT:
        return int(middle)
    rounded = float(f"{middle:.4g}")
    return int(rounded) if rounded.is_integer() else rounded


def _counted(
    source: Entry, counted: ColumnCount, header: str, now: dt.date
) -> tuple[str, Entry, str]:
    """Return what counting dates is called, how they are counted, and what that says.

    Days are counted up to the last date of the column, ages up to now.
    """
    last = last_day(counted) or now
    if words.is_birth(header):
        now = max(now, last)
        return "age", replace(source, before=now, years=True), f"Whole years up to {now}"
    told = f"days since {header}"
    return told, replace(source, before=last), f"Days up to {last}"


def last_day(counted: ColumnCount) -> dt.date | None:
    """Return the last date of a column; None where there is none, or none that a date may be."""
    try:
        return _EPOCH - dt.timedelta(days=round(counted.least))
    except (OverflowError, ValueError):
        return None


def _find_unit(source: Entry, counted: ColumnCount, header: str) -> str:
    if source.date and source.before:
        return "years" if source.years else "days"
    if words.is_age(header) and counted.least >= 0 and counted.most <= _OLDEST:
        return "years"
    return unit_beside(source.sign) or ("" if words.is_age(header) else find_unit(header))


def _find_bounds(
    kind: Kind, source: Entry, counted: ColumnCount, header: str
) -> tuple[int | None, int | None]:
    least, most = counted.least, counted.most
    if source.date or not math.isfinite(least):
        return None, None
    if kind is Kind.ORDINAL:
        told = find_range(header)
        if told and told[0] <= least and most <= told[1]:
            return told
        return math.floor(min(least, 0) if most > 10 else least), _rounded_up(most, 1)
    named = words.words_in(header)
    if (
        counted.is_whole
        and least >= _YEARS[0]
        and most <= _YEARS[1]
        and (words.is_birth(header) or "year" in named)
    ):
        return _YEARS
    if named & {"day"} and counted.is_whole and least >= 1 and most <= 31:
        return 1, 31
    if least >= 0 and most <= 1 and (not counted.is_whole or named & _SHARES):
        return 0, 1
    low = 0 if least >= 0 else -min(_rounded_up(-least, _ROOM), _LARGEST)
    return low, min(_rounded_up(most, _ROOM), _LARGEST)


def _rounded_up(number: float, room: int) -> int:
    """Return a round number, 1, 2 or 5 with zeros, that is not below another times its room."""
    wanted = number * room
    if room == 1 and wanted <= 10:
        return math.ceil(wanted)
    if wanted <= 1:
        return 1
    power = 10 ** math.floor(math.log10(wanted))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= wanted)


def make_id(
    header: str | None, place: int, counted: ColumnCount | None, rows: int
) -> tuple[Id, Entry | None]:
    """Return the id that a schema declares; that of numbered rows where no column is one."""
    if header is None or counted is None:
        numbered = Id(
            name="row_number",
            record_name="row number",
            title="row number",
            description="The number of the row, from 1",
            type=IdType.INTEGER,
            example=rows + 1,
        )
        return numbered, None
    name = make_name(header, place + 1, RESERVED_NAMES) if words.words_in(header) else "customer_id"
    if name in {"id", "id_2"}:
        name = "customer_id"
    record_name = record_name_of(header, name, RESERVED_RECORD_NAMES)
    source = Entry(header)
    title = make_title(header) or "customer id"
    if counted.are_integers:
        example: Value = min(int(counted.most) + 1, _LARGEST)
        kind = IdType.INTEGER
    else:
        # Of nobody, but in the form of all.
        shape = "".join(letter for letter in counted.example if letter.isprintable())[:100]
        example = re.sub(r"\d", "9", re.sub(r"[^\W\d_]", "X", shape)).strip()
        if not example.strip("9"):
            example = f"X{example}"  # There may be a 999 among numbers.
        kind = IdType.TEXT
    told = "What tells customers apart"
    id_ = Id(
        name=name,
        record_name=record_name,
        title=title,
        description=told,
        type=kind,
        example=example,
    )
    return id_, source


def is_accepted(attribute: Attribute, value: Value) -> bool:
    """Tell whether a customer may have this value."""
    try:
        attribute.accept(value)
    except ValueError:
        return False
    return True
