"""Transactions as they are shown, and what became of those that were sent."""

from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType, defstruct

from customer_segmentation.api.http.ids import STORED
from customer_segmentation.api.http.problems import Problem
from customer_segmentation.api.http.schemas import meta_of
from customer_segmentation.api.v1.customers.answers import CustomerAnswers
from customer_segmentation.domain.attributes import Id
from customer_segmentation.domain.schema import Schema
from customer_segmentation.domain.transactions import (
    LONGEST_TEXT,
    Transaction,
    TransactionSchema,
    from_microseconds,
)
from customer_segmentation.services.transactions.taking import Outcome


class TransactionAnswers:
    """Transactions of a schema as JSON has them.

    Attributes:
        transaction: the type of one.
        given: the type of one in a request.
        example: one in a request.
        taken: the type of what became of one alone.
        page: the type of a page of a customer's.
    """

    def __init__(self, schema: Schema, answers: CustomerAnswers) -> None:
        """Make the types.

        Args:
            schema: of the customers.
            answers: customers as they are shown.
        """
        declared = schema.transactions or TransactionSchema()
        self._declared = declared
        transaction_key, customer_key = map(_id_type, (declared.id, schema.id))
        own = [
            ("transaction_id", transaction_key),
            (schema.id.name, customer_key),
            ("time", Annotated[str, Meta(description="When, as ISO 8601 with a zone.")]),
        ]
        text = Annotated[str, Meta(max_length=LONGEST_TEXT)] | None
        others = [
            ("amount", Annotated[int | float | None, Meta(description="How much.")]),
            ("kind", Annotated[str, Meta(description="What it is.", max_length=LONGEST_TEXT)]),
            *((field.name, text) for field in declared.fields),
        ]
        strict = {"forbid_unknown_fields": True}
        self.transaction: Any = defstruct("Transaction", [*own, *others], **strict)  # type: ignore[arg-type]
        left_out = [(name, kind | UnsetType, UNSET) for name, kind in others]
        self.given: Any = defstruct("NewTransaction", [*own, *left_out], **strict)  # type: ignore[arg-type]
        whole: Any = self.transaction
        told = Annotated[Outcome, Meta(description="What became of it.")]
        self.taken: Any = defstruct(
            "TransactionTaken",
            [("outcome", told), ("transaction", whole), ("customer", answers.customer | None)],
            **strict,  # type: ignore[arg-type]
        )
        following = Annotated[str | None, Meta(description="Where the next page begins.")]
        follows = Annotated[
            bool,
            Meta(description="Whether attributes follow: the customer has transactions or had."),
        ]
        changes = Annotated[
            dict[str, str],
            Meta(description="By attribute, the day on which time may change it next."),
        ]
        self.page: Any = defstruct(
            "TransactionPage",
            [
                ("transactions", list[whole]),
                ("next_cursor", following),
                ("follows", follows),
                ("next_changes", changes),
            ],
            **strict,  # type: ignore[arg-type]
        )
        self.example = {
            "transaction_id": declared.id.example,
            schema.id.name: schema.id.example if schema.id.is_text else STORED,
            "time": "2026-01-31T13:45:00Z",
            "amount": 12,
            **({"kind": declared.kinds[0]} if declared.kinds else {}),
        }

    @property
    def all(self) -> tuple[Any, ...]:
        """The types, for the document."""
        return self.given, self.taken, self.page

    def show(self, one: Transaction) -> Any:  # noqa: ANN401
        """Return a transaction as it is shown."""
        unit, amount = self._declared.unit_of_amount, one.amount
        if amount is not None:
            shown = amount // unit if amount % unit == 0 else amount / unit
        return self.transaction(
            one.transaction_id,
            one.customer_id,
            from_microseconds(one.time).isoformat().replace("+00:00", "Z"),
            None if amount is None else shown,
            one.kind,
            *(one.fields.get(name) for name in self._declared.field_names),
        )


class RowTaken(Struct, forbid_unknown_fields=True):
    """What became of one of many transactions."""

    row: Annotated[int, Meta(description="Its place, from 0.")]
    outcome: Annotated[
        Outcome | UnsetType, Meta(description="What became of it; not there where refused.")
    ] = UNSET
    problem: Annotated[Problem | UnsetType, Meta(description="Why it was refused.")] = UNSET


class RowsTaken(Struct, forbid_unknown_fields=True):
    """What became of many transactions."""

    stored: Annotated[int, Meta(description="How many are new.")]
    repeated: Annotated[int, Meta(description="How many were there already.")]
    kept: Annotated[int, Meta(description="How many wait for their customers.")]
    failed: Annotated[int, Meta(description="How many were refused.")]
    outcomes: Annotated[list[RowTaken], Meta(description="In the order of the transactions.")]


class DayBegun(Struct, forbid_unknown_fields=True):
    """The day for which attributes hold that change with time."""

    day: Annotated[str, Meta(description="In UTC, as ISO 8601.")]
    has_begun: Annotated[bool, Meta(description="Whether it began by this request.")]
    is_written: Annotated[
        bool,
        Meta(description="Whether every customer is written as of it; reads are exact before."),
    ]


def _id_type(key: Id) -> Any:  # noqa: ANN401
    return Annotated[str if key.is_text else int, meta_of(key)]
