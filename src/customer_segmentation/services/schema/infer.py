"""A schema made from a table of customers, with the reason for everything that it says."""

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from customer_segmentation.domain.attributes import Id, Kind
from customer_segmentation.domain.errors import DataFileError
from customer_segmentation.domain.schema import Schema
from customer_segmentation.files.map.entry_file import LONGEST_HEADER
from customer_segmentation.files.map.mapping import Entry
from customer_segmentation.files.map.texts import find_missing
from customer_segmentation.files.map.values import read_entry
from customer_segmentation.files.read.tables import Reading
from customer_segmentation.files.schema_file import (
    MAX_ATTRIBUTES,
    RESERVED_NAMES,
    RESERVED_RECORD_NAMES,
)
from customer_segmentation.files.table_source import TableSource
from customer_segmentation.services.schema import words
from customer_segmentation.services.schema.attributes import Made, last_day, make_attribute, make_id
from customer_segmentation.services.schema.counting import ColumnCount, count
from customer_segmentation.services.schema.looking import Opening, TableLook
from customer_segmentation.services.schema.missing import missing_words
from customer_segmentation.services.schema.proposals import (
    IdProposal,
    Proposal,
    Use,
    propose,
    propose_id,
)
from customer_segmentation.services.schema.records import Records, find_records, make_rfm
from customer_segmentation.services.schema.shapes import find_sums, groups_alike, transformed

_MEASURED = {Kind.COUNT, Kind.AMOUNT}
_MANY_ALIKE = 3
_ANSWERED = "as was answered"


@dataclass(frozen=True, slots=True)
class Guesses:
    """What a table's columns are taken for, before a person is asked.

    Attributes:
        id: which column tells customers apart.
        columns: one for each column; of the id's, it says what it were otherwise.
    """

    id: IdProposal
    columns: tuple[Proposal, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """What became of a column, for people.

    Attributes:
        column: its header.
        use: what becomes of it.
        kind: of the attribute, or the type of the id; empty where it is left out.
        reasons: why.
        attribute: the name of the id or of the attribute; empty where it is left out.
    """

    column: str
    use: Use
    kind: str
    reasons: tuple[str, ...]
    attribute: str = ""


@dataclass(frozen=True, eq=False, slots=True)
class Inference:
    """A schema and what led to it.

    Attributes:
        schema: the schema.
        source: how the table's texts become its values.
        reasons: by attribute's name, why it is so.
        findings: one for each column, in their order.
        remarks: what a person should look at.
        rows: how many the table has.
        fitting: the share of the rows looked at that would be taken under the schema.
    """

    schema: Schema
    source: TableSource
    reasons: Mapping[str, tuple[str, ...]]
    findings: tuple[Finding, ...]
    remarks: tuple[str, ...]
    rows: int
    fitting: float


def guess(table: TableLook) -> Guesses:
    """Return what the columns of a table are taken for."""
    proposals = []
    for place, column in enumerate(table.columns):
        found = propose(column, place, table.rows)
        if [other.name for other in table.columns].count(column.name) > 1:
            found = replace(
                found,
                use=Use.LEFT_OUT,
                kind=None,
                question="",
                options=(),
                reason="another column has the same header",
            )
        if len(column.name) > LONGEST_HEADER:
            found = replace(
                found,
                use=Use.LEFT_OUT,
                kind=None,
                question="",
                options=(),
                reason="its header is too long",
            )
        proposals.append(found)
    return Guesses(propose_id(table), tuple(proposals))


def with_id(guesses: Guesses, place: int | None) -> Guesses:
    """Return guesses with another column as the id, None numbering the rows."""
    return replace(guesses, id=replace(guesses.id, place=place, reason=_ANSWERED))


def infer(
    openings: Sequence[Opening], table: TableLook, guesses: Guesses, reading: Reading
) -> Inference:
    """Return the schema of a table.

    Args:
        openings: of its files.
        table: what a first look showed.
        guesses: what its columns are taken for.
        reading: what was told of the files.

    Raises:
        DataFileError: no column is left to make segments from, or there are too many.
    """
    names = tuple(column.name for column in table.columns)
    place = guesses.id.place
    # Who answered which column is the id knows better.
    is_guessed = guesses.id.reason != _ANSWERED
    is_doubtful = place is None or bool(guesses.id.remark)
    records = find_records(table) if is_doubtful and is_guessed else None
    if records is not None:
        return _infer_rfm(openings, table, guesses, records, reading)
    counts = count(openings, names, guesses.columns, place)
    id_, id_source = make_id(
        None if place is None else names[place],
        place or 0,
        None if place is None else counts[place],
        table.rows,
    )
    made = _make_all(table, guesses, counts, id_)
    if not any(entry.attribute.used for entry in made.values()):
        raise DataFileError(
            f"{table.name} has no column that segments could be made from: {_left(guesses)}"
        )
    if len(made) > MAX_ATTRIBUTES:
        raise DataFileError(f"{table.name} has over {MAX_ATTRIBUTES:,} columns that can be used")
    made, remarks = _weigh(made)
    words_of_all, made = _share_missing(table, made)
    schema = Schema(id_, tuple(e.attribute for e in made.values()), missing_values=words_of_all)
    sources = {id_.name: id_source} | {e.attribute.name: e.source for e in made.values()}
    headers = {column.name: column.record_name for column in schema.columns}
    columns = {
        name: entry
        for name, entry in sources.items()
        if entry is not None and entry != Entry(headers[name])
    }
    source = TableSource(
        numbered=place is None,
        delimiter=reading.delimiter,
        encoding=reading.encoding or table.encoding,
        sheet=reading.sheet,
        columns=columns,
    )
    return Inference(
        schema,
        source,
        {e.attribute.name: e.reasons for e in made.values()},
        _find(guesses, names, made, id_),
        tuple(_remark(guesses.id, table, remarks)),
        table.rows,
        _fitting(table, schema, made),
    )


def _infer_rfm(
    openings: Sequence[Opening],
    table: TableLook,
    guesses: Guesses,
    records: Records,
    reading: Reading,
) -> Inference:
    """Return the schema of customers whose transactions a table holds."""
    names = tuple(column.name for column in table.columns)
    place = records.places["customer_id"]
    counts = count(openings, names, guesses.columns, place)
    id_, _ = make_id(names[place], place, counts[place], table.rows)
    schema, rules = make_rfm(table, records, id_, counts)
    fields = {column: field for field, column in rules.columns.items()}
    findings = tuple(
        Finding(name, Use.ID, id_.type, ("each customer has several rows",), id_.name)
        if at == place
        else Finding(name, Use.USED, fields[name], ("what transactions have",))
        if name in fields
        else Finding(name, Use.LEFT_OUT, "", ("recency, frequency and sums need it not",))
        for at, name in enumerate(names)
    )
    told = f"{table.name} holds transactions: the customers' attributes follow from them"
    source = TableSource(
        delimiter=reading.delimiter,
        encoding=reading.encoding or table.encoding,
        sheet=reading.sheet,
        records=rules,
    )
    reasons = {a.name: (a.description,) for a in schema.attributes}
    return Inference(schema, source, reasons, findings, (told,), table.rows, 1.0)


def _left(guesses: Guesses) -> str:
    return "; ".join(f"{p.header}: {p.reason}" for p in guesses.columns[:5])


def _make_all(
    table: TableLook, guesses: Guesses, counts: Sequence[ColumnCount], id_: Id
) -> dict[int, Made]:
    """Return attributes by the places of their columns."""
    made: dict[int, Made] = {}
    now = _find_now(guesses, counts)
    names, recorded = [*RESERVED_NAMES, id_.name], [*RESERVED_RECORD_NAMES, id_.record_name]
    for proposal in guesses.columns:
        if proposal.place == guesses.id.place or proposal.use is Use.LEFT_OUT:
            continue
        texts = table.columns[proposal.place].texts
        entry = make_attribute(proposal, counts[proposal.place], texts, (names, recorded), now)
        made[proposal.place] = entry
        names.append(entry.attribute.name)
        recorded.append(entry.attribute.record_name)
    return made


def _find_now(guesses: Guesses, counts: Sequence[ColumnCount]) -> dt.date:
    """Return the day up to which ages are counted: the last of which the table tells.

    Where it tells of none but births, that is the first day of this year, so that the same table
    gives the same schema for long.
    """
    today = dt.datetime.now(dt.UTC).date()
    days = [
        last_day(counts[proposal.place])
        for proposal in guesses.columns
        if proposal.source.date and not words.is_birth(proposal.header) and proposal.use != Use.ID
    ]
    known = [day for day in days if day is not None and day <= today]
    return max(known, default=today.replace(month=1, day=1))


def _weigh(made: dict[int, Made]) -> tuple[dict[int, Made], list[str]]:
    """Let columns that say the same count as one, and tell which add up."""
    places = [
        place
        for place, entry in made.items()
        if entry.attribute.used
        and entry.attribute.kind in _MEASURED
        and np.isfinite(entry.sampled).sum() > 2
    ]
    seen = [transformed(made[p].sampled, made[p].attribute.transform) for p in places]
    for group in groups_alike(seen):
        members = [places[at] for at in group]
        weight = round(len(members) ** -0.5, 3)
        for place in members:
            others = [made[p].attribute.title for p in members if p != place]
            reason = (
                f"says nearly the same as {', '.join(others)}: weight {weight}, so that together "
                "they count as one"
            )
            entry = made[place]
            attribute = replace(entry.attribute, weight=weight)
            made[place] = replace(entry, attribute=attribute, reasons=(*entry.reasons, reason))
    return made, _propose_sums([made[p] for p in places])


def _propose_sums(measured: list[Made]) -> list[str]:
    amounts = [entry for entry in measured if not entry.source.date]
    found = []
    for a, b, c in find_sums([entry.sampled for entry in amounts]):
        whole, one, other = (amounts[at].attribute.name for at in (a, b, c))
        found.append(
            f"{whole} is {one} and {other} added up: it says nothing that these do not. Set "
            "used = false at one of the three to count it once"
        )
    by_word: dict[str, list[str]] = {}
    for entry in amounts:
        if entry.attribute.kind is not Kind.AMOUNT or entry.attribute.maximum == 1:
            continue
        first = entry.attribute.name.partition("_")[0]
        by_word.setdefault(first, []).append(entry.attribute.name)
    for first, names in by_word.items():
        if len(names) >= _MANY_ALIKE and first in words.MONEY:
            found.append(
                f"{', '.join(names)} could be added up to one amount, with plus in "
                "[[source.columns]]"
            )
    return found


def _share_missing(
    table: TableLook, made: dict[int, Made]
) -> tuple[tuple[str, ...], dict[int, Made]]:
    """Return the texts that mean "missing" everywhere; columns keep theirs where they differ."""
    by_place = {place: set(entry.source.missing or ()) for place, entry in made.items()}
    numbers = {place for place, entry in made.items() if not entry.attribute.categories}
    shared = {""}
    for found in by_place.values():
        shared |= {text for text in found if text in _said_missing(found)}
    result = {}
    for place, entry in made.items():
        texts = table.columns[place].texts
        means = find_missing(texts, {"", *by_place[place]})
        differs = bool((means != find_missing(texts, shared)).any()) and (
            place in numbers or bool(entry.attribute.categories)
        )
        missing = ("", *sorted(by_place[place] - {""})) if differs else None
        result[place] = replace(entry, source=replace(entry.source, missing=missing))
    return ("", *sorted(shared - {""})), result


def _said_missing(found: Collection[str]) -> set[str]:
    return missing_words(pa.array(sorted(found), pa.string()))


def _find(
    guesses: Guesses, names: Sequence[str], made: Mapping[int, Made], id_: Id
) -> tuple[Finding, ...]:
    findings = []
    for proposal in guesses.columns:
        header = names[proposal.place]
        if proposal.place == guesses.id.place:
            findings.append(Finding(header, Use.ID, id_.type, (guesses.id.reason,), id_.name))
        elif (entry := made.get(proposal.place)) is not None:
            attribute = entry.attribute
            findings.append(
                Finding(header, proposal.use, attribute.kind, entry.reasons, attribute.name)
            )
        else:
            findings.append(Finding(header, Use.LEFT_OUT, "", (proposal.reason,)))
    return tuple(findings)


def _remark(id_: IdProposal, table: TableLook, remarks: Sequence[str]) -> list[str]:
    found = [id_.remark] * bool(id_.remark)
    if id_.place is None:
        found.append(f"{table.name}: {id_.reason}")
    return [*found, *remarks]


def _fitting(table: TableLook, schema: Schema, made: Mapping[int, Made]) -> float:
    """Return which share of some rows has only values that the schema accepts."""
    refused: set[int] = set()
    used = {name for entry in made.values() for name in entry.source.columns}
    rows = pa.table({column.name: column.texts for column in table.columns if column.name in used})
    for entry in made.values():
        refused |= set(read_entry(entry.attribute, entry.source, rows, schema.missing_values)[1])
    return 1 - len(refused) / max(rows.num_rows, 1)
