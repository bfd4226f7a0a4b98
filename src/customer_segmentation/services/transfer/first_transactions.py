"""What a bank begins with whose first data are transactions: customers, and those."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice

import numpy as np
from sqlalchemy import Connection

from customer_segmentation.domain.arrays import FloatArray, IdArray
from customer_segmentation.domain.attributes import CustomerId
from customer_segmentation.domain.errors import InvalidInputError
from customer_segmentation.domain.schema import Schema
from customer_segmentation.domain.transactions import (
    Transaction,
    TransactionReader,
    TransactionSchema,
    day_of,
    derive,
)
from customer_segmentation.files.blocks import Reject
from customer_segmentation.files.map.record_rules import RecordRules
from customer_segmentation.files.read.tables import Source
from customer_segmentation.files.transactions.records import read_records
from customer_segmentation.services.customers.following import columns_of, recount
from customer_segmentation.services.runtime.clock import now
from customer_segmentation.store.queries import transactions
from customer_segmentation.store.queries.customers import CustomerTable

Purchases = Mapping[CustomerId, Sequence[Transaction]]
"""Transactions by customer, with ids as they are outside."""

_STORED_AT_ONCE = 5_000
_TAKEN = "another row has this id, and says something else"


def read_first_transactions(
    source: Source, rules: RecordRules, schema: Schema, refuse: Callable[[list[Reject]], None]
) -> Purchases:
    """Read all transactions of a table.

    Args:
        source: the table.
        rules: how it is read.
        schema: of the customers.
        refuse: is told the rows that are refused.

    Raises:
        DataFileError: the table is damaged.
    """
    reader = TransactionReader(schema.transactions or TransactionSchema(), schema.id)
    known: dict[CustomerId, Transaction] = {}
    moment = now()
    for block in source.blocks():
        faults: dict[int, tuple[str, str]] = {}
        for row, record in enumerate(read_records(block, rules, schema)):
            try:
                one = reader.accept(record, moment)
            except InvalidInputError as refusal:
                first = refusal.errors[0]
                faults[row] = (rules.columns.get(first.field, ""), first.message)
                continue
            if known.setdefault(one.transaction_id, one) != one:
                faults[row] = (rules.columns.get("transaction_id", ""), _TAKEN)
        refuse(block.refuse(faults))
    found: dict[CustomerId, list[Transaction]] = {}
    for one in known.values():
        found.setdefault(one.customer_id, []).append(one)
    return found


def customers_of(purchases: Purchases, schema: Schema) -> tuple[IdArray, FloatArray]:
    """Return the ids, (n,), of customers and what they are by their transactions, (n, d).

    What does not follow from those is missing, or has its default.
    """
    unit = (schema.transactions or TransactionSchema()).unit_of_amount
    others = {a.name: a.if_left_out for a in schema.attributes if a.derivation is None}
    today = day_of(now())
    values = np.empty((len(purchases), len(schema.names)))
    for row, own in enumerate(purchases.values()):
        told = {**others, **derive(schema.derived, own, unit, today)}
        values[row] = [np.nan if told[name] is None else told[name] for name in schema.names]
    dtype = object if schema.id.is_text else np.int64
    return np.array([*purchases], dtype=dtype), values


def store_first_transactions(
    connection: Connection,
    customers: CustomerTable,
    purchases: Purchases,
    numbers: Mapping[CustomerId, int],
) -> None:
    """Store the transactions of a bank's first customers, who are stored already.

    Args:
        connection: of a transaction.
        customers: the queries on them.
        purchases: the transactions.
        numbers: what the customers' ids are inside.
    """
    schema = customers.schema
    for some in _parts(purchases, _STORED_AT_ONCE):
        inside = {
            numbers[customer]: [
                replace(one, transaction_id=str(one.transaction_id), customer_id=numbers[customer])
                for one in own
            ]
            for customer, own in some.items()
        }
        transactions.add(connection, (one for own in inside.values() for one in own))
        kept = {number: recount(schema, None, own) for number, own in inside.items()}
        customers.follow(connection, columns_of(schema, kept))
        transactions.save_activity(connection, kept)


def _parts(purchases: Purchases, size: int) -> Iterator[dict[CustomerId, Sequence[Transaction]]]:
    entries = iter(purchases.items())
    while some := dict(islice(entries, size)):
        yield some
