"""Taking the messages of a batch in, by the service, and what became of each."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from customer_segmentation.client import Client, ServiceError
from customer_segmentation.streams.brokers.broker import Message
from customer_segmentation.streams.envelope import UnusableError
from customer_segmentation.streams.records import CustomerRecords, TransactionRecords

Json = dict[str, Any]

_TOO_MUCH = (413, 422)
"""What a service answers that cannot take a request as a whole."""


class Outcome(StrEnum):
    """What became of a message."""

    STORED = "stored"
    REPEATED = "repeated"
    KEPT = "kept"
    UPSERTED = "upserted"
    DELETED = "deleted"
    DEAD_LETTERED = "dead_lettered"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a message cannot be used.

    Attributes:
        reason: for people.
    """

    reason: str


Taken = Outcome | Refusal


class Records(Protocol):
    """Reads messages, and has the service take them in."""

    def read(self, message: Message) -> Json:
        """Return what a message asks for; raise an `UnusableError` where it asks for nothing."""

    def take(self, service: Client, records: Sequence[Json]) -> list[Taken]:
        """Have the service take some in at once; return what became of each."""


class Transactions(TransactionRecords):
    """Takes in transactions."""

    def take(self, service: Client, records: Sequence[Json]) -> list[Taken]:
        """Have the service take some in at once; return what became of each."""
        told = service.take_transactions(records)
        return [
            _refusal(one["problem"]) if "problem" in one else Outcome(one["outcome"])
            for one in told["outcomes"]
        ]


class Customers(CustomerRecords):
    """Stores and deletes customers."""

    def take(self, service: Client, records: Sequence[Json]) -> list[Taken]:
        """Have the service do some operations at once; return what became of each."""
        told = service.apply_batch(records)
        return [
            _undone(record, one["problem"]) if "problem" in one else Outcome(one["status"])
            for record, one in zip(records, told["outcomes"], strict=True)
        ]


def take_batch(service: Client, records: Records, messages: Sequence[Message]) -> list[Taken]:
    """Take the messages of a batch in, in their order; return what became of each.

    Raises:
        ServiceError: the service did not take them in.
        httpx.TransportError: it did not answer.
    """
    read: list[Json | Refusal] = []
    for message in messages:
        try:
            read.append(records.read(message))
        except UnusableError as fault:
            read.append(Refusal(str(fault)))
    usable = [one for one in read if not isinstance(one, Refusal)]
    taken = iter(_take_all(service, records, usable))
    return [one if isinstance(one, Refusal) else next(taken) for one in read]


def _take_all(service: Client, records: Records, usable: Sequence[Json]) -> list[Taken]:
    if not usable:
        return []
    try:
        return records.take(service, usable)
    except ServiceError as error:
        if error.status not in _TOO_MUCH:
            raise
        if len(usable) == 1:
            return [_refusal(error.problem)]
    # One of them is at fault; the others must not be refused with it.
    return [taken for one in usable for taken in _take_all(service, records, [one])]


def _undone(record: Json, problem: Json) -> Taken:
    """Return what became of an operation; who is not there any more was deleted before."""
    is_gone = str(problem.get("type")).endswith(":customer-not-found")
    return Outcome.REPEATED if is_gone and record["action"] == "delete" else _refusal(problem)


def _refusal(problem: Json) -> Refusal:
    told = [error["message"] for error in problem.get("errors") or []]
    return Refusal("; ".join(told) or str(problem.get("detail") or problem.get("title")))
