"""Customers, their history and their erasure in answers."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, TypeVar

from msgspec import Meta, Struct, defstruct
from pydantic import BaseModel, ConfigDict, Field, create_model

from customer_segmentation.api.http.schemas import structure_of
from customer_segmentation.domain.attributes import Id
from customer_segmentation.domain.customer import CustomerTable
from customer_segmentation.domain.history import Cause
from customer_segmentation.domain.schema import Schema
from customer_segmentation.services.customers.actions import Action, Addressee, NextBestActions
from customer_segmentation.services.runtime.serving import SegmentedCustomer, assess

Answer = TypeVar("Answer", bound=BaseModel)


class NextBestAction(Struct, forbid_unknown_fields=True):
    """The first strategy on a channel that reached the customer before, if any.

    A setting prefers strategies that worked; another leaves out who has not agreed.
    """

    text: Annotated[str, Meta(description="What to do.")]
    channel: Annotated[str, Meta(description="On which channel.")]
    reason: Annotated[str, Meta(description="Why this one.")]


_ASSIGNMENT = [
    ("segment", Annotated[int, Meta(ge=0, description="The number of the segment that holds.")]),
    ("segment_name", Annotated[str, Meta(description="Its name.")]),
    (
        "raw_segment",
        Annotated[
            int,
            Meta(
                ge=0,
                description="The number of the nearest segment; another one only where "
                "hysteresis keeps the customer in its own.",
            ),
        ],
    ),
    (
        "is_outlier",
        Annotated[bool, Meta(description="Whether the customer is far from every centroid.")],
    ),
    ("next_best_action", NextBestAction | None),
    ("model_version", Annotated[int, Meta(description="Which gave the segment.")]),
]


class CustomerAnswers:
    """Customers of a schema as `/v1` shows them.

    Attributes:
        id: what tells them apart.
        actions: chooses what to do about them.
        customer: the type of one.
        page: the type of some of them, with how to go on.
    """

    def __init__(self, schema: Schema, actions: NextBestActions) -> None:
        """Make the types.

        Args:
            schema: of the customers.
            actions: chooses what to do about them.
        """
        self.actions = actions
        self.id = schema.id
        self._customers = CustomerTable(schema)
        customer: Any = structure_of(
            "Customer",
            "A stored customer, the segment it is in, and what to do about it.",
            schema.columns,
            more=_ASSIGNMENT,
        )
        self.customer = customer
        cursor = Meta(description="`cursor` of the next page; null after the last.")
        self.page = defstruct(
            "CustomerPage",
            [("customers", list[customer]), ("next_cursor", Annotated[str | None, cursor])],
            forbid_unknown_fields=True,
            namespace={"__doc__": "Some customers, and how to go on."},
        )

    def answer(self, found: SegmentedCustomer) -> Any:  # noqa: ANN401
        """Return a customer."""
        return self.answers([found])[0]

    def answers(self, found: Sequence[SegmentedCustomer]) -> list[Any]:
        """Return customers of one model."""
        if not found:
            return []
        assessment = assess(found)
        nearest, outliers = assessment.segments.tolist(), assessment.outliers.tolist()
        chosen = self.actions.choose(
            [
                Addressee(one.customer.customer_id, one.segment, one.customer.attributes)
                for one in found
            ]
        )
        return [self._answer(*one) for one in zip(found, nearest, outliers, chosen, strict=True)]

    def page_of(self, found: Sequence[SegmentedCustomer], next_cursor: str | None) -> Any:  # noqa: ANN401
        """Return some customers of one model, and how to go on."""
        return self.page(self.answers(found), next_cursor)

    def _answer(
        self, found: SegmentedCustomer, nearest: int, is_outlier: bool, action: Action | None
    ) -> Any:  # noqa: ANN401
        attributes = found.customer.attributes
        return self.customer(
            found.customer.customer_id,
            *self._customers.show(attributes),
            found.segment.number,
            found.segment.name,
            nearest,
            is_outlier,
            None if action is None else _shown(action),
            found.model_version,
        )


def _shown(action: Action) -> NextBestAction:
    strategy = action.strategy
    return NextBestAction(strategy.text, strategy.channel, action.reason)


def whose(answer: type[Answer], id_: Id) -> type[Answer]:
    """Return the type of an answer about a customer whose ids are as a schema says."""
    if not id_.is_text:
        return answer
    description = answer.model_fields["customer_id"].description
    told = Field(description=description, examples=[id_.example])
    fields: dict[str, Any] = {"customer_id": (str, told)}
    made: type[Answer] = create_model(
        answer.__name__, __base__=answer, __doc__=answer.__doc__, **fields
    )
    return made


class HistoryEntry(BaseModel):
    """A change of a customer's segment."""

    model_config = ConfigDict(from_attributes=True)

    changed_at: datetime = Field(description="When, in UTC.")
    cause: Cause = Field(description="What made the customer change its segment.")
    from_segment: int | None = Field(description="The segment left; null for a new customer.")
    to_segment: int | None = Field(description="The segment entered; null when deleted.")
    model_version: int = Field(description="The model version that decided.")


class History(BaseModel):
    """How a customer came from segment to segment, the oldest change first."""

    customer_id: int = Field(description="Whose.")
    changes: list[HistoryEntry]


class ErasureAnswer(BaseModel):
    """The receipt of an erasure."""

    model_config = ConfigDict(from_attributes=True)

    id: str = Field(description="Of the receipt.")
    customer_id: int = Field(description="Who was erased.")
    erased_at: datetime = Field(description="When, in UTC.")
    erased_by: str = Field(description="Who asked for it; empty if unknown.")
    removed: dict[str, int] = Field(description="How many rows were removed, by what they were.")
    model_versions: list[int] = Field(
        description="The kept versions that were trained while the customer was there."
    )
