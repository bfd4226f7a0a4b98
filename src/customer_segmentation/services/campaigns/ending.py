"""The use case of ending a campaign: what was learnt from it stays."""

from datetime import datetime
from typing import TYPE_CHECKING

from customer_segmentation.domain.campaigns import Campaign, CampaignState, Result
from customer_segmentation.domain.errors import CampaignStateError, SegmentNotFoundError
from customer_segmentation.domain.transactions import to_microseconds
from customer_segmentation.services.campaigns.campaigns import CAMPAIGN, find_campaign
from customer_segmentation.services.runtime.audit import note
from customer_segmentation.services.runtime.clock import now
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork, retried
from customer_segmentation.store.queries import campaigns

if TYPE_CHECKING:
    from customer_segmentation.services.campaigns.reading import ArmResult, Comparison, ReadOut

CLEAR = 0.05
"""A result is clear whose p-value, corrected for all comparisons of its campaign, is below this."""


def end_campaign(units: UnitsOfWork, campaign_id: int, by: str, least: int = 0) -> Campaign:
    """End a campaign: outcomes of later count no more, and its results are kept.

    Args:
        units: over the database.
        campaign_id: of the campaign.
        by: who ends it.
        least: results of fewer customers are not kept.

    Raises:
        CampaignNotFoundError: there is no such campaign.
        CampaignStateError: it is not running.
    """

    # What it needs of SciPy takes half a second to import.
    from customer_segmentation.services.campaigns.reading import read_out_within

    @retried
    def end() -> Campaign:
        with units.write() as work:
            found = find_campaign(work, campaign_id, for_update=True)
            if found.state is not CampaignState.RUNNING:
                told = f"Campaign {found.name} is {found.state}, and must be running to be ended"
                raise CampaignStateError(told)
            moment, state = now(), str(CampaignState.ENDED)
            campaigns.change(work.connection, campaign_id, state=state, ended_at=moment)
            results = results_of(read_out_within(work, campaign_id, least))
            campaigns.keep_results(work.connection, campaign_id, results)
            note(work.connection, CAMPAIGN, found.name, "ended", by)
            return find_campaign(work, campaign_id)

    return end()


def end_due_campaigns(units: UnitsOfWork, moment: datetime, least: int = 0) -> None:
    """End each campaign whose outcomes are complete; `least` as for `end_campaign`."""
    with units.database.read() as connection:
        due = [
            one
            for one in campaigns.read_all(connection)
            if one.state is CampaignState.RUNNING and one.due_at and one.due_at <= moment
        ]
    for one in due:
        end_campaign(units, one.id, "", least)


def list_results(units: UnitsOfWork, segment: int) -> list[Result]:
    """Return what ended campaigns brought in a segment, the newest first.

    Raises:
        SegmentNotFoundError: the active model has no such segment.
    """
    with units.read() as work:
        if segment not in work.serving.segments:
            raise SegmentNotFoundError(segment)
        found = campaigns.read_results(work.connection)
    own = [one for one in found if one.segment == segment]
    return sorted(own, key=lambda one: -one.ended)


def results_of(found: "ReadOut") -> list[Result]:
    """Return what of a read-out is to stay: what each arm brought in each segment."""
    return [
        result
        for arm in found.arms
        for number, comparison in arm.segments.items()
        if (result := _result(found, arm, number, comparison)) is not None
    ]


def _result(
    found: "ReadOut", arm: "ArmResult", segment: int, comparison: "Comparison"
) -> Result | None:
    effect, p_value = comparison.effect, comparison.corrected_p_value
    if effect is None or p_value is None:
        return None
    ended = found.campaign.ended_at
    return Result(
        campaign=found.campaign.name,
        arm=arm.arm.name,
        strategy=arm.arm.strategy or arm.arm.name,
        channel=arm.arm.channel,
        segment=segment,
        outcome=found.campaign.plan.outcome.what,
        lift=effect.lift,
        low=effect.interval.low,
        high=effect.interval.high,
        is_clear=p_value < CLEAR,
        net_per_customer=None if comparison.worth is None else comparison.worth.net_per_customer,
        sentence=comparison.sentence,
        ended=0 if ended is None else to_microseconds(ended),
    )
