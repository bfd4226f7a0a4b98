"""Reading what came of a campaign's customers from a table."""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from customer_segmentation.domain.attributes import Id

_YES, _NO = {"yes", "true", "1", "y"}, {"no", "false", "0", "n"}


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns of a table say what.

    Attributes:
        id: whose outcome it is.
        outcome: what came of the customer; None where the table does not say.
        addressed: whether the customer was addressed; likewise.
    """

    id: str
    outcome: str | None
    addressed: str | None


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What a table says.

    Attributes:
        rows: as the service takes them.
        faults: by line, what is wrong with one that is left out.
    """

    rows: list[dict[str, Any]]
    faults: dict[int, str]


def read_table(content: bytes) -> tuple[list[str], list[dict[str, str]]]:
    """Return the columns of a CSV file in UTF-8, and its rows.

    Raises:
        ValueError: it is none.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError("The file is not text in UTF-8; save it as CSV in UTF-8") from None
    try:
        dialect: type[csv.Dialect] = csv.Sniffer().sniff(text[:4_096], delimiters=",;\t")
    except csv.Error:
        dialect = csv.excel
    reader = csv.DictReader(io.StringIO(text, newline=""), dialect=dialect, restval="")
    names = list(reader.fieldnames or [])
    if not names:
        raise ValueError("The file is empty")
    return names, list(reader)


def read_outcomes(rows: list[dict[str, str]], columns: Columns, id_: Id) -> Outcomes:
    """Return what rows of a table say of customers."""
    found, faults = [], {}
    for line, row in enumerate(rows, 2):
        try:
            found.append(_read(row, columns, id_))
        except ValueError as fault:
            faults[line] = str(fault)
    return Outcomes(found, faults)


def _read(row: Mapping[str, str], columns: Columns, id_: Id) -> dict[str, Any]:
    told: dict[str, Any] = {"customer_id": id_.accept_text(row[columns.id])}
    if columns.outcome and (text := row[columns.outcome].strip()):
        told["outcome"] = _outcome(text)
    if columns.addressed and (text := row[columns.addressed].strip()):
        addressed = _yes_or_no(text)
        if addressed is None:
            raise ValueError("whether the customer was addressed must be yes or no")
        told["addressed"] = addressed
    return told


def _outcome(text: str) -> float:
    is_so = _yes_or_no(text)
    if is_so is not None:
        return float(is_so)
    try:
        return float(text)
    except ValueError:
        raise ValueError("the outcome must be a number, yes or no") from None


def _yes_or_no(text: str) -> bool | None:
    word = text.casefold()
    return word in _YES if word in _YES | _NO else None
