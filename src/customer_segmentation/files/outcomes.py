"""Reading a table of a campaign's outcomes row by row, as the service takes them in."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from customer_segmentation.domain.attributes import Id
from customer_segmentation.domain.errors import DataFileError
from customer_segmentation.domain.numbers import read_number
from customer_segmentation.files.blocks import Block, text_of
from customer_segmentation.files.map.inference import words_of

_YES = frozenset({"1", "true", "yes", "y"})
_NO = frozenset({"0", "false", "no", "n"})


@dataclass(frozen=True, slots=True)
class OutcomeColumns:
    """Which columns hold what came of customers.

    Attributes:
        customer_id: of the ids.
        outcome: of the outcomes; None where the table tells only who was addressed.
        addressed: of whether a customer was addressed; None where that is not told.
    """

    customer_id: str
    outcome: str | None
    addressed: str | None


def find_outcome_columns(names: Sequence[str], id_: Id, outcome: str | None) -> OutcomeColumns:
    """Find the columns by their names.

    Args:
        names: of the table's columns.
        id_: of the customers.
        outcome: the column of outcomes, where it is named; else `outcome`.

    Raises:
        DataFileError: one that is named or needed is not there.
    """
    if outcome is not None and outcome not in names:
        raise DataFileError(f"There is no column {outcome}: there are {', '.join(names)}")
    by_words = {words_of(name): name for name in reversed(names)}

    def find(*candidates: str) -> str | None:
        words = map(words_of, candidates)
        return next((by_words[one] for one in words if one in by_words), None)

    key = find(id_.name, id_.record_name, id_.title, "customer id", "id")
    found = outcome or find("outcome")
    addressed = find("addressed")
    if key is None:
        raise DataFileError(f"No column is called {id_.name}: there are {', '.join(names)}")
    if found is None and addressed is None:
        told = ", ".join(names)
        raise DataFileError(f"No column is called outcome; name it with --column, of {told}")
    return OutcomeColumns(key, found, addressed)


def read_outcomes(
    block: Block, columns: OutcomeColumns, id_: Id
) -> tuple[list[dict[str, Any]], dict[int, tuple[str, str]]]:
    """Return what came of the customer of each row of a block, and the rows that tell nothing.

    Returns:
        the rows as JSON has them; and by the position of a row that cannot be read, the column at
        fault and what is wrong.
    """
    wanted = {"customer_id": columns.customer_id}
    wanted |= {
        field: column
        for field in ("outcome", "addressed")
        if (column := getattr(columns, field)) is not None
    }
    values = {field: block.table[column].to_pylist() for field, column in wanted.items()}
    rows: list[dict[str, Any]] = []
    faults: dict[int, tuple[str, str]] = {}
    for place in range(block.table.num_rows):
        row: dict[str, Any] = {}
        for field, column in wanted.items():
            try:
                row[field] = _read(field, text_of(values[field][place]), id_)
            except ValueError as refusal:
                faults[place] = (column, str(refusal))
        if place not in faults:
            rows.append(row)
    return rows, faults


def _read(field: str, text: str, id_: Id) -> object:
    if field == "customer_id":
        return id_.accept_text(text)
    text = text.strip().casefold()
    if not text:
        return None
    if field == "addressed" or text in {"true", "false", "yes", "no", "y", "n"}:
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
