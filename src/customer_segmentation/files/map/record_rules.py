"""How a table of transactions is read, row by row."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

from customer_segmentation.files.map.number_texts import PLAIN, NumberStyle


@dataclass(frozen=True, slots=True)
class RecordRules:
    """How a table of transactions is read.

    Attributes:
        columns: by field, its column; without one of ids, rows are numbered.
        date_form: of dates as texts, as `strptime` has it; None for ISO 8601.
        style: how amounts are written.
        prefix: of the ids of rows that are numbered.
    """

    columns: Mapping[str, str]
    date_form: str | None = None
    style: NumberStyle = PLAIN
    prefix: str = ""

    def of_file(self, name: str) -> Self:
        """Return the rules for a file of this name, whose rows are numbered apart from others'."""
        return replace(self, prefix=f"{name}:")
