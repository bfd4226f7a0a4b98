"""The use cases of erasing a customer for good, and of letting one come back."""

import uuid
from collections.abc import Container, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from sqlalchemy import Connection

from customer_segmentation.domain.attributes import CustomerId
from customer_segmentation.domain.erasure import Erasure
from customer_segmentation.domain.errors import CustomerNotFoundError, StaleCustomerError
from customer_segmentation.domain.history import Cause, SegmentChange
from customer_segmentation.services.customers import changes
from customer_segmentation.services.monitoring.distribution import count_waiting_changes
from customer_segmentation.services.runtime.audit import CUSTOMER, note
from customer_segmentation.services.runtime.clock import now
from customer_segmentation.services.runtime.unit_of_work import UnitOfWork, UnitsOfWork
from customer_segmentation.store.queries import (
    audit,
    erasures,
    history,
    idempotency,
    imports,
    models,
    schemas,
)
from customer_segmentation.store.queries.ids import Ids

_EVER = datetime.min.replace(tzinfo=UTC)


def erase_customer(
    work: UnitOfWork, customer_id: CustomerId, by: str = "", tags: Container[str] | None = None
) -> Erasure:
    """Delete a customer with its history and events, and see that nothing brings it back.

    A customer deleted before is erased too: its history was still there.

    Raises:
        CustomerNotFoundError: there is nothing about such a customer.
        StaleCustomerError: tags are given, and there is no customer with one of them.
    """
    number = work.ids.number_of(work.connection, customer_id)
    if number is None:
        raise CustomerNotFoundError(customer_id)
    work.customers.reserve(work.connection, number)
    known = history.of_customer(work.connection, number)
    is_there = work.customers.find(work.connection, number) is not None
    if tags is not None and not is_there and known:
        raise StaleCustomerError(customer_id)
    if is_there:
        changes.remove(work, customer_id, tags)
    removed = {"customer": int(is_there)}
    removed |= erasures.remove_traces(work.connection, number)
    # The deletion has just added one, which was not there to be removed.
    removed["history"] -= int(is_there)
    removed["audit values"] = audit.remove_values(work.connection, CUSTOMER, str(customer_id))
    removed["imports"] = imports.forget_customer(work.connection, number)
    if not any(removed.values()):
        raise CustomerNotFoundError(customer_id)
    moment = now()
    stays = _stays(known, moment)
    trained = [
        version.version
        for version in models.read_all(work.connection)
        if any(came <= version.created_at <= left for came, left in stays)
    ]
    gone = SegmentChange(number, moment, Cause.ERASED, None, None, work.serving.version)
    history.add(work.connection, gone)
    note(work.connection, CUSTOMER, customer_id, "erased", by)
    erasure = Erasure(uuid.uuid4().hex, customer_id, moment, by, removed, tuple(sorted(trained)))
    erasures.add(work.connection, replace(erasure, customer_id=number))
    return erasure


def erase_customer_once(
    work: UnitOfWork, customer_id: CustomerId, by: str, tags: Container[str] | None, key: str
) -> Erasure:
    """Erase a customer, or where that was done under this key before, return the receipt.

    Raises:
        CustomerNotFoundError: there is nothing about such a customer.
        StaleCustomerError: tags are given, and there is no customer with one of them.
        IdempotencyError: the key was used for something else.
    """
    number = work.ids.number_of(work.connection, customer_id)
    if idempotency.claim(work.connection, key, f"erase customer {number}", now()):
        return erase_customer(work, customer_id, by, tags)
    return _find_receipt(work.connection, work.ids, customer_id)


def get_erasure(units: UnitsOfWork, customer_id: CustomerId) -> Erasure:
    """Return the receipt of an erased customer.

    Raises:
        CustomerNotFoundError: no such customer was erased.
    """
    with units.database.read() as connection:
        return _find_receipt(connection, units.ids, customer_id)


def _find_receipt(connection: Connection, ids: Ids, customer_id: CustomerId) -> Erasure:
    number = ids.number_of(connection, customer_id)
    found = None if number is None else erasures.find(connection, number)
    if found is None:
        raise CustomerNotFoundError(customer_id)
    return replace(found, customer_id=customer_id)


def lift_erasure(units: UnitsOfWork, customer_id: CustomerId) -> None:
    """Let an erased customer be added again; the receipt goes with the suppression.

    Raises:
        CustomerNotFoundError: no such customer was erased.
    """
    with units.database.write() as connection:
        number = units.ids.number_of(connection, customer_id)
        if number is None or not erasures.lift(connection, number):
            raise CustomerNotFoundError(customer_id)
        note(connection, CUSTOMER, customer_id, "erasure lifted")


def erase_again(units: UnitsOfWork, receipts: Sequence[Erasure] = ()) -> int:
    """Erase whoever is on the suppression list and stored all the same, as after a restore.

    Args:
        units: over the database.
        receipts: of erasures that the suppression list may lack, with the customers' ids.

    Returns:
        how many customers were erased.
    """
    # A backup of another table has other customers.
    ours = [one for one in receipts if isinstance(one.customer_id, str) == units.schema.id.is_text]
    with units.database.write() as connection:
        for receipt in ours:
            number = units.ids.take(connection, receipt.customer_id)
            if erasures.find(connection, number) is None:
                erasures.add(connection, replace(receipt, customer_id=number))
        stored = units.ids.ids_of(connection, erasures.find_stored(connection))
    for customer_id in stored:
        units.run(_erase_again, customer_id)
    return len(stored)


def read_receipts(units: UnitsOfWork) -> list[Erasure]:
    """Return all receipts, with the customers' ids."""
    with units.database.read() as connection:
        found = erasures.read_all(connection)
        ids = units.ids.ids_of(connection, [int(receipt.customer_id) for receipt in found])
    return [
        replace(receipt, customer_id=customer_id)
        for receipt, customer_id in zip(found, ids, strict=True)
    ]


def _erase_again(work: UnitOfWork, customer_id: CustomerId) -> None:
    number = work.ids.number_of(work.connection, customer_id)
    receipt = None if number is None else erasures.find(work.connection, number)
    if number is not None and receipt is not None:
        erasures.lift(work.connection, number)
        erase_customer(work, customer_id, receipt.erased_by)


class Wiping:
    """Sees that neither an erased customer nor a removed attribute is in SQLite's files.

    What a transaction overwrites or deletes stays in the write-ahead log until that is emptied.
    """

    def __init__(self, units: UnitsOfWork) -> None:
        """Wipe nothing yet."""
        self._units = units
        self._wiped: tuple[datetime | None, int] | None = None

    def wipe(self) -> bool:
        """Empty the log if anyone was erased, or another schema applied, since that was done.

        It cannot be emptied while somebody reads from it: to be called now and then.

        Returns:
            whether all is wiped.
        """
        database = self._units.database
        if not database.is_sqlite:
            return True  # PostgreSQL's vacuum does it.
        with database.read() as connection:
            last = erasures.last_moment(connection), schemas.current_number(connection)
        if last != self._wiped:
            # Changes that are not counted yet hold attributes.
            count_waiting_changes(self._units)
            if not database.empty_log():
                return False
            self._wiped = last
        return True


def _stays(known: list[SegmentChange], moment: datetime) -> list[tuple[datetime, datetime]]:
    """Return from when to when a customer was there, each time."""
    stays = []
    # What is older than the history that is kept is not known: it may have been there ever since.
    came = _EVER if known and known[0].cause is not Cause.ADDED else None
    for change in known:
        if change.cause is Cause.ADDED:
            came = change.changed_at
        elif change.cause is Cause.DELETED and came is not None:
            stays.append((came, change.changed_at))
            came = None
    return stays if came is None else [*stays, (came, moment)]
