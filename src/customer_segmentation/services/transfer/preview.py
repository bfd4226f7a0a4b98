"""The use case of looking at the first rows of a file before it is imported; nothing is kept."""

import io
from dataclasses import dataclass, replace

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
    """

    columns: tuple[str, ...]
    mapping: str
    is_complete: bool
    doubts: tuple[str, ...]
    guessed_encoding: str | None
    rows: int
    rejects: list[Reject] | None


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
    )


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
