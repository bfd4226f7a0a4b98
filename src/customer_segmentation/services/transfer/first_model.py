"""What a bank begins with: its first customers and the first model, stored together."""

from dataclasses import dataclass, field

from sqlalchemy import Connection

from customer_segmentation.domain.arrays import FloatArray, IdArray, IntArray
from customer_segmentation.domain.history import Activation, Cause
from customer_segmentation.domain.jobs import Origin
from customer_segmentation.domain.numbers import plain_number
from customer_segmentation.domain.plurals import counted
from customer_segmentation.model.artifact import Model, to_json
from customer_segmentation.services.models.activation import activate
from customer_segmentation.services.runtime.audit import Audit, note
from customer_segmentation.services.runtime.clock import now
from customer_segmentation.services.runtime.serving import load_model
from customer_segmentation.services.transfer.first_transactions import (
    Purchases,
    store_first_transactions,
)
from customer_segmentation.store.queries import demo, history, models
from customer_segmentation.store.queries.customers import CustomerTable

LOADING_SECONDS = 3_600.0
"""How long to wait for another process that loads, or trains on what it loaded."""

LOADING = 20_000_106
"""The turn of who stores the first customers."""


@dataclass(frozen=True, eq=False, slots=True)
class FirstCustomers:
    """Customers to begin with, and the model that was trained on them.

    Attributes:
        ids: (n,).
        numbers: (n,), rising: what the ids are inside.
        values: (n, d), attributes in the schema's order, in users' units.
        model: trained on them alone.
        origin: what asked for it, who, and why.
        weaknesses: in plain words, the gates that the model does not pass; it serves all the same,
            as there is no other.
        source: what the audit log calls the table that they come from.
        purchases: their transactions, where these are the first data.
    """

    ids: IdArray
    numbers: IntArray
    values: FloatArray
    model: Model
    origin: Origin
    weaknesses: tuple[str, ...]
    source: str
    purchases: Purchases = field(default_factory=dict)


def store_first(
    connection: Connection, customers: CustomerTable, first: FirstCustomers, audit: Audit
) -> int:
    """Store a bank's first customers, in the segments of the first model; return its version.

    To be called alone, in a database without customers or in that of the demonstration, of which
    nothing stays. Versions go on being numbered: none is ever given twice.

    Raises:
        TransactionConflictError: a customer was erased since the customers were numbered.
    """
    # One moment for all, as whoever was there when a version was trained was trained with.
    moment = now()
    origin, model = first.origin, first.model
    version = models.add(connection, to_json(model), moment, origin, first.weaknesses)
    activation = Activation(version, None, Cause.ADDED, moment, origin.by, origin.reason)
    serving = load_model(connection, version, customers.schema)
    activate(connection, activation, serving, model.distribution)
    if demo.is_held(connection):
        demo.remove(connection, version, model.next_number, moment)
        note(connection, "model", version, "demonstration replaced", origin.by)
    segments = serving.assign_many(first.values)
    customers.ids.begin(connection, first.numbers, first.ids)
    customers.add_many(connection, first.numbers, first.values, segments, epoch=0)
    if first.purchases:
        inside = dict(zip(first.ids.tolist(), first.numbers.tolist(), strict=True))
        store_first_transactions(connection, customers, first.purchases, inside)
    entered = (None, segments)
    history.add_many(connection, first.numbers, moment, Cause.ADDED, entered, version)
    note(
        connection, "file", first.source, f"{counted(len(first.ids), 'customer')} added", origin.by
    )
    if audit.keeps_values:
        for customer_id, row in zip(first.ids.tolist(), first.values.tolist(), strict=True):
            attributes = dict(zip(customers.schema.names, map(plain_number, row), strict=True))
            audit.note_change(connection, customer_id, "added", attributes)
    return version
