"""What messages ask for: transactions to take in, customers to store and delete."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any

import pyarrow as pa

from customer_segmentation.domain.attributes import Attribute
from customer_segmentation.domain.numbers import plain_number
from customer_segmentation.domain.schema import Schema
from customer_segmentation.domain.transactions import TransactionSchema
from customer_segmentation.files.blocks import text_of
from customer_segmentation.files.map.mapping import ColumnMapping, Entry
from customer_segmentation.files.map.record_rules import RecordRules
from customer_segmentation.files.map.values import read_entry
from customer_segmentation.files.transactions.records import RecordReader
from customer_segmentation.streams.brokers.broker import Message
from customer_segmentation.streams.envelope import Content, UnusableError, read_content

Json = dict[str, Any]

_DELETES = ("delete", "deleted")


@dataclass(frozen=True, slots=True)
class TransactionRecords:
    """Reads transactions.

    Attributes:
        schema: of the customers.
        rules: how messages name their fields; None where they do as the schema does.
    """

    schema: Schema
    rules: RecordRules | None

    def read(self, message: Message) -> Json:
        """Return the transaction of a message, as the service takes it in.

        The id and the time of an event stand in for those that the data lack.

        Raises:
            UnusableError: it holds none.
        """
        content = read_content(message)
        if self.rules is None:
            found = {**content.data}
        else:
            reader = RecordReader(self.rules, self.schema)
            row = {name: _look_up(content.data, name) for name in reader.columns}
            found = reader.read(row)
        for field, value in (("transaction_id", self._id_of(content)), ("time", content.time)):
            if value != "" and found.get(field) in {None, ""}:
                found[field] = value
        return found

    def _id_of(self, content: Content) -> str | int:
        declared = self.schema.transactions or TransactionSchema()
        is_number = content.id.isascii() and content.id.isdigit() and len(content.id) < 19
        return int(content.id) if is_number and not declared.id.is_text else content.id


@dataclass(frozen=True, slots=True)
class CustomerRecords:
    """Reads what is to be done with customers.

    Attributes:
        schema: of the customers.
        mapping: how messages name attributes; None where they do as the schema does.
    """

    schema: Schema
    mapping: ColumnMapping | None

    def read(self, message: Message) -> Json:
        """Return the operation that a message asks for, as a batch has it.

        Raises:
            UnusableError: it asks for none.
        """
        content = read_content(message)
        data, action = content.data, "upsert"
        if data.keys() == {"action", "customer"} and isinstance(data["customer"], dict):
            data, action = data["customer"], data["action"]
        if content.type.rpartition(".")[2] in _DELETES:
            action = "delete"
        if not message.body and message.key:
            # What Kafka calls a tombstone: of this key there is nothing any more.
            return {"action": "delete", "customer": {self.schema.id.name: self._id(message.key)}}
        customer = {**data} if self.mapping is None else self._mapped(self.mapping, data)
        if action == "delete":
            key = self.schema.id.name
            customer = {key: customer[key]} if key in customer else {}
        return {"action": action, "customer": customer}

    def _mapped(self, mapping: ColumnMapping, data: Mapping[str, Any]) -> Json:
        """Return the customer that a message tells of; what it does not name stays as it is."""
        customer: Json = {}
        for column in self.schema.columns:
            entry = mapping.entries[column.name]
            row = {name: _look_up(data, name) for name in entry.columns}
            if None in row.values():
                continue
            try:
                if isinstance(column, Attribute):
                    customer[column.name] = self._value(column, entry, row)
                else:
                    customer[column.name] = self._id(text_of(row[entry.columns[0]]))
            except ValueError as refusal:
                raise UnusableError(str(refusal)) from refusal
        return customer

    def _value(self, attribute: Attribute, entry: Entry, row: Mapping[str, Any]) -> object:
        words = self.schema.missing_values
        if entry.plus:
            table = pa.table({name: [text_of(value)] for name, value in row.items()})
            values, refused = read_entry(attribute, entry, table, words)
            if refused:
                raise ValueError(refused[0][1])
            number = float(values[0])
        else:
            number = float(entry.accept(attribute, row[entry.columns[0]], words))
        return attribute.show(plain_number(number))

    def _id(self, text: str) -> int | str:
        try:
            return self.schema.id.accept_text(text)
        except ValueError as refusal:
            raise UnusableError(str(refusal)) from refusal


def _look_up(data: Mapping[str, Any], name: str) -> object:
    """Return a field, or with points in its name one within others; None where there is none."""
    if name in data:
        return data[name]
    found: object = data
    return reduce(
        lambda within, part: within.get(part) if isinstance(within, dict) else None,
        name.split("."),
        found,
    )
