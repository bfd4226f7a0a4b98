"""The use case of making a schema from a file that was sent, as a person sees each column."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pyarrow as pa

from customer_segmentation.domain.errors import DataFileError, FieldError, InvalidInputError
from customer_segmentation.files.read.tables import Reading, Source, open_table
from customer_segmentation.services.schema.infer import Finding, Guesses, guess, infer, with_id
from customer_segmentation.services.schema.looking import TableLook, look
from customer_segmentation.services.schema.proposals import Use
from customer_segmentation.services.schema.report import write_inference

_SAMPLES = 5
_LONGEST_SAMPLE = 60


@dataclass(frozen=True, slots=True)
class TableRequest:
    """A table that a schema is to be made from.

    Attributes:
        name: what people call the file.
        reading: what is known of it beforehand.
        id: the header of the column that tells customers apart; None takes the guess.
        numbered: whether no column does, so that rows are numbered.
        taken: by header, what a person takes the column for: one of its options.
    """

    name: str
    reading: Reading
    id: str | None = None
    numbered: bool = False
    taken: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ColumnFound:
    """What became of a column, and what else it could be.

    Attributes:
        finding: what became of it, and why.
        samples: some of its values, each once, as the table has them.
        options: what a person may take it for, by `TableRequest.taken`.
        chosen: the option that it is taken for; empty where it is none of them.
    """

    finding: Finding
    samples: tuple[str, ...]
    options: tuple[str, ...]
    chosen: str


@dataclass(frozen=True, slots=True)
class SchemaFound:
    """A schema made from a table.

    Attributes:
        text: the schema as TOML, with the reasons as comments.
        columns: in the order of the table.
        id_candidates: headers of the columns that could tell customers apart.
        remarks: what a person should look at.
        rows: how many the table has.
        fitting: the share of the rows looked at that would be taken under the schema.
    """

    text: str
    columns: tuple[ColumnFound, ...]
    id_candidates: tuple[str, ...]
    remarks: tuple[str, ...]
    rows: int
    fitting: float


def infer_upload(path: Path, asked: TableRequest) -> SchemaFound:
    """Make a schema from a file; it is only read, twice.

    Args:
        path: of the file.
        asked: what it is, and what a person knows better.

    Raises:
        InvalidInputError: it is no table, or has no column as was said.
    """

    def opening() -> AbstractContextManager[Source]:
        return open_table(path, asked.reading, asked.name)

    try:
        table = look([opening])
        guesses = _answered(guess(table), table, asked)
        found = infer([opening], table, guesses, asked.reading)
    except DataFileError as fault:
        raise InvalidInputError([FieldError("body", str(fault))]) from fault
    columns = zip(found.findings, guesses.columns, table.columns, strict=True)
    return SchemaFound(
        text=write_inference(found, [asked.name]),
        columns=tuple(
            ColumnFound(
                finding,
                _samples_of(seen.texts),
                tuple(option.word for option in proposal.options),
                "" if finding.use is Use.ID else proposal.chosen,
            )
            for finding, proposal, seen in columns
        ),
        id_candidates=tuple(table.columns[place].name for place in guesses.id.candidates),
        remarks=found.remarks,
        rows=found.rows,
        fitting=found.fitting,
    )


def _answered(guesses: Guesses, table: TableLook, asked: TableRequest) -> Guesses:
    """Return guesses with what a person says in place of some.

    Raises:
        InvalidInputError: there is no such column, or it cannot be taken for that.
    """
    headers = [column.name for column in table.columns]
    faults = [
        FieldError("taken", f"taken names the column {header}, which the table has not")
        for header in asked.taken
        if header not in headers
    ]
    columns = []
    for proposal in guesses.columns:
        word = asked.taken.get(proposal.header)
        option = next((one for one in proposal.options if one.word == word), None)
        if word is not None and option is None:
            words = ", ".join(one.word for one in proposal.options) or "nothing else"
            message = f"taken: {proposal.header} can be taken for {words}"
            faults.append(FieldError("taken", message))
        columns.append(proposal if option is None else proposal.take(option))
    candidates = {headers[place]: place for place in guesses.id.candidates}
    if asked.id is not None and asked.id not in candidates:
        told = ", ".join(candidates) or "no column"
        faults.append(FieldError("id", f"id must be a column that tells rows apart: {told}"))
    if faults:
        raise InvalidInputError(faults)
    guesses = replace(guesses, columns=tuple(columns))
    if asked.numbered or asked.id is not None:
        return with_id(guesses, None if asked.numbered else candidates[asked.id or ""])
    return guesses


def _samples_of(texts: pa.Array) -> tuple[str, ...]:
    found = texts.drop_null().unique().slice(0, 4 * _SAMPLES).to_pylist()
    shown = dict.fromkeys(text[:_LONGEST_SAMPLE] for text in found if text)
    return tuple(shown)[:_SAMPLES]
