"""Campaigns and what they brought, in answers."""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from customer_segmentation.api.v1.campaigns.bodies import PlanBody
from customer_segmentation.api.v1.disclosure import suppress_count
from customer_segmentation.domain.campaigns import Campaign, CampaignState
from customer_segmentation.services.campaigns.campaigns import Forecast

if TYPE_CHECKING:
    from customer_segmentation.services.campaigns.reading import ArmResult, Comparison, ReadOut

Found = TypeVar("Found")
Shown = TypeVar("Shown")


class CampaignAnswer(BaseModel):
    """A campaign."""

    id: int = Field(description="Never given again.")
    name: str = Field(description="What people call it.")
    audience_id: int = Field(description="Whom it is for.")
    plan: PlanBody = Field(description="What is planned of it.")
    state: CampaignState = Field(description="How far it is.")
    created_at: datetime = Field(description="When it was planned, in UTC.")
    created_by: str = Field(description="By whom; empty if unknown.")
    started_at: datetime | None = Field(description="When its customers were drawn.")
    due_at: datetime | None = Field(description="When its outcomes are complete, and it ends.")
    ended_at: datetime | None = Field(description="When it ended.")
    customers: int | None = Field(
        description="How many were drawn, those held out included; null where hidden."
    )
    left_out: int | None = Field(
        description="How many of the audience were not drawn, as they had not agreed; null where "
        "hidden."
    )


class CampaignList(BaseModel):
    """All campaigns, the oldest first."""

    campaigns: list[CampaignAnswer]


class ArmForecast(BaseModel):
    """What an arm could show."""

    name: str = Field(description="The arm's.")
    customers: int | None = Field(
        description="How many are expected in it; null where the audience's size is hidden."
    )
    smallest_lift: float | None = Field(
        description="The smallest lift that shows in 80 of 100 such campaigns; 0.01 is one "
        "percentage point of a rate. Null where none can, or the audience's size is hidden."
    )


class Overlapping(BaseModel):
    """A running campaign with customers of the audience."""

    campaign: str = Field(description="Its name.")
    customers: int | None = Field(
        description="How many of the audience's customers are in it too; null where hidden."
    )


class ForecastAnswer(BaseModel):
    """What a campaign could show."""

    customers: int | None = Field(
        description="How many are in the audience now; null where hidden."
    )
    held_out: int | None = Field(
        description="How many of them are expected to be held out; null where that is hidden."
    )
    arms: list[ArmForecast]
    overlaps: list[Overlapping] = Field(
        description="Running campaigns that address some of the same customers, which blurs both."
    )


class IntervalAnswer(BaseModel):
    """A range that covers the true value in 95 of 100 campaigns."""

    model_config = ConfigDict(from_attributes=True)

    low: float = Field(description="Its lower end.")
    high: float = Field(description="Its upper end.")


class EffectAnswer(BaseModel):
    """The difference that an arm makes, of each customer."""

    arm_mean: float = Field(description="Of the arm: the share with the outcome, or the mean.")
    control_mean: float = Field(description="The same of those held out.")
    lift: float = Field(description="The difference; 0.01 is one percentage point of a rate.")
    interval: IntervalAnswer = Field(description="Of the lift, for this very time.")
    p_value: float = Field(description="How probable such a lift is where the arm does nothing.")
    relative: float | None = Field(description="The lift as a share of the control mean.")
    relative_interval: IntervalAnswer | None = Field(description="Of that.")
    method: str = Field(description="How the interval is computed.")


class AdjustedAnswer(BaseModel):
    """The effect with less noise, by what was known before the start (CUPED)."""

    effect: EffectAnswer
    removed: float = Field(description="The share of the variance that is gone, from 0 to 1.")


class WorthAnswer(BaseModel):
    """What an arm brought and cost, in money."""

    model_config = ConfigDict(from_attributes=True)

    incremental: float = Field(description="Outcomes that would not have been without the arm.")
    incremental_interval: IntervalAnswer
    value: float = Field(description="Of these.")
    value_interval: IntervalAnswer
    cost: float = Field(description="Of the arm.")
    net: float = Field(description="The value less the cost.")
    net_interval: IntervalAnswer
    net_per_customer: float = Field(description="The same for each customer of the arm.")


class ComparisonAnswer(BaseModel):
    """An arm against who is held out."""

    size: int | None = Field(description="Customers of the arm, as drawn; null where hidden.")
    control_size: int | None = Field(description="Customers held out; null where hidden.")
    effect: EffectAnswer | None = Field(description="Null where hidden, or too little is known.")
    corrected_p_value: float | None = Field(description="For as many comparisons (Holm).")
    together: IntervalAnswer | None = Field(
        description="Of the lift, for all comparisons together (Bonferroni)."
    )
    always: IntervalAnswer | None = Field(
        description="Of the lift, however often one looks (a confidence sequence)."
    )
    adjusted: AdjustedAnswer | None
    worth: WorthAnswer | None
    sentence: str = Field(description="For people.")
    is_hidden: bool = Field(description="Whether outcomes are of too few customers to be shown.")


class SegmentComparison(ComparisonAnswer):
    """An arm against who is held out, in the segment that they were in at the start."""

    segment: int = Field(description="Its number.")
    segment_name: str = Field(description="What people call it.")


class ContaminationAnswer(BaseModel):
    """Who was addressed otherwise than drawn."""

    model_config = ConfigDict(from_attributes=True)

    addressed_although_held_out: int = Field(description="Who were held out, and addressed.")
    held_out: int = Field(description="Who were held out.")
    not_addressed: int = Field(description="Who were to be addressed, and were not.")
    to_address: int = Field(description="Who were to be addressed.")


class ArmAnswer(BaseModel):
    """What an arm brought."""

    name: str = Field(description="The arm's.")
    overall: ComparisonAnswer
    segments: list[SegmentComparison]
    contamination: ContaminationAnswer | None = Field(
        description="Null where nobody said who was addressed, or it is of too few customers."
    )


class SplitAnswer(BaseModel):
    """Whether the groups came out as drawn."""

    model_config = ConfigDict(from_attributes=True)

    expected: tuple[float, ...] = Field(description="Customers held out and in each arm.")
    p_value: float = Field(description="How probable sizes as far from these are.")
    is_mismatch: bool = Field(description="Whether no figure of the campaign can be trusted.")


class ReadOutAnswer(BaseModel):
    """What a campaign brought, as known now."""

    campaign: int = Field(description="Its id.")
    name: str = Field(description="The campaign's.")
    at: datetime = Field(description="In UTC.")
    is_complete: bool = Field(description="Whether all outcomes that count are known.")
    outcome: str = Field(description="What it is to bring.")
    is_rate: bool = Field(description="Whether the outcome is yes or no for each customer.")
    unit: str = Field(description="Of a sum.")
    split: SplitAnswer
    arms: list[ArmAnswer]


class ResultAnswer(BaseModel):
    """What an arm of an ended campaign brought in a segment."""

    model_config = ConfigDict(from_attributes=True)

    campaign: str = Field(description="Its name.")
    arm: str = Field(description="The arm's name.")
    strategy: str = Field(description="What was done.")
    channel: str = Field(description="On which channel.")
    outcome: str = Field(description="What it was to bring.")
    lift: float = Field(description="Of each customer.")
    low: float = Field(description="The lower end of the lift's 95 % interval.")
    high: float = Field(description="The upper end.")
    is_clear: bool = Field(description="Whether it is clear among all of the campaign's arms.")
    net_per_customer: float | None = Field(description="In money, where its value was said.")
    sentence: str = Field(description="For people.")


class Results(BaseModel):
    """What ended campaigns brought in a segment, the newest first."""

    results: list[ResultAnswer]


def show_campaign(found: tuple[Campaign, int], least: int) -> CampaignAnswer:
    """Return a campaign, and how many customers it has drawn, as it is shown."""
    campaign, customers = found
    return CampaignAnswer(
        id=campaign.id,
        name=campaign.name,
        audience_id=campaign.audience_id,
        plan=PlanBody.model_validate(campaign.plan.content),
        state=campaign.state,
        created_at=campaign.created_at,
        created_by=campaign.created_by,
        started_at=campaign.started_at,
        due_at=campaign.due_at,
        ended_at=campaign.ended_at,
        customers=suppress_count(customers, least),
        left_out=suppress_count(campaign.left_out, least),
    )


def show_forecast(found: Forecast, names: list[str], least: int) -> ForecastAnswer:
    """Return what a campaign with arms of these names could show.

    What follows from the audience's size is hidden where that is.
    """
    held_out, *sizes = found.sizes
    customers = suppress_count(found.customers, least)
    is_hidden = customers is None
    arms = [
        ArmForecast(
            name=name,
            customers=None if is_hidden else size,
            smallest_lift=None if is_hidden else lift,
        )
        for name, size, lift in zip(names, sizes, found.smallest_lifts, strict=True)
    ]
    overlaps = [
        Overlapping(campaign=one, customers=suppress_count(count, least))
        for one, count in found.overlaps.items()
    ]
    return ForecastAnswer(
        customers=customers,
        held_out=None if is_hidden else held_out,
        arms=arms,
        overlaps=overlaps,
    )


def show_read_out(found: "ReadOut") -> ReadOutAnswer:
    """Return a read-out as it is shown."""
    outcome = found.campaign.plan.outcome
    return ReadOutAnswer(
        campaign=found.campaign.id,
        name=found.campaign.name,
        at=found.at,
        is_complete=found.is_complete,
        outcome=outcome.what,
        is_rate=outcome.is_rate,
        unit=outcome.unit,
        split=SplitAnswer.model_validate(found.split),
        arms=[_arm(result, found.segment_names) for result in found.arms],
    )


def _arm(result: "ArmResult", names: dict[int, str]) -> ArmAnswer:
    segments = [
        SegmentComparison(segment=number, segment_name=names[number], **_comparison(comparison))
        for number, comparison in result.segments.items()
    ]
    return ArmAnswer(
        name=result.arm.name,
        overall=ComparisonAnswer(**_comparison(result.overall)),
        segments=segments,
        contamination=_if(ContaminationAnswer.model_validate, result.contamination),
    )


def _comparison(found: "Comparison") -> dict[str, Any]:
    return {
        "size": found.size,
        "control_size": found.control_size,
        "effect": _if(_effect, found.effect),
        "corrected_p_value": found.corrected_p_value,
        "together": _if(IntervalAnswer.model_validate, found.together),
        "always": _if(IntervalAnswer.model_validate, found.always),
        "adjusted": None
        if found.adjusted is None
        else AdjustedAnswer(effect=_effect(found.adjusted.effect), removed=found.adjusted.removed),
        "worth": _if(WorthAnswer.model_validate, found.worth),
        "sentence": found.sentence,
        "is_hidden": found.is_hidden,
    }


def _effect(effect: Any) -> EffectAnswer:  # noqa: ANN401
    return EffectAnswer(
        arm_mean=effect.arm.mean,
        control_mean=effect.control.mean,
        lift=effect.lift,
        interval=IntervalAnswer.model_validate(effect.interval),
        p_value=effect.p_value,
        relative=effect.relative,
        relative_interval=_if(IntervalAnswer.model_validate, effect.relative_interval),
        method=effect.method,
    )


def _if(show: Callable[[Found], Shown], found: Found | None) -> Shown | None:
    return None if found is None else show(found)
