"""What a campaign brought: each arm against who was held out, in all and by segment.

The methods are those of `model/experiments/`; see docs/explanation/measuring-campaigns.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from customer_segmentation.domain.arrays import BoolArray, FloatArray, IntArray
from customer_segmentation.domain.campaigns import HELD_OUT, Arm, Campaign, OutcomeKind, Plan
from customer_segmentation.domain.segments import Segment
from customer_segmentation.model.experiments.corrections import holm, simultaneous_alpha
from customer_segmentation.model.experiments.cuped import Adjusted, Paired, adjust
from customer_segmentation.model.experiments.effects import ALPHA, Effect, compare
from customer_segmentation.model.experiments.groups import Average, Group, Interval, Rate
from customer_segmentation.model.experiments.sentences import Words, describe
from customer_segmentation.model.experiments.sequences import ENOUGH, Growth, plan_sequence
from customer_segmentation.model.experiments.split import Contamination, SplitCheck, check_split
from customer_segmentation.model.experiments.suppression import Hidden, find_hidden
from customer_segmentation.model.experiments.worth import Worth, worth
from customer_segmentation.services.campaigns.campaigns import find_campaign
from customer_segmentation.services.campaigns.outcomes import outcomes_of
from customer_segmentation.services.runtime.clock import now
from customer_segmentation.services.runtime.unit_of_work import UnitOfWork, UnitsOfWork
from customer_segmentation.store.queries import campaigns
from customer_segmentation.store.queries.campaigns import Members


@dataclass(frozen=True, slots=True)
class Comparison:
    """An arm against who is held out, among all of the campaign's customers or in a segment.

    Attributes:
        size: customers of the arm, as drawn; None where that is hidden.
        control_size: customers held out; likewise.
        effect: with an interval for this very time; None where the groups are too small or too
            alike to tell, or the outcomes are hidden.
        corrected_p_value: of as many comparisons as there are (Holm).
        together: the interval of the lift that holds for all comparisons together (Bonferroni).
        always: the interval that holds although one looks every day; None while there is too
            little to tell, and for an outcome that may fall again.
        adjusted: the effect with less noise, by what was known before; None where that helps not.
        worth: in money; None where nobody said what an outcome is worth.
        sentence: for people.
        is_hidden: whether outcomes are not shown, as they are of too few customers.
    """

    size: int | None
    control_size: int | None
    effect: Effect | None
    corrected_p_value: float | None
    together: Interval | None
    always: Interval | None
    adjusted: Adjusted | None
    worth: Worth | None
    sentence: str
    is_hidden: bool


@dataclass(frozen=True, slots=True)
class ArmResult:
    """What an arm brought.

    Attributes:
        arm: what was done.
        overall: among all of the campaign's customers.
        segments: by the number of the segment that customers were in at the start.
        contamination: who was addressed otherwise than drawn; None where nobody said who was.
    """

    arm: Arm
    overall: Comparison
    segments: dict[int, Comparison]
    contamination: Contamination | None


@dataclass(frozen=True, slots=True)
class ReadOut:
    """What a campaign brought, as known at a moment.

    Attributes:
        campaign: which.
        at: the moment.
        is_complete: whether all outcomes that count are known by then.
        split: whether the groups came out as drawn.
        segment_names: by number.
        arms: what each brought.
    """

    campaign: Campaign
    at: datetime
    is_complete: bool
    split: SplitCheck
    segment_names: dict[int, str]
    arms: list[ArmResult]


def read_out(units: UnitsOfWork, campaign_id: int, least: int = 0) -> ReadOut:
    """Return what a campaign has brought until now, or until it ended.

    Args:
        units: over the database.
        campaign_id: of the campaign.
        least: counts of fewer customers are hidden, and what would give them away.

    Raises:
        CampaignNotFoundError: there is no such campaign.
        CampaignStateError: it has not started.
    """
    with units.read() as work:
        return read_out_within(work, campaign_id, least)


def read_out_within(work: UnitOfWork, campaign_id: int, least: int) -> ReadOut:
    """Do as `read_out`, in a transaction that may do more."""
    campaign = find_campaign(work, campaign_id, started=True)
    moment = now()
    members = campaigns.read_members(work.connection, campaign_id)
    outcomes = outcomes_of(work, campaign, members, moment)
    return _Reading(work, campaign, members, outcomes, least).read_out(moment)


_TOO_FEW = "Too few customers to show what came of them."
_TOO_LITTLE = "There is too little yet to tell the groups apart."
_NOTHING = "No outcomes are reported yet."


class _Reading:
    """Reads one campaign out."""

    def __init__(
        self,
        work: UnitOfWork,
        campaign: Campaign,
        members: Members,
        outcomes: FloatArray,
        least: int,
    ) -> None:
        self._campaign = campaign
        self._plan = campaign.plan
        self._members = members
        self._outcomes = outcomes
        self._segments = np.unique(members.segments).tolist()
        self._names = {
            number: _name(work.serving.segments.get(number), number) for number in self._segments
        }
        self._least = least
        self._hidden = self._find_hidden()
        self._before = _completed(members.before)
        is_silent = self._plan.outcome.kind is OutcomeKind.REPORTED and bool(
            np.isnan(members.outcomes).all()
        )
        self._too_little = _NOTHING if is_silent else _TOO_LITTLE

    def read_out(self, moment: datetime) -> ReadOut:
        arms = range(1, 1 + len(self._plan.arms))
        everybody = np.ones(len(self._outcomes), dtype=np.bool_)
        overall = self._compare([(arm, None, everybody) for arm in arms])
        places = [(arm, number) for arm in arms for number in self._segments]
        within = self._compare(
            [(arm, number, self._members.segments == number) for arm, number in places]
        )
        by_place = dict(zip(places, within, strict=True))
        results = [
            ArmResult(
                self._plan.arms[arm - 1],
                comparison,
                {number: by_place[arm, number] for number in self._segments},
                self._contamination(arm),
            )
            for arm, comparison in zip(arms, overall, strict=True)
        ]
        campaign = self._campaign
        due = campaign.due_at
        is_complete = campaign.ended_at is not None or (due is not None and moment >= due)
        return ReadOut(campaign, moment, is_complete, self._split(), self._names, results)

    def _find_hidden(self) -> Hidden:
        groups = range(1 + len(self._plan.arms))
        shape = (len(self._segments), len(groups))
        sizes, successes = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
        for row, number in enumerate(self._segments):
            for arm in groups:
                are = (self._members.segments == number) & (self._members.arms == arm)
                sizes[row, arm] = are.sum()
                successes[row, arm] = np.count_nonzero(self._outcomes[are])
        return find_hidden(sizes, successes, self._least)

    def _compare(self, places: Sequence[tuple[int, int | None, BoolArray]]) -> list[Comparison]:
        """Return an arm's comparison in each place, all of which are looked at together."""
        alpha = simultaneous_alpha(ALPHA, len(places))
        groups = [self._groups(arm, among) for arm, _, among in places]
        if self._too_little is _NOTHING:
            groups = [None] * len(places)
        effects = [pair and compare(*pair) for pair in groups]
        p_values = [1.0 if effect is None else effect.p_value for effect in effects]
        corrected = holm(p_values) if p_values else ()
        return [
            self._comparison(place, pair, effect, p_value, alpha)
            for place, pair, effect, p_value in zip(places, groups, effects, corrected, strict=True)
        ]

    def _comparison(
        self,
        place: tuple[int, int | None, BoolArray],
        pair: tuple[Group, Group] | None,
        effect: Effect | None,
        corrected: float,
        alpha: float,
    ) -> Comparison:
        arm, segment, among = place
        own, control = self._sizes(arm, segment, among)
        is_hidden = self._is_hidden(arm, segment)
        if is_hidden or effect is None or pair is None:
            sentence = _TOO_FEW if is_hidden else self._too_little
            nothing = (None,) * 6
            return Comparison(own, control, *nothing, sentence=sentence, is_hidden=is_hidden)
        together = compare(*pair, alpha=alpha)
        planned = self._plan.arms[arm - 1]
        name = "" if segment is None else self._names[segment]
        outcome = self._plan.outcome
        return Comparison(
            own,
            control,
            effect,
            corrected,
            None if together is None else together.interval,
            self._always(pair),
            self._adjusted(arm, among),
            None if outcome.value is None else worth(effect, outcome.value, self._cost(arm, among)),
            describe(effect, Words(planned.name, outcome.what, name, outcome.unit)),
            is_hidden=False,
        )

    def _sizes(
        self, arm: int, segment: int | None, among: BoolArray
    ) -> tuple[int | None, int | None]:
        if segment is None:
            hidden = self._hidden.totals
        else:
            hidden = self._hidden.sizes[self._segments.index(segment)]
        sizes = [int((among & (self._members.arms == group)).sum()) for group in (arm, HELD_OUT)]
        own, control = (
            None if hidden[group] else size
            for group, size in zip((arm, HELD_OUT), sizes, strict=True)
        )
        return own, control

    def _is_hidden(self, arm: int, segment: int | None) -> bool:
        hidden = self._hidden
        row = (
            hidden.total_outcomes
            if segment is None
            else hidden.outcomes[self._segments.index(segment)]
        )
        return bool(row[arm] or row[HELD_OUT])

    def _groups(self, arm: int, among: BoolArray) -> tuple[Group, Group] | None:
        found = [
            _group(self._plan, self._outcomes[among & (self._members.arms == group)])
            for group in (arm, HELD_OUT)
        ]
        own, control = found
        return None if own is None or control is None else (own, control)

    def _always(self, pair: tuple[Group, Group]) -> Interval | None:
        if self._plan.outcome.kind is OutcomeKind.ATTRIBUTE:
            return None
        if min(group.size for group in pair) < 2 * ENOUGH:
            return None
        arm, control = (_expected(self._plan, group.size) for group in pair)
        return plan_sequence(Growth.OUTCOMES, arm, control).look(*pair)

    def _adjusted(self, arm: int, among: BoolArray) -> Adjusted | None:
        if self._before is None:
            return None
        own, control = (among & (self._members.arms == group) for group in (arm, HELD_OUT))
        if min(own.sum(), control.sum()) < 2:
            return None
        before = self._before
        return adjust(
            Paired.of(self._outcomes[own], before[own]),
            Paired.of(self._outcomes[control], before[control]),
        )

    def _cost(self, arm: int, among: BoolArray) -> float:
        planned = self._plan.arms[arm - 1]
        own = among & (self._members.arms == arm)
        told = self._members.addressed[own]
        addressed = int((told == 1).sum()) if (told >= 0).any() else len(told)
        share = own.sum() / max(int((self._members.arms == arm).sum()), 1)
        return addressed * planned.cost + float(share) * planned.fixed_cost

    def _contamination(self, arm: int) -> Contamination | None:
        told = self._members.addressed
        if not (told >= 0).any():
            return None
        held_out, own = self._members.arms == HELD_OUT, self._members.arms == arm
        found = Contamination(
            int(held_out.sum()),
            int((told[held_out] == 1).sum()),
            int(own.sum()),
            int((told[own] != 1).sum()),
        )
        counts = (
            found.addressed_although_held_out,
            found.held_out - found.addressed_although_held_out,
            found.not_addressed,
            found.to_address - found.not_addressed,
        )
        return None if any(0 < count < self._least for count in counts) else found

    def _split(self) -> SplitCheck:
        reported = ~np.isnan(self._members.outcomes)
        counted = reported if reported.any() else np.ones(len(reported), dtype=np.bool_)
        arms: IntArray = self._members.arms[counted]
        sizes = np.bincount(arms, minlength=1 + len(self._plan.arms)).tolist()
        return check_split(sizes, self._plan.shares)


def _group(plan: Plan, outcomes: FloatArray) -> Group | None:
    """Return what is known of a group; None where it is too small."""
    if plan.outcome.is_rate:
        return Rate(len(outcomes), int(outcomes.sum())) if len(outcomes) else None
    return Average.of(outcomes) if len(outcomes) > 1 else None


def _expected(plan: Plan, size: int) -> Group:
    """Return what was expected of a group of a size before the start."""
    if plan.outcome.is_rate:
        return Rate(size, max(1, min(size - 1, round(plan.expected_rate * size))))
    return Average(size, 0.0, plan.expected_deviation**2, 0.0, size)


def _completed(before: FloatArray) -> FloatArray | None:
    """Return a covariate with its mean where it is missing; None where it says nothing."""
    known = ~np.isnan(before)
    if not known.any() or np.ptp(before[known]) == 0:
        return None
    return np.where(known, before, before[known].mean())


def _name(segment: Segment | None, number: int) -> str:
    return f"Segment {number}" if segment is None else segment.name
