"""Campaigns: what is done to whom, who is left out, and what is to come of it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Any

import numpy as np

from customer_segmentation.domain.arrays import IdArray, IntArray
from customer_segmentation.domain.attributes import CustomerId
from customer_segmentation.domain.control_groups import ControlGroup, Group
from customer_segmentation.domain.errors import FieldError, InvalidInputError
from customer_segmentation.domain.schema import Schema
from customer_segmentation.domain.segments import ANY_CHANNEL, as_read

HELD_OUT = 0
"""The number of the arm that nobody addresses; the others follow from 1 on."""

MOST_ARMS = 20
MOST_DAYS = 3_650
_DRAW_BYTES = 8
_DRAWS = 2 ** (8 * _DRAW_BYTES)


class CampaignState(StrEnum):
    """How far a campaign is."""

    PLANNED = "planned"
    RUNNING = "running"
    ENDED = "ended"


class OutcomeKind(StrEnum):
    """Where the outcomes of a campaign come from."""

    REPORTED = "reported"
    TRANSACTIONS = "transactions"
    ATTRIBUTE = "attribute"
    SEGMENT = "segment"


class Measure(StrEnum):
    """What is counted of a customer's outcomes."""

    ANY = "any"
    COUNT = "count"
    SUM = "sum"


@dataclass(frozen=True, slots=True)
class Arm:
    """What is done to some of the customers.

    Attributes:
        name: what people call it.
        strategy: what is done, such as that of a segment.
        channel: on which the customers are addressed.
        cost: of each customer who is addressed, in money.
        fixed_cost: of the arm, whoever is addressed.
    """

    name: str
    strategy: str
    channel: str = ANY_CHANNEL
    cost: float = 0.0
    fixed_cost: float = 0.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a campaign is to bring, of each customer, from its start on.

    Attributes:
        what: what people call it, such as "renewals" or "revenue".
        kind: where it comes from: reported by people or systems; the customer's transactions; how
            an attribute has changed since the start; whether the customer has entered one of some
            segments.
        measure: whether there was any, how many, or the sum of amounts. An attribute's change is
            a sum, and whether a segment was entered is any.
        days: for how many after the start outcomes count.
        unit: of a sum, such as "EUR".
        value: what one outcome is worth in money: a renewal, or the margin of each unit of a sum.
        transaction_kinds: only transactions of these; all where there are none.
        attribute: whose change it is.
        segments: the numbers of those that are to be entered.
        covariate: an attribute whose value at the start explains part of the outcome.
    """

    what: str
    kind: OutcomeKind = OutcomeKind.REPORTED
    measure: Measure = Measure.ANY
    days: int = 30
    unit: str = ""
    value: float | None = None
    transaction_kinds: tuple[str, ...] = ()
    attribute: str | None = None
    segments: tuple[int, ...] = ()
    covariate: str | None = None

    @property
    def is_rate(self) -> bool:
        """Whether it is yes or no for each customer."""
        return self.measure is Measure.ANY


@dataclass(frozen=True, slots=True)
class Plan:
    """What is planned of a campaign.

    Attributes:
        arms: what is done, each to the same share of those who are not held out.
        outcome: what it is to bring.
        holdout_percent: of the customers, who are left out and compared with.
        expected_rate: the share of customers with the outcome that is expected without it.
        expected_deviation: the standard deviation that is expected of counts and sums.
        purpose: for which customers must have agreed to be addressed; empty asks nobody.
        description: what people say of it.
        owner: whose it is.
    """

    arms: tuple[Arm, ...]
    outcome: Outcome
    holdout_percent: float = 10.0
    expected_rate: float = 0.1
    expected_deviation: float = 1.0
    purpose: str = ""
    description: str = ""
    owner: str = ""

    @property
    def content(self) -> dict[str, Any]:
        """What JSON holds of it."""
        return asdict(self)

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> "Plan":
        """Return the plan that JSON holds."""
        given = dict(content)
        outcome = dict(given.pop("outcome"))
        outcome["kind"] = OutcomeKind(outcome["kind"])
        outcome["measure"] = Measure(outcome["measure"])
        for name in ("transaction_kinds", "segments"):
            outcome[name] = tuple(outcome[name])
        arms = tuple(Arm(**arm) for arm in given.pop("arms"))
        return cls(arms=arms, outcome=Outcome(**outcome), **given)

    @property
    def shares(self) -> tuple[float, ...]:
        """The shares with which the groups are drawn: who is held out, then the arms."""
        held_out = self.holdout_percent / 100
        return (held_out, *[(1 - held_out) / len(self.arms)] * len(self.arms))


@dataclass(frozen=True, slots=True)
class Campaign:
    """A campaign.

    Attributes:
        id: its number, never given again.
        name: what people call it; it draws who is held out, as `export --split` does.
        audience_id: whom it is for.
        plan: what is planned of it.
        state: how far it is.
        created_at: when it was planned.
        created_by: by whom, as far as known.
        started_at: when its customers were drawn; None before.
        ended_at: when it was ended; None before.
        left_out: how many customers of the audience were not drawn, as they had not agreed to be
            addressed.
    """

    id: int
    name: str
    audience_id: int
    plan: Plan
    state: CampaignState
    created_at: datetime
    created_by: str
    started_at: datetime | None
    ended_at: datetime | None
    left_out: int

    def window(self, moment: datetime) -> tuple[datetime, datetime]:
        """Return from when to when outcomes count that are known at a moment."""
        start = self.started_at or moment
        last = min(start + timedelta(days=self.plan.outcome.days), moment)
        return start, last if self.ended_at is None else min(last, self.ended_at)

    @property
    def due_at(self) -> datetime | None:
        """When its outcomes are complete; None before the start."""
        if self.started_at is None:
            return None
        return self.started_at + timedelta(days=self.plan.outcome.days)


@dataclass(frozen=True, slots=True)
class Result:
    """What an arm of an ended campaign brought in a segment.

    Attributes:
        campaign: its name.
        arm: that of the arm.
        strategy: what was done.
        channel: on which channel.
        segment: the number of the segment.
        outcome: what it was to bring.
        lift: of each customer.
        low: the lower end of the lift's 95 % interval.
        high: the upper end.
        is_clear: whether that is clear, also among all comparisons of the campaign.
        net_per_customer: in money; None where nobody said what an outcome is worth.
        sentence: for people.
        ended: when the campaign ended, in microseconds since 1970.
    """

    campaign: str
    arm: str
    strategy: str
    channel: str
    segment: int
    outcome: str
    lift: float
    low: float
    high: float
    is_clear: bool
    net_per_customer: float | None
    sentence: str
    ended: int


def draw_arms(plan: Plan, name: str, ids: IdArray) -> IntArray:
    """Return the number of the arm of each of many customers, (n,), who are (n,).

    Who is held out is whom `ControlGroup` holds out. Among the others, a second hash of the
    campaign's name and the id draws the arm; so each draw depends on no other customer.
    """
    held_out = ControlGroup(name, plan.holdout_percent).holdouts(ids)
    count = len(plan.arms)
    arms = np.fromiter((_draw(name, one, count) for one in ids.tolist()), np.int64, len(ids))
    return np.where(held_out, HELD_OUT, arms)


def _draw(name: str, customer_id: CustomerId, count: int) -> int:
    digest = sha256(f"campaign-arm\0{name}\0{customer_id}".encode()).digest()
    return 1 + int.from_bytes(digest[:_DRAW_BYTES], "big") * count // _DRAWS


def group_names(plan: Plan) -> tuple[str, ...]:
    """Return what the groups are called in files: who is held out, then the arms."""
    return (Group.HOLDOUT.value, *(arm.name for arm in plan.arms))


def check_plan(plan: Plan, schema: Schema, segments: Sequence[int]) -> None:
    """See that a plan can be carried out with the customers of a schema.

    Args:
        plan: the plan.
        schema: of the customers.
        segments: the numbers of the segments that there are.

    Raises:
        InvalidInputError: it cannot; all faults at once.
    """
    faults = [*_faults_of_arms(plan), *_faults_of_outcome(plan.outcome, schema, segments)]
    if not 0 < plan.holdout_percent < 100:
        told = "holdout_percent must be above 0 and below 100, as those held out are compared with"
        faults.append(FieldError("holdout_percent", told))
    if not 0 < plan.expected_rate < 1:
        told = "expected_rate must be above 0 and below 1"
        faults.append(FieldError("expected_rate", told))
    if not (math.isfinite(plan.expected_deviation) and plan.expected_deviation > 0):
        told = "expected_deviation must be above 0"
        faults.append(FieldError("expected_deviation", told))
    if faults:
        raise InvalidInputError(faults)


def _faults_of_arms(plan: Plan) -> list[FieldError]:
    faults = []
    if not 1 <= len(plan.arms) <= MOST_ARMS:
        faults.append(FieldError("arms", f"arms must be 1 to {MOST_ARMS}, not {len(plan.arms)}"))
    known = {Group.HOLDOUT.value}
    for place, arm in enumerate(plan.arms):
        if not arm.name.strip() or as_read(arm.name) in known:
            told = f"arms.{place}.name must be a name that no other arm has, nor holdout"
            faults.append(FieldError(f"arms.{place}.name", told))
        known.add(as_read(arm.name))
        for field in ("cost", "fixed_cost"):
            cost = getattr(arm, field)
            if not (math.isfinite(cost) and cost >= 0):
                told = f"arms.{place}.{field} must be a number of at least 0"
                faults.append(FieldError(f"arms.{place}.{field}", told))
    return faults


def _faults_of_outcome(
    outcome: Outcome, schema: Schema, segments: Sequence[int]
) -> list[FieldError]:
    faults = []
    numbers = [a.name for a in schema.attributes if not a.categories]
    fits = {
        OutcomeKind.ATTRIBUTE: outcome.measure is Measure.SUM,
        OutcomeKind.SEGMENT: outcome.measure is Measure.ANY,
    }
    if not outcome.what.strip():
        faults.append(FieldError("outcome.what", "outcome.what must say what it is to bring"))
    if not fits.get(outcome.kind, True):
        needed = Measure.SUM if outcome.kind is OutcomeKind.ATTRIBUTE else Measure.ANY
        told = f"outcome.measure must be {needed} for kind {outcome.kind}"
        faults.append(FieldError("outcome.measure", told))
    if not 1 <= outcome.days <= MOST_DAYS:
        told = f"outcome.days must be an integer from 1 to {MOST_DAYS:,}"
        faults.append(FieldError("outcome.days", told))
    if outcome.value is not None and not math.isfinite(outcome.value):
        faults.append(FieldError("outcome.value", "outcome.value must be a finite number"))
    if outcome.kind is OutcomeKind.TRANSACTIONS and schema.transactions is None:
        told = "outcome.kind cannot be transactions, as the schema declares none"
        faults.append(FieldError("outcome.kind", told))
    if (outcome.kind is OutcomeKind.ATTRIBUTE) != (outcome.attribute is not None):
        told = "outcome.attribute must be given for kind attribute, and only then"
        faults.append(FieldError("outcome.attribute", told))
    for field in ("attribute", "covariate"):
        name = getattr(outcome, field)
        if name is not None and name not in numbers:
            told = f"outcome.{field} must be one of {', '.join(numbers)}"
            faults.append(FieldError(f"outcome.{field}", told))
    if (outcome.kind is OutcomeKind.SEGMENT) != bool(outcome.segments):
        told = "outcome.segments must be given for kind segment, and only then"
        faults.append(FieldError("outcome.segments", told))
    if unknown := [number for number in outcome.segments if number not in segments]:
        told = f"outcome.segments must be segments that there are, not {unknown[0]}"
        faults.append(FieldError("outcome.segments", told))
    if outcome.transaction_kinds and outcome.kind is not OutcomeKind.TRANSACTIONS:
        told = "outcome.transaction_kinds must be given for kind transactions only"
        faults.append(FieldError("outcome.transaction_kinds", told))
    return faults
