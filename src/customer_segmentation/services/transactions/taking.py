"""The use cases of transactions: take them in, take one back, list a customer's."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from customer_segmentation.domain.attributes import CustomerId, IdType
from customer_segmentation.domain.customer import Attributes
from customer_segmentation.domain.errors import (
    CustomerErasedError,
    CustomerNotFoundError,
    FieldError,
    InvalidInputError,
    SegmentationError,
    TransactionExistsError,
    TransactionNotFoundError,
    TransactionsNotDeclaredError,
)
from customer_segmentation.domain.schema import Schema
from customer_segmentation.domain.transactions import (
    Transaction,
    TransactionSchema,
    UnknownCustomer,
    from_microseconds,
)
from customer_segmentation.services.customers import changes
from customer_segmentation.services.customers.following import (
    OutOfRangeError,
    count_more,
    follow,
    follow_one,
    has_transactions,
    rebuild,
)
from customer_segmentation.services.runtime.audit import note
from customer_segmentation.services.runtime.serving import SegmentedCustomer
from customer_segmentation.services.runtime.unit_of_work import UnitOfWork, UnitsOfWork
from customer_segmentation.store.queries import erasures, transactions
from customer_segmentation.store.queries.customers import Assignment, StoredCustomers
from customer_segmentation.store.queries.ids import NOBODY
from customer_segmentation.store.queries.transactions import Activity

BY_TRANSACTIONS = "transactions"
"""What the audit log calls the source of customers who come with their transactions."""


class Outcome(StrEnum):
    """What became of a transaction."""

    STORED = "stored"
    REPEATED = "repeated"
    KEPT = "kept"


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a transaction.

    Attributes:
        transaction: as it was given.
        outcome: stored; repeated, as it was there already; kept until its customer comes; or why
            it was refused.
    """

    transaction: Transaction
    outcome: Outcome | SegmentationError


def declared_in(schema: Schema) -> TransactionSchema:
    """Return what a schema declares of transactions.

    Raises:
        TransactionsNotDeclaredError: nothing.
    """
    if schema.transactions is None:
        raise TransactionsNotDeclaredError
    return schema.transactions


def take(work: UnitOfWork, given: Sequence[Transaction]) -> list[Taken]:
    """Take transactions in, and bring their customers up to date.

    Those that can be taken are taken together. Sent again they change nothing.

    Args:
        work: the transaction of the database.
        given: the transactions, with ids of customers as they are outside.

    Returns:
        what became of each.

    Raises:
        TransactionsNotDeclaredError: the schema declares none.
    """
    return _Taking(work, given).take()


def take_one(work: UnitOfWork, given: Transaction) -> tuple[Outcome, SegmentedCustomer | None]:
    """Take one transaction in, and bring its customer up to date.

    Returns:
        what became of it, and the customer as it is now; None where it is not stored.

    Raises:
        TransactionsNotDeclaredError: the schema declares none.
        CustomerNotFoundError: there is no such customer.
        CustomerErasedError: the customer was erased.
        TransactionExistsError: another transaction has the id.
        InvalidInputError: it is older than what is kept, or attributes would not be allowed.
    """
    declared_in(work.customers.schema)
    number = work.ids.number_of(work.connection, given.customer_id)
    found = (
        None if number is None else work.customers.find(work.connection, number, for_update=True)
    )
    if number is None or found is None:
        (taken,) = _Taking(work, [given]).take()
        if isinstance(taken.outcome, SegmentationError):
            raise taken.outcome
        outcome, customer = taken.outcome, _find(work, given.customer_id)
    else:
        outcome, after = _take_of_customer(work, given, number, found)
        customer = work.read(given.customer_id, number, *after)
    work.audit.note_change(work.connection, given.customer_id, f"transaction {outcome}")
    return outcome, customer


def _take_of_customer(
    work: UnitOfWork, given: Transaction, number: int, before: tuple[Attributes, Assignment]
) -> tuple[Outcome, tuple[Attributes, Assignment]]:
    """Take in a transaction of a customer who is stored, and locked; return it as it is then."""
    connection, key = work.connection, str(given.transaction_id)
    inside = Transaction(key, number, given.time, given.amount, given.kind, given.fields)
    known = transactions.find_one(connection, key)
    if known is not None:
        if known != inside:
            raise TransactionExistsError(given.transaction_id)
        return Outcome.REPEATED, before
    activity = transactions.activity_of(connection, number)
    _check_age(work, activity, inside)
    transactions.add(connection, [inside])
    kept = count_more(work.customers.schema, activity, [inside])
    return Outcome.STORED, follow_one(work, number, before, kept)


def _find(work: UnitOfWork, customer_id: CustomerId) -> SegmentedCustomer | None:
    number = work.ids.number_of(work.connection, customer_id)
    found = None if number is None else work.customers.find(work.connection, number)
    return None if number is None or found is None else work.read(customer_id, number, *found)


class _Taking:
    """Takes some transactions in.

    Attributes:
        outcomes: what became of each, by its place.
    """

    def __init__(self, work: UnitOfWork, given: Sequence[Transaction]) -> None:
        self._work = work
        self._given = given
        self._declared = declared_in(work.customers.schema)
        self.outcomes: dict[int, Outcome | SegmentationError] = {}

    def take(self) -> list[Taken]:
        work, connection = self._work, self._work.connection
        numbers = self._find_customers()
        before = work.customers.find_many(
            connection, np.unique([*numbers.values()]).astype(np.int64), for_update=True
        )
        before = self._with_unknown(numbers, before)
        stored = {number: place for place, number in enumerate(before.ids.tolist())}
        found = transactions.find(connection, [str(one.transaction_id) for one in self._given])
        new: dict[int, Transaction] = {}
        for place, one in enumerate(self._given):
            if place in self.outcomes:
                continue
            number = numbers[one.customer_id]
            key = str(one.transaction_id)
            inside = Transaction(key, number, one.time, one.amount, one.kind, one.fields)
            known = found.setdefault(key, inside)
            if known is inside:
                new[place] = inside
                self.outcomes[place] = Outcome.STORED if number in stored else Outcome.KEPT
            elif known == inside:
                self.outcomes[place] = Outcome.REPEATED
            else:
                self.outcomes[place] = TransactionExistsError(one.transaction_id)
        self._store(before, new)
        return [Taken(one, self.outcomes[place]) for place, one in enumerate(self._given)]

    def _find_customers(self) -> dict[CustomerId, int]:
        """Return the number of each customer; `NOBODY` of those that no customer ever had."""
        ids = [*{one.customer_id for one in self._given}]
        work = self._work
        found = work.ids.numbers_of(work.connection, np.array(ids, dtype=work.ids.dtype))
        return dict(zip(ids, found.tolist(), strict=True))

    def _with_unknown(
        self, numbers: dict[CustomerId, int], before: StoredCustomers
    ) -> StoredCustomers:
        """Do with transactions of customers who are not stored as the schema says.

        Returns:
            the customers who are stored now.
        """
        work, rule = self._work, self._declared.unknown_customer
        there = {*before.ids.tolist()}
        unknown = [one for one, number in numbers.items() if number not in there]
        if not unknown:
            return before
        if rule is not UnknownCustomer.REFUSED:
            for one in unknown:
                numbers[one] = work.ids.take(work.connection, one)
        refused: dict[CustomerId, SegmentationError] = {}
        taken = np.array([numbers[one] for one in unknown], dtype=np.int64)
        erased = {*erasures.find_many(work.connection, taken)}
        for one in unknown:
            if numbers[one] in erased and numbers[one] != NOBODY:
                refused[one] = CustomerErasedError(one)
            elif rule is UnknownCustomer.REFUSED:
                refused[one] = CustomerNotFoundError(one)
            elif rule is UnknownCustomer.KEPT:
                # Nobody may add the customer meanwhile, who would miss this transaction.
                work.customers.reserve(work.connection, numbers[one])
            else:
                changes.add(work, one, _nothing_known(work.customers.schema))
        for place, given in enumerate(self._given):
            if given.customer_id in refused:
                self.outcomes[place] = refused[given.customer_id]
        if rule is not UnknownCustomer.ADDED:
            return before
        return work.customers.find_many(
            work.connection, np.unique([*numbers.values()]).astype(np.int64), for_update=True
        )

    def _store(self, before: StoredCustomers, new: dict[int, Transaction]) -> None:
        """Write new transactions, by their places, and what follows from them."""
        work, schema = self._work, self._work.customers.schema
        known = transactions.read_activity(work.connection, before.ids)
        for place, one in [*new.items()]:
            try:
                _check_age(work, known.get(int(one.customer_id)), one)
            except InvalidInputError as refusal:
                self.outcomes[place] = refusal
                del new[place]
        by_customer: dict[int, list[Transaction]] = {}
        for one in new.values():
            by_customer.setdefault(int(one.customer_id), []).append(one)
        try:
            with work.part():
                transactions.add(work.connection, new.values())
                touched = before.at(np.isin(before.ids, [*by_customer]))
                kept = {
                    number: count_more(schema, known.get(number), by_customer[number])
                    for number in touched.ids.tolist()
                }
                follow(work, touched, kept)
        except OutOfRangeError as error:
            for place, one in [*new.items()]:
                fault = error.faults.get(int(one.customer_id))
                if fault is not None:
                    self.outcomes[place] = InvalidInputError([fault])
                    del new[place]
            self._store(before, new)


def _nothing_known(schema: Schema) -> Attributes:
    return {attribute.name: attribute.if_left_out for attribute in schema.attributes}


def _check_age(work: UnitOfWork, activity: Activity | None, one: Transaction) -> None:
    """Refuse what may have been counted: whether it came before is not known any longer."""
    since = max(work.active.kept_since, 0 if activity is None else activity.until + 1)
    # Where nothing was removed, also what was before 1970 is taken in.
    if since > 1 and one.time < since:
        told = from_microseconds(since).date().isoformat()
        message = f"time must be {told} or later, as transactions of before are not kept any longer"
        raise InvalidInputError([FieldError("time", message)])


def take_back(work: UnitOfWork, transaction_id: CustomerId) -> SegmentedCustomer | None:
    """Delete a transaction, and bring its customer up to date without it.

    Returns:
        the customer as it is now; None where it is not stored.

    Raises:
        TransactionNotFoundError: there is no such transaction.
        InvalidInputError: attributes would not be allowed without it.
    """
    declared_in(work.customers.schema)
    key = str(transaction_id)
    found = transactions.find(work.connection, [key]).get(key)
    if found is None:
        raise _not_found(work, transaction_id)
    number = int(found.customer_id)
    work.customers.find(work.connection, number, for_update=True)
    # Asked again now that nobody else takes it back.
    if key not in transactions.find(work.connection, [key]):
        raise _not_found(work, transaction_id)
    transactions.remove(work.connection, [key])
    rebuild(work, np.array([number]))
    (customer_id,) = work.ids.ids_of(work.connection, [number])
    note(work.connection, "transaction", transaction_id, "deleted")
    return _find(work, customer_id)


def _not_found(work: UnitOfWork, transaction_id: CustomerId) -> TransactionNotFoundError:
    since = work.active.kept_since
    return TransactionNotFoundError(
        transaction_id, from_microseconds(since).date() if since else None
    )


@dataclass(frozen=True, slots=True)
class TransactionPage:
    """Some of a customer's transactions, the newest first.

    Attributes:
        transactions: with ids as they are outside.
        after: where the next page begins, a time and an id; None after the last.
        follows: whether attributes follow, as the customer has transactions or had some.
        next_changes: by attribute, the day, since 1970, on which time may change it next.
    """

    transactions: list[Transaction]
    after: tuple[int, str] | None
    follows: bool
    next_changes: Mapping[str, int]


def list_transactions(
    units: UnitsOfWork, customer_id: CustomerId, after: tuple[int, str] | None, limit: int
) -> TransactionPage:
    """Return a customer's transactions, the newest first.

    Raises:
        TransactionsNotDeclaredError: the schema declares none.
        CustomerNotFoundError: there is no such customer, and none of its transactions is kept.
    """
    declared = declared_in(units.schema)
    with units.read() as work:
        number = work.ids.number_of(work.connection, customer_id)
        found = (
            []
            if number is None
            else transactions.read_page(work.connection, number, after, limit + 1)
        )
        stored = None if number is None else work.customers.find(work.connection, number)
        if not found and stored is None:
            raise CustomerNotFoundError(customer_id)
        follows = number is not None and has_transactions(work, number)
        changes = _next_changes(work, number, stored[0]) if number and stored and follows else {}
    units.audit.note_reads(units.database, [customer_id])
    shown = [_outside(declared, customer_id, one) for one in found[:limit]]
    last = found[limit - 1] if len(found) > limit else None
    following = None if last is None else (last.time, str(last.transaction_id))
    return TransactionPage(shown, following, follows, changes)


def _next_changes(work: UnitOfWork, number: int, attributes: Attributes) -> dict[str, int]:
    of_days = [name for name in work.customers.of_days if not math.isnan(attributes[name])]
    tomorrow = dict.fromkeys(of_days, work.active.day + 1)
    return tomorrow | work.customers.next_changes(work.connection, number)


def _outside(declared: TransactionSchema, customer_id: CustomerId, one: Transaction) -> Transaction:
    is_text = declared.id_type is IdType.TEXT
    key = one.transaction_id if is_text else int(one.transaction_id)
    return replace(one, transaction_id=key, customer_id=customer_id)
