"""Reading a table of transactions row by row, as the service takes them in."""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from math import isfinite
from typing import Any

from customer_segmentation.domain.attributes import Id
from customer_segmentation.domain.errors import DataFileError
from customer_segmentation.domain.schema import Schema, transaction_fields
from customer_segmentation.domain.transactions import TransactionSchema
from customer_segmentation.files.blocks import Block, text_of
from customer_segmentation.files.map.date_texts import without_time
from customer_segmentation.files.map.inference import words_of
from customer_segmentation.files.map.number_texts import NumberStyle
from customer_segmentation.files.map.record_rules import RecordRules
from customer_segmentation.files.map.synonyms import TRANSACTION_COLUMNS

_ALSO: Mapping[str, Sequence[str]] = {
    **TRANSACTION_COLUMNS,
    "transaction_id": ("transaction", "trans id", "invoice", "order id", "order"),
    "time": (*TRANSACTION_COLUMNS["date"], "day"),
}
"""More names of columns, by field."""


def find_columns(names: Sequence[str], schema: Schema, named: Mapping[str, str]) -> dict[str, str]:
    """Find the column of each field of a transaction, by its name.

    Args:
        names: of the table's columns.
        schema: of the customers.
        named: columns that are named, by field.

    Returns:
        by field, its column; fields without one are left out.

    Raises:
        DataFileError: a field is not known, a column is not there, or there is none of the
            customers' ids or of the time.
    """
    key, fields = schema.id.name, transaction_fields(schema)
    for field, column in named.items():
        if field not in fields:
            raise DataFileError(f"{field} is no field of transactions: {', '.join(fields)}")
        if column not in names:
            raise DataFileError(f"There is no column {column}: there are {', '.join(names)}")
    by_words = {words_of(name): name for name in reversed(names)}
    found = {}
    for field in fields:
        role = "customer_id" if field == key else field
        others = [*_ALSO.get(role, ())]
        if field == key:
            others = [schema.id.record_name, schema.id.title, *others]
        candidates = map(words_of, (field, *others))
        likely = next((by_words[words] for words in candidates if words in by_words), None)
        if likely is not None:
            found[field] = likely
    found |= named
    for field in (key, "time"):
        if field not in found:
            told = ", ".join(names)
            raise DataFileError(
                f"No column looks like the {field} of transactions; name it with --column "
                f"{field}=NAME, of {told}"
            )
    return found


class RecordReader:
    """Makes transactions, as JSON has them, of rows.

    What cannot be read stays as it stands: whoever takes transactions in says what is wrong.
    """

    def __init__(self, rules: RecordRules, schema: Schema) -> None:
        """Read nothing yet.

        Args:
            rules: how a row is read.
            schema: of the customers.
        """
        declared = schema.transactions or TransactionSchema()
        self.columns = tuple(dict.fromkeys(rules.columns.values()))
        self._rules = rules
        self._is_text = declared.id.is_text
        self._keys: Mapping[str, Id] = {
            "transaction_id": declared.id,
            schema.id.name: schema.id,
        }

    def read(self, row: Mapping[str, object]) -> dict[str, Any]:
        """Return the transaction of a row, given its values by column."""
        record: dict[str, Any] = {}
        for field, column in self._rules.columns.items():
            value = row[column]
            if field in self._keys:
                record[field] = _id_of(self._keys[field], value)
            elif field == "time":
                record[field] = _time_of(value, self._rules.date_form)
            elif field == "amount":
                record[field] = _amount_of(value, self._rules.style)
            else:
                record[field] = text_of(value).strip()
        return record

    def read_block(self, block: Block) -> Iterator[dict[str, Any]]:
        """Yield the transaction of each row of a block; one without an id has its line."""
        values = [block.table[column].to_pylist() for column in self.columns]
        for line, row in zip(block.lines.tolist(), zip(*values, strict=True), strict=True):
            record = self.read(dict(zip(self.columns, row, strict=True)))
            if "transaction_id" not in record:
                key = f"{self._rules.prefix}{line}" if self._is_text else line
                record["transaction_id"] = key
            yield record


def read_records(block: Block, rules: RecordRules, schema: Schema) -> Iterator[dict[str, Any]]:
    """Yield the transaction of each row of a block, as JSON has it; see `RecordReader`."""
    return RecordReader(rules, schema).read_block(block)


def _id_of(key: Id, value: object) -> object:
    try:
        return key.accept_text(text_of(value))
    except ValueError:
        return value


def _time_of(value: object, form: str | None) -> object:
    if isinstance(value, dt.datetime | dt.date):
        return value.isoformat()
    text = text_of(value).strip()
    if form is None or _has_zone(text):
        return text
    try:
        # A day as the table has it, whatever the time zone.
        return dt.datetime.strptime(without_time(text), form).date().isoformat()  # noqa: DTZ007
    except ValueError:
        return text


def _has_zone(text: str) -> bool:
    try:
        return dt.datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def _amount_of(value: object, style: NumberStyle) -> object:
    if type(value) is int or (type(value) is float and isfinite(value)):
        return value
    text = style.plain(text_of(value))
    if not text:
        return None
    try:
        return float(text)
    except ValueError:
        return value
