"""The routes of campaigns."""

from typing import Annotated, Any

from fastapi import Path, Response
from pydantic import BaseModel, Field

from customer_segmentation.api.http.openapi import problem_responses
from customer_segmentation.api.http.problems import (
    CAMPAIGN_EXISTS,
    CAMPAIGN_STATE,
    INVALID,
    NO_AUDIENCE,
    NO_CAMPAIGN,
    NO_SEGMENT,
    NOT_READY,
    STORE_UNAVAILABLE,
)
from customer_segmentation.api.http.requests import JsonRoute
from customer_segmentation.api.http.roles import needs
from customer_segmentation.api.http.routers import Router
from customer_segmentation.api.middleware.authentication import Actor, MinGroupSize
from customer_segmentation.api.middleware.body_limits import takes_many
from customer_segmentation.api.v1.campaigns.answers import (
    CampaignAnswer,
    CampaignList,
    ForecastAnswer,
    ReadOutAnswer,
    ResultAnswer,
    Results,
    show_campaign,
    show_forecast,
    show_read_out,
)
from customer_segmentation.api.v1.campaigns.bodies import (
    MAX_ROWS,
    ROW_BYTES,
    CampaignBody,
    ForecastBody,
    PlanBody,
    outcomes_body,
    reported,
)
from customer_segmentation.api.v1.jobs import Asked
from customer_segmentation.api.v1.segments.routes import SegmentNumber
from customer_segmentation.domain.access import Role
from customer_segmentation.services.campaigns.campaigns import (
    change_plan,
    delete_campaign,
    forecast,
    get_campaign,
    list_campaigns,
    plan_campaign,
    report_outcomes,
    start_campaign,
)
from customer_segmentation.services.campaigns.ending import end_campaign, list_results
from customer_segmentation.services.runtime.settings import Settings
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork

CampaignId = Annotated[int, Path(ge=1, le=2**31 - 1, description="The campaign's id.")]
_ERRORS = (NO_CAMPAIGN, INVALID, NOT_READY, STORE_UNAVAILABLE)


class OutcomesTaken(BaseModel):
    """What became of reported outcomes."""

    noted: int = Field(description="Customers of whom they are noted.")
    not_in_campaign: list[int | str] = Field(
        description="The first hundred who are not in the campaign, of whom nothing is noted."
    )
    others: int = Field(description="How many are not in the campaign.")


_TOLD = 100


def campaigns_router(units: UnitsOfWork, settings: Settings) -> Router:
    """Return the routes under `/v1/campaigns`, and of what a segment's campaigns brought."""
    router = Router("/v1", "Campaigns", route_class=JsonRoute)
    outcomes_type: Any = outcomes_body(units.schema.id)

    @router.post(
        "/campaigns",
        status_code=201,
        summary="Plan a campaign",
        operation_id="create_campaign",
        responses=problem_responses(
            CAMPAIGN_EXISTS, NO_AUDIENCE, INVALID, NOT_READY, STORE_UNAVAILABLE
        ),
    )
    @needs(Role.WRITER)
    def create(
        asked: CampaignBody, actor: Actor, response: Response, least: MinGroupSize
    ) -> CampaignAnswer:
        """Say who is addressed with what, who is held out, and what is to come of it.

        Nothing is done before `:start`. `/v1/campaigns:forecast` tells what it could show.
        """
        by = actor or asked.by
        made = plan_campaign(units, asked.name, asked.audience_id, asked.plan, by)
        response.headers["Location"] = f"/v1/campaigns/{made.id}"
        return show_campaign((made, 0), least)

    @router.post(
        "/campaigns:forecast",
        summary="What a campaign could show",
        operation_id="forecast_campaign",
        responses=problem_responses(NO_AUDIENCE, INVALID, NOT_READY, STORE_UNAVAILABLE),
    )
    @needs(Role.READER)
    def tell(asked: ForecastBody, least: MinGroupSize) -> ForecastAnswer:
        """Tell the size of each arm, the smallest lift that it can show, and who is in others."""
        plan = asked.plan
        found = forecast(units, asked.audience_id, plan)
        return show_forecast(found, [arm.name for arm in plan.arms], least)

    @router.get(
        "/campaigns",
        summary="The campaigns",
        operation_id="list_campaigns",
        responses=problem_responses(NOT_READY, STORE_UNAVAILABLE),
    )
    @needs(Role.READER)
    def show_all(least: MinGroupSize) -> CampaignList:
        """List every campaign, the oldest first."""
        return CampaignList(campaigns=[show_campaign(one, least) for one in list_campaigns(units)])

    @router.get(
        "/campaigns/{campaign_id:int}",
        summary="A campaign",
        operation_id="get_campaign",
        responses=problem_responses(*_ERRORS),
    )
    @needs(Role.READER)
    def show(campaign_id: CampaignId, least: MinGroupSize) -> CampaignAnswer:
        """Return a campaign's plan and how far it is."""
        return show_campaign(get_campaign(units, campaign_id), least)

    @router.put(
        "/campaigns/{campaign_id:int}/plan",
        summary="Change a campaign's plan",
        operation_id="change_campaign_plan",
        responses=problem_responses(CAMPAIGN_STATE, *_ERRORS),
    )
    @needs(Role.WRITER)
    def change(
        campaign_id: CampaignId, asked: PlanBody, actor: Actor, least: MinGroupSize
    ) -> CampaignAnswer:
        """Give a campaign that has not started another plan."""
        return show_campaign((change_plan(units, campaign_id, asked.plan, actor), 0), least)

    @router.delete(
        "/campaigns/{campaign_id:int}",
        status_code=204,
        summary="Delete a campaign",
        operation_id="delete_campaign",
        responses=problem_responses(CAMPAIGN_STATE, *_ERRORS),
    )
    @needs(Role.WRITER)
    def delete(campaign_id: CampaignId, actor: Actor) -> Response:
        """Delete a campaign that is not running, with what was learnt from it."""
        delete_campaign(units, campaign_id, actor)
        return Response(status_code=204)

    @router.post(
        "/campaigns/{campaign_id:int}:start",
        summary="Start a campaign",
        operation_id="start_campaign",
        responses=problem_responses(CAMPAIGN_STATE, NO_AUDIENCE, *_ERRORS),
    )
    @needs(Role.WRITER)
    def start(
        campaign_id: CampaignId,
        actor: Actor,
        least: MinGroupSize,
        asked: Asked | None = None,
    ) -> CampaignAnswer:
        """Draw the audience's customers of now into the arms; export them with `campaign_id`."""
        origin = (asked or Asked()).origin(actor)
        start_campaign(units, campaign_id, origin.by, settings.unknown_consent)
        return show_campaign(get_campaign(units, campaign_id), least)

    @router.post(
        "/campaigns/{campaign_id:int}:end",
        summary="End a campaign",
        operation_id="end_campaign",
        responses=problem_responses(CAMPAIGN_STATE, *_ERRORS),
    )
    @needs(Role.WRITER)
    def end(
        campaign_id: CampaignId,
        actor: Actor,
        least: MinGroupSize,
        asked: Asked | None = None,
    ) -> CampaignAnswer:
        """Let no outcome of later count; it ends by itself once all that count are known."""
        origin = (asked or Asked()).origin(actor)
        end_campaign(units, campaign_id, origin.by, settings.min_group_size)
        return show_campaign(get_campaign(units, campaign_id), least)

    @router.post(
        "/campaigns/{campaign_id:int}/outcomes",
        summary="Report outcomes of a campaign",
        operation_id="report_outcomes",
        responses=problem_responses(CAMPAIGN_STATE, *_ERRORS),
    )
    @needs(Role.WRITER)
    @takes_many(MAX_ROWS * ROW_BYTES)
    def report(campaign_id: CampaignId, asked: outcomes_type, actor: Actor) -> OutcomesTaken:
        """Note what came of customers, and who was addressed; again replaces what was noted."""
        rows = asked.outcomes
        told = reported(rows, is_text=units.schema.id.is_text)
        others = report_outcomes(units, campaign_id, told, actor or asked.by)
        return OutcomesTaken(
            noted=len(rows) - len(others), not_in_campaign=others[:_TOLD], others=len(others)
        )

    @router.get(
        "/campaigns/{campaign_id:int}/read-out",
        summary="What a campaign brought",
        operation_id="read_out_campaign",
        responses=problem_responses(CAMPAIGN_STATE, *_ERRORS),
    )
    @needs(Role.READER)
    def read(campaign_id: CampaignId, least: MinGroupSize) -> ReadOutAnswer:
        """Compare each arm with who is held out, in all and by segment, as known now."""
        # What it needs of SciPy takes half a second to import.
        from customer_segmentation.services.campaigns.reading import read_out

        return show_read_out(read_out(units, campaign_id, least))

    @router.get(
        "/segments/{number:int}/results",
        summary="What campaigns brought in a segment",
        operation_id="list_segment_results",
        responses=problem_responses(NO_SEGMENT, INVALID, NOT_READY, STORE_UNAVAILABLE),
    )
    @needs(Role.READER)
    def results(number: SegmentNumber) -> Results:
        """List what each strategy of an ended campaign brought, with its interval."""
        found = list_results(units, number)
        return Results(results=[ResultAnswer.model_validate(one) for one in found])

    return router
