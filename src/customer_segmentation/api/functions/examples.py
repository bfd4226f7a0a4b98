"""What the documents of the six functions show as examples."""

from dataclasses import dataclass
from typing import Any

from customer_segmentation.api.http.schemas import CustomerTypes
from customer_segmentation.domain.attributes import Value
from customer_segmentation.domain.schema import Schema
from customer_segmentation.domain.segments import Segment, Strategy
from customer_segmentation.services.runtime.current_schema import shipped_schema


@dataclass(frozen=True, slots=True)
class Examples:
    """A call of each function, and its answer.

    Attributes:
        found: whose info is asked for: attributes by name, the segment's number and the id last.
        changes: an update, with the id.
        changed: the customer after it, as `found`.
        deleted: whose deletion is asked for.
        new_customer: to be added.
        added: the same as stored, as `found`.
        someone: to be segmented.
        segment: the customer's who was asked for.
        prediction: the segment of `someone`.
    """

    found: list[Any]
    changes: dict[str, Value]
    changed: list[Any]
    deleted: Value
    new_customer: dict[str, Value]
    added: list[Any]
    someone: dict[str, Value]
    segment: Segment
    prediction: Segment


def examples_of(schema: Schema, types: CustomerTypes) -> Examples:
    """Return examples for a schema: those of the shipped one hold to the letter on its data."""
    if schema == shipped_schema():
        return _shipped(schema, types)
    typical = [*types.example_attributes.values(), 0, schema.id.example]
    profile = next(iter(schema.profiles), None)
    segment = Segment(
        0,
        "Above average" if profile is None else profile.name,
        (Strategy("Say thank you" if profile is None else profile.strategy),),
    )
    return Examples(
        found=typical,
        changes={schema.id.name: schema.id.example, **types.example_changes},
        changed=typical,
        deleted=schema.id.example,
        new_customer=types.example,
        added=typical,
        someone=types.example_attributes,
        segment=segment,
        prediction=segment,
    )


def _shipped(schema: Schema, types: CustomerTypes) -> Examples:
    segments = [
        Segment(number, profile.name, (Strategy(profile.strategy),))
        for number, profile in enumerate(schema.profiles)
    ]
    someone = (34, 1, 9763, 26514, 45, 2, 1, 0, 0, 0, 926, 0, 1, 1)
    return Examples(
        found=[29, 0, 8074, 2488, 725, 0, 0, 1, 1, 0, 31789, 13472.29, 3, 1, 0, 56],
        changes={"customer_id": 7287, "total_deposit_amount": 9876, "transaction_count": 3},
        changed=[53, 1, 12770, 112, 489, 1, 1, 1, 1, 1, 1068.94, 9876, 3, 1, 3, 7287],
        deleted=787,
        new_customer=types.example,
        added=[*types.example_attributes.values(), 0, schema.id.example],
        someone=dict(zip(schema.names, someone, strict=True)),
        segment=segments[0],
        prediction=segments[1],
    )
