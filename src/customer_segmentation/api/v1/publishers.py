"""Publishers of the feed as resources, under `/v1/publishers`."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StrictBool

from customer_segmentation.api.http.fields import NUMBER, Line
from customer_segmentation.api.http.openapi import problem_responses
from customer_segmentation.api.http.problems import INVALID, PUBLISHER_HELD, STORE_UNAVAILABLE
from customer_segmentation.api.http.requests import JsonRoute
from customer_segmentation.api.http.roles import needs
from customer_segmentation.api.http.routers import Router
from customer_segmentation.domain.access import Role
from customer_segmentation.domain.publishers import Publisher
from customer_segmentation.services.operation.publishers import hold_publisher, list_publishers
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork

_Name = Annotated[Line, Field(min_length=1, max_length=200)]


class Hold(BaseModel):
    """Which publisher to hold, and for how long."""

    model_config = ConfigDict(extra="forbid")

    name: _Name = Field(description="Of the publisher; a new one is made.", examples=["crm"])
    holder: _Name = Field(description="Which process holds it.", examples=["host-1 4711"])
    seconds: Annotated[float, Field(ge=0, le=3600), NUMBER] = Field(
        default=10, description="For how long from now on; 0 gives it back."
    )
    cursor: Annotated[str, Field(pattern=r"^\d{1,18}$")] | None = Field(
        default=None, description="Up to where events are sent; null leaves it as it is."
    )
    latest: StrictBool = Field(
        default=False,
        description="Whether a new one begins with events to come, and not with the oldest.",
    )


class PublisherAnswer(BaseModel):
    """A publisher."""

    name: str = Field(description="Of the publisher.")
    cursor: str = Field(description="Up to where events are sent: `after` of the next ones.")
    holder: str = Field(description="Which process held it last.")
    held_until: datetime = Field(description="Until when no other process may hold it, in UTC.")


class Publishers(BaseModel):
    """Every publisher, by name."""

    publishers: list[PublisherAnswer]


def publishers_router(units: UnitsOfWork) -> Router:
    """Return the routes of publishers."""
    router = Router("/v1", "Events", route_class=JsonRoute)

    @router.get(
        "/publishers",
        summary="The publishers of events",
        operation_id="list_publishers",
        responses=problem_responses(STORE_UNAVAILABLE),
    )
    @needs(Role.READER)
    def show_all() -> Publishers:
        """List every publisher, and up to where in the feed it has sent events."""
        return Publishers(publishers=[_answer(one) for one in list_publishers(units)])

    @router.post(
        "/publishers:hold",
        summary="Hold a publisher",
        operation_id="hold_publisher",
        responses=problem_responses(PUBLISHER_HELD, INVALID, STORE_UNAVAILABLE),
    )
    @needs(Role.WRITER)
    def hold(asked: Hold) -> PublisherAnswer:
        """Hold a publisher, or go on holding it, and note up to where events are sent.

        One process at a time sends events under a name. Whoever holds it next, also after the one
        before was killed, goes on from the cursor.
        """
        position = None if asked.cursor is None else int(asked.cursor)
        return _answer(
            hold_publisher(
                units, asked.name, asked.holder, asked.seconds, position, latest=asked.latest
            )
        )

    return router


def _answer(one: Publisher) -> PublisherAnswer:
    return PublisherAnswer(
        name=one.name, cursor=str(one.position), holder=one.holder, held_until=one.held_until
    )
