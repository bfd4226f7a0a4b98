"""The routes of audiences."""

from typing import Annotated

from fastapi import Path, Response

from customer_segmentation.api.http.openapi import problem_responses
from customer_segmentation.api.http.preconditions import IfMatch, tags_of
from customer_segmentation.api.http.problems import (
    AUDIENCE_EXISTS,
    INVALID,
    NO_AUDIENCE,
    NOT_READY,
    STALE_AUDIENCE,
    STORE_UNAVAILABLE,
)
from customer_segmentation.api.http.requests import JsonRoute
from customer_segmentation.api.http.roles import needs
from customer_segmentation.api.http.routers import Router
from customer_segmentation.api.middleware.authentication import Actor, MinGroupSize
from customer_segmentation.api.v1.audiences.answers import (
    AudienceAnswer,
    AudienceBody,
    AudienceChanges,
    Audiences,
    CountAnswer,
    Overlaps,
    ProfileAnswer,
    RuleBody,
    Sizes,
    show_audience,
    show_count,
    show_overlaps,
    show_profile,
    show_sizes,
)
from customer_segmentation.domain.access import Role
from customer_segmentation.services.audiences.audiences import (
    NewAudience,
    change_audience,
    count_matching,
    count_overlaps,
    create_audience,
    delete_audience,
    get_audience,
    list_audiences,
    list_sizes,
    profile_audience,
)
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork

AudienceId = Annotated[int, Path(ge=1, le=2**31 - 1, description="The audience's id.")]
_ERRORS = (NO_AUDIENCE, INVALID, NOT_READY, STORE_UNAVAILABLE)


def audiences_router(units: UnitsOfWork) -> Router:
    """Return the routes under `/v1/audiences`."""
    router = Router("/v1", "Audiences", route_class=JsonRoute)

    @router.post(
        "/audiences",
        status_code=201,
        summary="Save an audience",
        operation_id="create_audience",
        responses=problem_responses(AUDIENCE_EXISTS, INVALID, NOT_READY, STORE_UNAVAILABLE),
    )
    @needs(Role.WRITER)
    def create(
        asked: AudienceBody, actor: Actor, response: Response, least: MinGroupSize
    ) -> AudienceAnswer:
        """Save a rule under a name; who meets it is in the audience, from now on or for good.

        Whenever a customer enters a current audience or leaves it, that is in `/v1/events`, written
        in the transaction that changes the customer. `/v1/customers?audience=` lists its customers.
        """
        new = NewAudience(asked.name, asked.rule, asked.description, asked.owner, asked.frozen)
        made = create_audience(units, new, actor or asked.by)
        response.headers["Location"] = f"/v1/audiences/{made.id}"
        return show_audience(made, least)

    @router.post(
        "/audiences:count",
        summary="How many customers meet a rule",
        operation_id="count_audience",
        responses=problem_responses(INVALID, NOT_READY, STORE_UNAVAILABLE),
    )
    @needs(Role.READER)
    def count(asked: RuleBody, least: MinGroupSize) -> CountAnswer:
        """Count the customers who meet a rule now, in all and by segment, and save nothing."""
        return show_count(count_matching(units, asked.rule), least)

    @router.get(
        "/audiences",
        summary="The audiences",
        operation_id="list_audiences",
        responses=problem_responses(NOT_READY, STORE_UNAVAILABLE),
    )
    @needs(Role.READER)
    def show_all(least: MinGroupSize) -> Audiences:
        """List every audience and its size, the oldest first."""
        return Audiences(audiences=[show_audience(one, least) for one in list_audiences(units)])

    @router.get(
        "/audiences/{audience_id:int}",
        summary="An audience",
        operation_id="get_audience",
        responses=problem_responses(*_ERRORS),
    )
    @needs(Role.READER)
    def show(audience_id: AudienceId, least: MinGroupSize) -> AudienceAnswer:
        """Return an audience's rule and how many customers are in it now."""
        return show_audience(get_audience(units, audience_id), least)

    @router.patch(
        "/audiences/{audience_id:int}",
        summary="Change an audience",
        operation_id="change_audience",
        responses=problem_responses(AUDIENCE_EXISTS, STALE_AUDIENCE, *_ERRORS),
    )
    @needs(Role.WRITER)
    def change(
        audience_id: AudienceId,
        asked: AudienceChanges,
        actor: Actor,
        least: MinGroupSize,
        if_match: IfMatch = None,
    ) -> AudienceAnswer:
        """Change name, description, owner or rule; with `If-Match`, only if its `tag` is the same.

        With another rule, whoever comes or goes by it is in the feed.
        """
        by, tags = actor or asked.by, tags_of(if_match)
        return show_audience(change_audience(units, audience_id, asked.given, by, tags), least)

    @router.delete(
        "/audiences/{audience_id:int}",
        status_code=204,
        summary="Delete an audience",
        operation_id="delete_audience",
        responses=problem_responses(*_ERRORS),
    )
    @needs(Role.WRITER)
    def delete(audience_id: AudienceId, actor: Actor) -> Response:
        """Delete it; its customers stay, and so do its events."""
        delete_audience(units, audience_id, actor)
        return Response(status_code=204)

    @router.get(
        "/audiences/{audience_id:int}/profile",
        summary="What an audience's customers are like",
        operation_id="get_audience_profile",
        responses=problem_responses(*_ERRORS),
    )
    @needs(Role.READER)
    def profile(audience_id: AudienceId, least: MinGroupSize) -> ProfileAnswer:
        """Return means and shares of the attributes among its customers, beside all customers."""
        return show_profile(profile_audience(units, audience_id), least)

    @router.get(
        "/audiences/{audience_id:int}/overlaps",
        summary="How many customers it shares with other audiences",
        operation_id="get_audience_overlaps",
        responses=problem_responses(*_ERRORS),
    )
    @needs(Role.READER)
    def overlaps(audience_id: AudienceId, least: MinGroupSize) -> Overlaps:
        """Count the customers that are in this audience and in each other one."""
        size = get_audience(units, audience_id).size
        return show_overlaps(count_overlaps(units, audience_id), size, least)

    @router.get(
        "/audiences/{audience_id:int}/sizes",
        summary="How large an audience was, by day",
        operation_id="get_audience_sizes",
        responses=problem_responses(*_ERRORS),
    )
    @needs(Role.READER)
    def sizes(audience_id: AudienceId, least: MinGroupSize) -> Sizes:
        """Return its size on each day since it was saved."""
        return show_sizes(list_sizes(units, audience_id), least)

    return router
