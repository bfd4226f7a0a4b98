"""What came of a campaign's customers: what was reported, or what the service itself knows."""

from collections.abc import Mapping
from datetime import datetime, timedelta

import numpy as np

from customer_segmentation.domain.arrays import FloatArray, IntArray
from customer_segmentation.domain.campaigns import Campaign, Measure, OutcomeKind
from customer_segmentation.domain.transactions import TransactionSchema, to_microseconds
from customer_segmentation.services.runtime.unit_of_work import UnitOfWork
from customer_segmentation.store.queries import campaigns
from customer_segmentation.store.queries.campaigns import Members


def outcomes_of(
    work: UnitOfWork, campaign: Campaign, members: Members, moment: datetime
) -> FloatArray:
    """Return the outcome of each of a campaign's customers, (n,), as known at a moment.

    Who has none counts with 0: nobody is left out of the group that was drawn.
    """
    outcome, window = campaign.plan.outcome, campaign.window(moment)
    match outcome.kind:
        case OutcomeKind.REPORTED:
            found = np.nan_to_num(members.outcomes)
        case OutcomeKind.TRANSACTIONS:
            found = _from_transactions(work, campaign, members.numbers, window)
        case OutcomeKind.ATTRIBUTE:
            assert outcome.attribute is not None  # noqa: S101
            now = attribute_of(work, members.numbers, outcome.attribute)
            found = np.nan_to_num(now - members.before)
        case OutcomeKind.SEGMENT:
            entered = campaigns.find_entered(work.connection, campaign.id, window, outcome.segments)
            found = np.isin(members.numbers, entered).astype(np.float64)
    return (found != 0).astype(np.float64) if outcome.is_rate else found


def known_before(work: UnitOfWork, campaign: Campaign, numbers: IntArray) -> FloatArray:
    """Return what is known before the start of a campaign of its customers, (n,), NaN if nothing.

    It says something of the outcome and nothing of the arm, see `model/experiments/cuped.py`: the
    attribute that the plan names, else an attribute's own value, else the same measure of the
    transactions as long before the start as they are to count after it.

    The campaign must have been started, and its customers be in it.
    """
    outcome = campaign.plan.outcome
    name = outcome.covariate if outcome.kind is not OutcomeKind.ATTRIBUTE else outcome.attribute
    if name is not None:
        return attribute_of(work, numbers, name)
    if outcome.kind is OutcomeKind.TRANSACTIONS and campaign.started_at is not None:
        start = campaign.started_at
        window = (start - timedelta(days=outcome.days), start)
        return _from_transactions(work, campaign, numbers, window)
    return np.full(len(numbers), np.nan)


def attribute_of(work: UnitOfWork, numbers: IntArray, name: str) -> FloatArray:
    """Return an attribute of customers, (n,), NaN of who lacks it or is not stored any more."""
    found = work.customers.find_many(work.connection, numbers)
    values = np.full(len(numbers), np.nan)
    places = np.searchsorted(found.ids, numbers)
    are_there = np.isin(numbers, found.ids)
    column = found.values[:, work.customers.schema.names.index(name)]
    values[are_there] = column[places[are_there]]
    return values


def _from_transactions(
    work: UnitOfWork, campaign: Campaign, numbers: IntArray, window: tuple[datetime, datetime]
) -> FloatArray:
    outcome = campaign.plan.outcome
    since, until = map(to_microseconds, window)
    found = campaigns.find_transactions(
        work.connection,
        campaign.id,
        (since, until),
        outcome.measure,
        outcome.transaction_kinds,
    )
    declared = work.customers.schema.transactions or TransactionSchema()
    unit = declared.unit_of_amount if outcome.measure is Measure.SUM else 1
    return _by_number(numbers, found) / unit


def _by_number(numbers: IntArray, found: Mapping[int, float]) -> FloatArray:
    return np.fromiter((found.get(one, 0.0) for one in numbers.tolist()), np.float64, len(numbers))
