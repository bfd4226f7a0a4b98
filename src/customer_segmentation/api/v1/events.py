"""The feed of customers' changes of segments and audiences: `/v1/events`."""

from typing import Annotated, Any

from fastapi import Query
from pydantic import BaseModel, Field, create_model

from customer_segmentation.api.http.openapi import problem_responses
from customer_segmentation.api.http.problems import INVALID, STORE_UNAVAILABLE
from customer_segmentation.api.http.roles import needs
from customer_segmentation.api.http.routers import Router
from customer_segmentation.api.v1.customers.answers import HistoryEntry, whose
from customer_segmentation.domain.access import Role
from customer_segmentation.domain.history import FEED_START
from customer_segmentation.services.customers.events import (
    event_fields,
    latest_position,
    read_cursor,
    read_events,
)
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork

_LATEST = "latest"


class Event(HistoryEntry):
    """A change of a customer's segment, or of an audience, and its place in the feed."""

    cursor: str = Field(description="Go on after this event with `after`.")
    customer_id: int = Field(description="Who changed.")
    audience_id: int | None = Field(
        description="The audience that was entered or left; null for a change of segment."
    )
    entered: bool | None = Field(
        description="Whether the audience was entered, and not left; null for a change of segment. "
        "Both segments are then the one that the customer is in."
    )


class Events(BaseModel):
    """Some events, and where to go on."""

    events: list[Event]
    next: str = Field(description="`after` of the next call; the same again where nothing is new.")


def events_router(units: UnitsOfWork) -> Router:
    """Return the route of the feed."""
    router = Router("/v1", "Events")
    event = whose(Event, units.schema.id)
    answer = _some(event)

    @router.get(
        "/events",
        summary="Customers' changes of segments and audiences, to follow",
        operation_id="list_events",
        response_model=answer,
        responses=problem_responses(INVALID, STORE_UNAVAILABLE),
    )
    @needs(Role.READER)
    def events(
        after: Annotated[
            str | None,
            Query(
                pattern=rf"^({_LATEST}|\d{{1,18}}|-?\d{{1,18}}\.-?\d{{1,18}})$",
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
            return answer(events=[], next=str(latest_position(units)))
        place = FEED_START if after is None else read_cursor(units, after)
        found = read_events(units, place, limit)
        return answer(
            events=[event.model_validate(event_fields(at, change)) for at, change in found],
            next=str(found[-1][0] if found else place),
        )

    return router


def _some(event: Any) -> type[Events]:  # noqa: ANN401
    """Return the type of some events of a type."""
    if event is Event:
        return Events
    fields: dict[str, Any] = {"events": (list[event], ...)}
    return create_model("Events", __base__=Events, __doc__=Events.__doc__, **fields)
