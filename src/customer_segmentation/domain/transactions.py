"""Transactions, what a schema declares of them, and the attributes that follow from them."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Any, TypeVar

from customer_segmentation.domain.attributes import (
    Aggregate,
    Attribute,
    CustomerId,
    Derivation,
    Id,
    IdType,
)
from customer_segmentation.domain.errors import FieldError, InvalidInputError, shortened
from customer_segmentation.domain.numbers import LARGEST_INTEGER, Number, describe_type

LONGEST_TEXT = 200
"""Characters of a transaction's kind and of each of its fields."""

MAX_DECIMALS = 6
CLOCK_TOLERANCE = timedelta(minutes=5)
"""How far a transaction's time may lie ahead of this machine's clock."""

MICROSECONDS_A_DAY = 86_400_000_000
T = TypeVar("T")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
_ROUNDING = 1e-9
"""What a decimal number may be off as a float, as a share of its size."""

_NO_TEXT = re.compile("[\x00\ud800-\udfff]")

OWN_FIELDS = ("transaction_id", "customer_id", "time", "amount", "kind")
"""What every transaction has; the schema may name more."""


class UnknownCustomer(StrEnum):
    """What happens to a transaction of a customer who is not stored."""

    REFUSED = "refused"
    KEPT = "kept"
    ADDED = "added"


@dataclass(frozen=True, slots=True)
class TransactionField:
    """A further field of transactions, which holds a text.

    Attributes:
        name: in requests and files.
        title: what people call it.
        description: one phrase for people.
    """

    name: str
    title: str
    description: str = ""


@dataclass(frozen=True, slots=True)
class TransactionSchema:
    """What a schema declares of transactions.

    Attributes:
        id_type: what their ids are.
        decimals: how many an amount has at most; sums are exact to the last of them.
        unit: of amounts.
        kinds: which kinds there are; with none, any text is one.
        fields: what they have besides.
        unknown_customer: what happens to one of a customer who is not stored.
    """

    id_type: IdType = IdType.TEXT
    decimals: int = 2
    unit: str = ""
    kinds: tuple[str, ...] = ()
    fields: tuple[TransactionField, ...] = ()
    unknown_customer: UnknownCustomer = UnknownCustomer.REFUSED

    @property
    def field_names(self) -> tuple[str, ...]:
        """The names of the further fields."""
        return tuple(field.name for field in self.fields)

    @property
    def id(self) -> Id:
        """The key of a transaction."""
        example = 1 if self.id_type is IdType.INTEGER else "T1"
        told = ("transaction_id", "transaction id", "transaction id")
        return Id(*told, "The transaction's unique id", example, self.id_type)

    @property
    def unit_of_amount(self) -> int:
        """How many of the smallest parts make one."""
        return int(10**self.decimals)


@dataclass(frozen=True, slots=True)
class Transaction:
    """A transaction.

    Attributes:
        transaction_id: its unique id, as the schema says.
        customer_id: whose; in the store the number that the customer is inside.
        time: when, in microseconds since 1970 in UTC.
        amount: in the smallest parts that the schema's decimals allow; None where it has none.
        kind: what it is; may be empty.
        fields: by name, those of the further fields that it has.
    """

    transaction_id: CustomerId
    customer_id: CustomerId
    time: int
    amount: int | None
    kind: str
    fields: Mapping[str, str]

    @property
    def day(self) -> int:
        """The day in UTC, in days since 1970."""
        return self.time // MICROSECONDS_A_DAY

    def field(self, name: str) -> str | None:
        """Return its kind, or what it has in a further field."""
        return self.kind if name == "kind" else self.fields.get(name)


def to_microseconds(moment: datetime) -> int:
    """Return a moment in microseconds since 1970 in UTC."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def from_microseconds(time: int) -> datetime:
    """Return the moment of microseconds since 1970 in UTC."""
    return _EPOCH + timedelta(microseconds=time)


def from_day(day: int) -> date:
    """Return the date of days since 1970."""
    return _EPOCH.date() + timedelta(days=day)


def day_of(moment: datetime) -> int:
    """Return the day of a moment in UTC, in days since 1970."""
    return to_microseconds(moment) // MICROSECONDS_A_DAY


def accept_time(value: object, now: datetime) -> int:
    """Return a transaction's time.

    Args:
        value: a date, which means its first moment in UTC, or a date and time with a zone, as
            ISO 8601 has them.
        now: the moment of the request.

    Raises:
        ValueError: it is something else, lies ahead, or before 1900.
    """
    if not isinstance(value, str):
        raise ValueError(_time_refusal(describe_type(value)))
    try:
        is_date = len(value) == len("2026-01-31")
        day = date.fromisoformat(value) if is_date else None
        moment = datetime.fromisoformat(value) if day is None else None
    except ValueError as error:
        raise ValueError(_time_refusal("another text")) from error
    if day is not None:
        moment = datetime(day.year, day.month, day.day, tzinfo=UTC)
    assert moment is not None  # noqa: S101
    return accept_moment(moment, now)


def accept_moment(moment: datetime, now: datetime) -> int:
    """Return a transaction's time from a moment; errors as `accept_time`."""
    if moment.tzinfo is None:
        raise ValueError(_time_refusal("a time without a zone"))
    try:
        moment = moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(_time_refusal("a time beyond all calendars")) from error
    if moment < _EARLIEST:
        raise ValueError(_time_refusal("a time before 1900"))
    if moment > now + CLOCK_TOLERANCE:
        raise ValueError(_time_refusal("a time in the future"))
    return to_microseconds(moment)


def _time_refusal(found: str) -> str:
    return (
        "time must be a date such as 2026-01-31, which is midnight UTC, or a date and time with a "
        f"zone such as 2026-01-31T13:45:00Z, from 1900 until now, not {found}"
    )


def accept_amount(value: object, decimals: int) -> int | None:
    """Return an amount in the smallest parts that there are; None of null.

    Raises:
        ValueError: it is no number, is too large, or has more decimals.
    """
    if value is None:
        return None
    allowed = f"amount must be a number with at most {decimals} decimals, or null"
    if type(value) is not int and type(value) is not float:
        raise ValueError(f"{allowed}, not {describe_type(value)}")
    parts = value * 10**decimals
    if not -LARGEST_INTEGER < parts < LARGEST_INTEGER:  # Also what is not a number.
        raise ValueError(f"{allowed}, not one so large that it cannot be kept exactly")
    rounded = round(parts)
    if abs(parts - rounded) > max(1.0, abs(parts)) * _ROUNDING:
        raise ValueError(f"{allowed}, not one with more")
    return rounded


class TransactionReader:
    """Makes transactions of requests' fields, by what a schema declares."""

    def __init__(self, declared: TransactionSchema, customer_id: Id) -> None:
        """Read what the schema says.

        Args:
            declared: of transactions.
            customer_id: the key of a customer.
        """
        self._declared = declared
        self._id = declared.id
        self._customer = customer_id
        self._customer_key = customer_id.name
        self._names = frozenset(declared.field_names)
        self._kinds = frozenset(declared.kinds)
        self._known = [*OWN_FIELDS, *declared.field_names]
        self._known[1] = self._customer_key

    def accept(self, fields: Mapping[str, object], now: datetime) -> Transaction:
        """Return the transaction that fields tell.

        Args:
            fields: by name, as JSON has them.
            now: the moment of the request.

        Raises:
            InvalidInputError: names every field that is missing, unknown or not allowed.
        """
        faults: list[FieldError] = []

        def read(name: str, accept: Callable[[object], T], otherwise: T) -> T:
            try:
                return accept(fields.get(name))
            except ValueError as refusal:
                told = str(refusal)
                if name not in fields:
                    told = f"{name} is missing: {told.rpartition(', not ')[0]}"
                faults.append(FieldError(name, told))
                return otherwise

        decimals = self._declared.decimals
        nobody: CustomerId = ""
        found = Transaction(
            transaction_id=read("transaction_id", self._id.accept, nobody),
            customer_id=read(self._customer_key, self._customer.accept, nobody),
            time=read("time", lambda value: accept_time(value, now), 0),
            amount=read("amount", lambda value: accept_amount(value, decimals), None),
            kind=read("kind", self._accept_kind, ""),
            fields=self._accept_fields(fields, faults),
        )
        faults += [
            FieldError(
                shortened(name),
                f"{shortened(name)} is not a known field; known are {', '.join(self._known)}",
            )
            for name in fields
            if name not in self._known
        ]
        if faults:
            raise InvalidInputError(faults)
        return found

    def accept_values(
        self,
        values: tuple[object, object, object, object, object],
        others: Sequence[object],
        now: datetime,
    ) -> Transaction:
        """Return the transaction of values that are there, null where they may be.

        Args:
            values: of the fields that every transaction has, in their order.
            others: of the further fields, in theirs.
            now: the moment of the request.

        Raises:
            ValueError: one is not allowed; `accept` names all that are not.
        """
        transaction_id, customer_id, time, amount, kind = values
        return Transaction(
            self._id.accept(transaction_id),
            self._customer.accept(customer_id),
            accept_time(time, now),
            accept_amount(amount, self._declared.decimals),
            self._accept_kind(kind),
            {
                name: _accept_text(name, value)
                for name, value in zip(self._declared.field_names, others, strict=True)
                if value is not None
            },
        )

    def _accept_kind(self, value: object) -> str:
        if self._kinds and value not in self._kinds:
            found = "another text" if isinstance(value, str) else describe_type(value)
            raise ValueError(f"kind must be one of {', '.join(self._declared.kinds)}, not {found}")
        return "" if value is None else _accept_text("kind", value)

    def _accept_fields(
        self, fields: Mapping[str, object], faults: list[FieldError]
    ) -> dict[str, str]:
        found = {}
        for name in self._declared.field_names:
            value = fields.get(name)
            if value is None:
                continue
            try:
                found[name] = _accept_text(name, value)
            except ValueError as refusal:
                faults.append(FieldError(name, str(refusal)))
        return found


def _accept_text(name: str, value: object) -> str:
    allowed = f"{name} must be a text of at most {LONGEST_TEXT} characters, or null"
    if not isinstance(value, str):
        raise ValueError(f"{allowed}, not {describe_type(value)}")
    if len(value) > LONGEST_TEXT:
        raise ValueError(f"{allowed}, not a longer one")
    if _NO_TEXT.search(value):
        raise ValueError(f"{allowed}, not one with characters that are none")
    return value


State = list[Any] | dict[str, int]
"""What is kept of an attribute's transactions, from which its value follows, as JSON has it."""


def begin(derivation: Derivation) -> State:
    """Return the state of an attribute without transactions."""
    match derivation.aggregate:
        case Aggregate.COUNT | Aggregate.SUM:
            return [0]
        case Aggregate.MEAN:
            return [0, 0]
        case Aggregate.DISTINCT:
            return {}
        case _:
            return [None]


def counts_for(derivation: Derivation, transaction: Transaction) -> bool:
    """Tell whether an attribute's value depends on a transaction, its time aside."""
    if derivation.of_amounts and transaction.amount is None:
        return False
    if derivation.of is not None and transaction.field(derivation.of) is None:
        return False
    return all(transaction.field(name) in texts for name, texts in derivation.where.items())


def count_in(derivation: Derivation, state: State, transaction: Transaction) -> None:
    """Let a state tell of one more transaction that counts for its attribute."""
    amount = transaction.amount
    match derivation.aggregate, state, amount:
        case Aggregate.COUNT, [count], _:
            state[:] = [count + 1]
        case Aggregate.SUM, [total], int():
            state[:] = [total + amount]
        case Aggregate.MEAN, [count, total], int():
            state[:] = [count + 1, total + amount]
        case Aggregate.MINIMUM, [least], int():
            state[:] = [amount if least is None else min(least, amount)]
        case Aggregate.MAXIMUM, [most], int():
            state[:] = [amount if most is None else max(most, amount)]
        case Aggregate.DISTINCT, dict(), _:
            value = str(transaction.field(derivation.of or ""))
            state[value] = state.get(value, 0) + 1
        case Aggregate.DAYS_SINCE_FIRST, [day], _:
            state[:] = [transaction.day if day is None else min(day, transaction.day)]
        case Aggregate.DAYS_SINCE_LAST, [day], _:
            state[:] = [transaction.day if day is None else max(day, transaction.day)]


class Tally:
    """Counts many transactions for an attribute at once, as `count_in` does one by one."""

    def __init__(self, derivation: Derivation) -> None:
        """Remember how the attribute follows."""
        self.derivation = derivation
        self._is_selective = bool(derivation.where) or derivation.of is not None
        self._add = _ADDING.get(derivation.aggregate, self._add_one_by_one)

    def add(self, state: State, transactions: Sequence[Transaction]) -> None:
        """Let a state tell of more transactions, of which some may not count."""
        if self._is_selective:
            transactions = [one for one in transactions if counts_for(self.derivation, one)]
        self._add(state, transactions)

    def _add_one_by_one(self, state: State, transactions: Sequence[Transaction]) -> None:
        for one in transactions:
            if counts_for(self.derivation, one):
                count_in(self.derivation, state, one)


def _add_count(state: Any, transactions: Sequence[Transaction]) -> None:  # noqa: ANN401
    state[0] += len(transactions)


def _add_sum(state: Any, transactions: Sequence[Transaction]) -> None:  # noqa: ANN401
    for one in transactions:
        if one.amount is not None:
            state[0] += one.amount


def _add_first(state: Any, transactions: Sequence[Transaction]) -> None:  # noqa: ANN401
    for one in transactions:
        day = one.time // MICROSECONDS_A_DAY
        if state[0] is None or day < state[0]:
            state[0] = day


def _add_last(state: Any, transactions: Sequence[Transaction]) -> None:  # noqa: ANN401
    for one in transactions:
        day = one.time // MICROSECONDS_A_DAY
        if state[0] is None or day > state[0]:
            state[0] = day


_ADDING: Mapping[Aggregate, Callable[[Any, Sequence[Transaction]], None]] = {
    Aggregate.COUNT: _add_count,
    Aggregate.SUM: _add_sum,
    Aggregate.DAYS_SINCE_FIRST: _add_first,
    Aggregate.DAYS_SINCE_LAST: _add_last,
}
"""What most attributes are, where that is quicker than one by one."""


def value_of(derivation: Derivation, state: State, unit: int) -> Number | None:
    """Return the value that is stored for a state; None is missing.

    Of days since a transaction, that is the day itself, in days since 1970, as it does not change.

    Args:
        derivation: how the attribute follows.
        state: of it.
        unit: how many of the smallest parts of an amount make one.
    """
    match derivation.aggregate, state:
        case Aggregate.DISTINCT, dict():
            return len(state)
        case Aggregate.SUM, [total]:
            return _plain(total, unit)
        case Aggregate.MEAN, [count, total]:
            return None if count == 0 else _plain(total, unit * count)
        case ((Aggregate.MINIMUM | Aggregate.MAXIMUM), [amount]):
            return None if amount is None else _plain(amount, unit)
        case _, [value]:
            number: int | None = value
            return number
    raise AssertionError(f"{derivation.aggregate} has no such state")


def _plain(parts: int, unit: int) -> Number:
    return parts // unit if parts % unit == 0 else parts / unit


def derive(
    attributes: Iterable[Attribute],
    transactions: Iterable[Transaction],
    unit: int,
    today: int,
) -> dict[str, Number | None]:
    """Return from nothing but transactions what attributes are on a day.

    This is what is meant by every value that is kept as transactions come; tests hold those
    against it.

    Args:
        attributes: those that follow from transactions.
        transactions: of one customer.
        unit: how many of the smallest parts of an amount make one.
        today: in days since 1970.

    Returns:
        by name, the attribute's value on that day; None is missing.
    """
    found: dict[str, Number | None] = {}
    known = list(transactions)
    for attribute in attributes:
        derivation = attribute.derivation
        if derivation is None:
            continue
        state = begin(derivation)
        for transaction in known:
            is_within = derivation.window is None or transaction.day > today - derivation.window
            if is_within and counts_for(derivation, transaction):
                count_in(derivation, state, transaction)
        value = value_of(derivation, state, unit)
        if derivation.is_of_days and value is not None:
            value = max(0, today - value)
        found[attribute.name] = value
    return found
