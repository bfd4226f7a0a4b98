"""The feed of customers' segment changes: `/v1/events`."""

import re
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from customer_segmentation.api.customer_answers import HistoryEntry
from customer_segmentation.api.function_docs import problem_responses
from customer_segmentation.api.problems import INVALID, STORE_UNAVAILABLE
from customer_segmentation.domain.history import FIRST_PLACE, Place
from customer_segmentation.services.events import (
    cursor_of,
    event_fields,
    latest_place,
    read_events,
)
from customer_segmentation.services.unit_of_work import UnitsOfWork

_LATEST = "latest"
_CURSOR = re.compile(r"(-?\d{1,18})\.(-?\d{1,18})")


class Event(HistoryEntry):
    """A change of a customer's segment, and its place in the feed."""

    cursor: str = Field(description="Go on after this event with `after`.")
    customer_id: int = Field(description="Whose segment changed.")


class Events(BaseModel):
    """Some events, and where to go on."""

    events: list[Event]
    next: str = Field(description="`after` of the next call; the same again where nothing is new.")


def events_router(units: UnitsOfWork) -> APIRouter:
    """Return the route of the feed."""
    router = APIRouter(prefix="/v1", tags=["Events"])

    @router.get(
        "/events",
        summary="Customers' segment changes, to follow",
        operation_id="list_events",
        responses=problem_responses(INVALID, STORE_UNAVAILABLE),
    )
    def events(
        after: Annotated[
            str | None,
            Query(
                pattern=rf"^({_LATEST}|-?\d{{1,18}}\.-?\d{{1,18}})$",
                description="`next` of the call before; `latest` begins with what is to come, and "
                "nothing with the oldest change.",
            ),
        ] = None,
        limit: Annotated[int, Query(ge=1, le=10_000, description="How many at most.")] = 1000,
    ) -> Events:
        """Return changes in the order in which they were made, none left out and none twice.

        Keep `next` when the events are dealt with, and go on from there also after a failure.
        """
        if after == _LATEST:
            return Events(events=[], next=cursor_of(latest_place(units)))
        place = _place(after)
        found = read_events(units, place, limit)
        return Events(
            events=[Event.model_validate(event_fields(at, change)) for at, change in found],
            next=cursor_of(found[-1][0] if found else place),
        )

    return router


def _place(after: str | None) -> Place:
    found = _CURSOR.fullmatch(after or "")
    return FIRST_PLACE if found is None else Place(int(found[1]), int(found[2]))
