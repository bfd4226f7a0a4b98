"""Reading what a table tells of customers that are there: outcomes of a campaign, and consents."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import isfinite
from typing import Any

from customer_segmentation.domain.attributes import Id
from customer_segmentation.domain.consents import LONGEST_WORD, ConsentState
from customer_segmentation.domain.errors import DataFileError
from customer_segmentation.domain.numbers import read_number
from customer_segmentation.files.blocks import Block, text_of
from customer_segmentation.files.map.inference import words_of

_YES = frozenset({"1", "true", "yes", "y"})
_NO = frozenset({"0", "false", "no", "n"})
_WORDS = (_YES | _NO) - {"0", "1"}


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns hold what is told of customers.

    Attributes:
        customer_id: of the ids.
        fields: by what is told, its column.
    """

    customer_id: str
    fields: Mapping[str, str]


def find_outcome_columns(names: Sequence[str], id_: Id, outcome: str | None) -> Columns:
    """Find the columns of a campaign's outcomes by their names.

    Args:
        names: of the table's columns.
        id_: of the customers.
        outcome: the column of outcomes, where it is named; else `outcome`.

    Raises:
        DataFileError: one that is named or needed is not there.
    """
    if outcome is not None and outcome not in names:
        raise DataFileError(f"There is no column {outcome}: there are {', '.join(names)}")
    found = _find(names, id_, ("outcome", "addressed"))
    fields = {**found.fields, **({} if outcome is None else {"outcome": outcome})}
    if not fields:
        told = ", ".join(names)
        raise DataFileError(f"No column is called outcome; name it with --column, of {told}")
    return Columns(found.customer_id, fields)


def find_consent_columns(names: Sequence[str], id_: Id) -> Columns:
    """Find the columns of consents by their names.

    Raises:
        DataFileError: one that is needed is not there.
    """
    found = _find(names, id_, ("purpose", "channel", "state", "source", "at"))
    for field in ("purpose", "channel", "state"):
        if field not in found.fields:
            raise DataFileError(f"No column is called {field}: there are {', '.join(names)}")
    return found


def _find(names: Sequence[str], id_: Id, fields: Sequence[str]) -> Columns:
    by_words = {words_of(name): name for name in reversed(names)}
    candidates = map(words_of, (id_.name, id_.record_name, id_.title, "customer id", "id"))
    key = next((by_words[one] for one in candidates if one in by_words), None)
    if key is None:
        raise DataFileError(f"No column is called {id_.name}: there are {', '.join(names)}")
    found = {field: by_words[words] for field in fields if (words := words_of(field)) in by_words}
    return Columns(key, found)


Rows = tuple[list[dict[str, Any]], dict[int, tuple[str, str]]]
"""Rows as JSON has them; and by the position of a row that cannot be read, the column at fault and
what is wrong."""


def read_outcomes(block: Block, columns: Columns, id_: Id) -> Rows:
    """Return what came of the customer of each row of a block."""
    return _read_rows(block, columns, id_, _outcome)


def read_consents(block: Block, columns: Columns, id_: Id) -> Rows:
    """Return what the customer of each row of a block has said."""
    return _read_rows(block, columns, id_, _consent)


def _read_rows(block: Block, columns: Columns, id_: Id, read: Callable[[str, str], object]) -> Rows:
    wanted = {"customer_id": columns.customer_id, **columns.fields}
    values = {field: block.table[column].to_pylist() for field, column in wanted.items()}
    rows: list[dict[str, Any]] = []
    faults: dict[int, tuple[str, str]] = {}
    for place in range(block.table.num_rows):
        row: dict[str, Any] = {}
        for field, column in wanted.items():
            text, is_id = text_of(values[field][place]), field == "customer_id"
            try:
                told = id_.accept_text(text) if is_id else read(field, text.strip())
            except ValueError as refusal:
                faults.setdefault(place, (column, str(refusal)))
            else:
                row[field] = told
        if place not in faults:
            rows.append({field: told for field, told in row.items() if told is not None})
    return rows, faults


def _outcome(field: str, text: str) -> object:
    text = text.casefold()
    if not text:
        return None
    if field == "addressed" or text in _WORDS:
        if text not in _YES | _NO:
            raise ValueError(f"{field} must be yes or no, not another text")
        return text in _YES if field == "addressed" else int(text in _YES)
    try:
        number = read_number(text)
    except ValueError as refusal:
        raise ValueError(f"{field} must be a number, or yes or no, not {refusal}") from None
    if not isfinite(number):
        raise ValueError(f"{field} must be a finite number")
    return number


def _consent(field: str, text: str) -> object:
    if field in {"purpose", "channel"} and not 0 < len(text) <= LONGEST_WORD:
        raise ValueError(f"{field} must be a text of 1 to {LONGEST_WORD} characters")
    if field == "state":
        if text.casefold() not in {*ConsentState}:
            raise ValueError(f"state must be one of {', '.join(ConsentState)}")
        return text.casefold()
    if field == "at" and text:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise ValueError("at must be a time such as 2026-01-31T10:00:00Z") from None
        # Without a zone it is in UTC, as every time in files.
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        if moment > datetime.now(UTC):
            raise ValueError("at must be a time that has come, not one in the future")
        return moment.isoformat()
    return text or None
