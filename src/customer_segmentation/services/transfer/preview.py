"""The use case of looking at the first rows of a file before it is imported; nothing is kept."""

import io
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from customer_segmentation.domain.attributes import Value
from customer_segmentation.domain.errors import DataFileError, FieldError, InvalidInputError
from customer_segmentation.domain.schema import Schema
from customer_segmentation.files.blocks import Reject
from customer_segmentation.files.check.duplicates import SeenIds
from customer_segmentation.files.check.rows import Checker
from customer_segmentation.files.map.inference import doubts_about, infer, mapping_of
from customer_segmentation.files.map.mapping import ColumnMapping
from customer_segmentation.files.map.mapping_file import format_guesses
from customer_segmentation.files.read.tables import Source, open_table
from customer_segmentation.files.table_source import find_mapping
from customer_segmentation.services.runtime.current_schema import CurrentSchema
from customer_segmentation.services.transfer.imports import ImportRequest

_BLOCK_BYTES = 2**18
"""How much text is looked at; of other formats, what they hold in one piece."""

_VALUES = 20
_LONGEST_VALUE = 60


@dataclass(frozen=True, slots=True)
class RejectGroup:
    """Rows that would not be taken for the same reason.

    Attributes:
        column: the column at fault.
        reason: what is wrong.
        count: how many rows.
        values: where texts stand for something else: by text, how many rows have it, the most
            frequent first.
    """

    column: str
    reason: str
    count: int
    values: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Preview:
    """What the first rows of a file show.

    Attributes:
        columns: of the table.
        mapping: what the columns seem to mean, as TOML for a person to look at.
        is_complete: whether that mapping leaves nothing for a person to say.
        doubts: about the table as a whole.
        guessed_encoding: what its text is taken to be in, where only its letters tell.
        rows: how many rows were looked at.
        rejects: those of them that would not be taken; None where nothing tells what the columns
            mean yet.
        groups: those by reason, the most frequent first.
        made_up: by attribute that no column tells, what everybody would get who is new.
    """

    columns: tuple[str, ...]
    mapping: str
    is_complete: bool
    doubts: tuple[str, ...]
    guessed_encoding: str | None
    rows: int
    rejects: list[Reject] | None
    groups: tuple[RejectGroup, ...] = ()
    made_up: Mapping[str, Value] = field(default_factory=dict)


def preview(current: CurrentSchema, content: bytes, asked: ImportRequest) -> Preview:
    """Return what the first rows of a file show, under the mapping that is given or guessed.

    Args:
        current: the schema of the customers.
        content: the file, or of a text its beginning.
        asked: how it is to be imported.

    Raises:
        InvalidInputError: it is no table, or the mapping is not as it must be.
    """
    given = asked.given_mapping(current.schema)
    reading = replace(current.source.known(asked.reading), block_bytes=_BLOCK_BYTES)
    try:
        with open_table(io.BytesIO(content), reading, asked.name) as source:
            return _look(current, source, given, asked.name)
    except DataFileError as fault:
        raise InvalidInputError([FieldError("body", str(fault))]) from fault


def _look(
    current: CurrentSchema, source: Source, given: ColumnMapping | None, name: str
) -> Preview:
    schema, sample = current.schema, source.sample()
    guesses = infer(schema, source.columns, sample)
    is_complete = all(guess.is_complete for guess in guesses.values())
    doubts = tuple(doubts_about(source.columns, sample))
    mapping = given or find_mapping(schema, source.columns, current.source)
    if mapping is None and is_complete:
        mapping = mapping_of(guesses)
    rows, rejects = _check(schema, source, mapping)
    return Preview(
        columns=source.columns,
        mapping=format_guesses(schema, guesses, name, source.columns, doubts),
        is_complete=is_complete,
        doubts=doubts,
        guessed_encoding=source.guessed_encoding,
        rows=rows,
        rejects=rejects,
        groups=() if mapping is None else _grouped(schema, source, mapping, rejects or []),
        made_up={} if mapping is None else _made_up(schema, mapping),
    )


def _grouped(
    schema: Schema, source: Source, mapping: ColumnMapping, rejects: list[Reject]
) -> tuple[RejectGroup, ...]:
    """Return rejects by column and reason, with the texts that stand for nothing yet."""
    decoded = {
        entry.column
        for name, entry in mapping.entries.items()
        if name != schema.id.name and (entry.codes or schema.by_name[name].categories)
    }
    groups: dict[tuple[str, str], Counter[str]] = {}
    for reject in rejects:
        text = ""
        if reject.column in decoded and len(reject.fields) == len(source.columns):
            text = reject.fields[source.columns.index(reject.column)].strip()
        groups.setdefault((reject.column, reject.reason), Counter())[text] += 1
    found = [
        RejectGroup(column, reason, texts.total(), dict(_told(texts)))
        for (column, reason), texts in groups.items()
    ]
    return tuple(sorted(found, key=lambda group: -group.count))


def _told(texts: Counter[str]) -> Iterator[tuple[str, int]]:
    for text, count in texts.most_common(_VALUES):
        if text:
            yield text[:_LONGEST_VALUE], count


def _made_up(schema: Schema, mapping: ColumnMapping) -> dict[str, Value]:
    """Return what everybody gets, by attribute, where no column tells it and it is not missing."""
    found = {}
    for name, entry in mapping.entries.items():
        if entry.column is None and name != schema.id.name:
            shown = schema.by_name[name].show(entry.fill(schema.by_name[name]))
            if shown is not None:
                found[name] = shown
    return found


def _check(
    schema: Schema, source: Source, mapping: ColumnMapping | None
) -> tuple[int, list[Reject] | None]:
    """Return how many rows come first, and which of them would not be taken."""
    wanted = None
    checker = None
    if mapping is not None:
        checker = Checker(schema, source, mapping, seen=SeenIds())
        wanted = checker.wanted
    block = next(source.blocks(wanted), None)
    if block is None:
        return 0, None if checker is None else []
    if checker is None:
        return len(block.lines), None
    found = checker.check(block)
    return len(found.ids) + len(found.rejects), found.rejects
