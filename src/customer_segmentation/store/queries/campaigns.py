"""Queries on campaigns: who is in which arm, and what came of it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import numpy as np
from sqlalchemy import (
    Connection,
    Select,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from customer_segmentation.domain.arrays import BoolArray, FloatArray, IntArray
from customer_segmentation.domain.campaigns import Campaign, CampaignState, Measure, Plan, Result
from customer_segmentation.store.bulk import insert_rows, is_among
from customer_segmentation.store.tables import (
    audience_members,
    campaign_members,
    campaigns,
    segment_changes,
    transactions,
)

_COLUMNS = [campaigns.c[name] for name in Campaign.__slots__]


@dataclass(frozen=True, eq=False, slots=True)
class Members:
    """A campaign's customers, (n,) each, by rising numbers.

    Attributes:
        numbers: of the customers.
        arms: 0 for who is held out.
        segments: the numbers of those at the start.
        before: what was known of the outcome before; NaN where nothing was.
        outcomes: as they were reported; NaN where none was.
        addressed: 1 for who was reported to have been addressed, 0 for who was not, -1 of whom
            nothing was said.
    """

    numbers: IntArray
    arms: IntArray
    segments: IntArray
    before: FloatArray
    outcomes: FloatArray
    addressed: IntArray


def add(connection: Connection, values: Mapping[str, object]) -> int | None:
    """Store a campaign; return its id, or None, which ends the transaction: its name is taken."""
    try:
        done = connection.execute(insert(campaigns).values(values))
    except IntegrityError:
        return None
    assert done.inserted_primary_key is not None  # noqa: S101
    return int(done.inserted_primary_key[0])


def change(connection: Connection, campaign_id: int, **values: object) -> None:
    """Change a campaign."""
    connection.execute(update(campaigns).where(campaigns.c.id == campaign_id).values(values))


def remove(connection: Connection, campaign_id: int) -> None:
    """Delete a campaign, and who was in it."""
    members = campaign_members.c.campaign_id == campaign_id
    connection.execute(delete(campaign_members).where(members))
    connection.execute(delete(campaigns).where(campaigns.c.id == campaign_id))


def read_all(connection: Connection) -> list[Campaign]:
    """Return all campaigns, the oldest first."""
    rows = connection.execute(select(*_COLUMNS).order_by(campaigns.c.id))
    return [_campaign(row) for row in rows]


def find(connection: Connection, campaign_id: int, *, for_update: bool = False) -> Campaign | None:
    """Return a campaign, None where there is none of this id.

    Args:
        connection: of a transaction.
        campaign_id: of the campaign.
        for_update: keep other transactions from changing it until this one ends.
    """
    query = select(*_COLUMNS).where(campaigns.c.id == campaign_id)
    row = connection.execute(query.with_for_update() if for_update else query).first()
    return None if row is None else _campaign(row)


def _campaign(row: Sequence[Any]) -> Campaign:
    values = dict(zip(Campaign.__slots__, row, strict=True))
    values["plan"] = Plan.of(values["plan"])
    return Campaign(**{**values, "state": CampaignState(values["state"])})


def add_members(
    connection: Connection,
    campaign_id: int,
    numbers: IntArray,
    arms: IntArray,
    segments: IntArray,
    before: FloatArray,
) -> None:
    """Put customers, (n,) each, into a campaign's arms; see `Members`."""
    columns = {
        "customer_id": numbers.tolist(),
        "arm": arms.tolist(),
        "segment": segments.tolist(),
        "before": [None if np.isnan(value) else value for value in before.tolist()],
    }
    insert_rows(connection, campaign_members, columns, {"campaign_id": campaign_id})


def of_customer(
    connection: Connection, number: int
) -> list[tuple[int, int, float | None, bool | None]]:
    """Return the campaigns that a customer was drawn into: the id, the arm, the outcome that was
    reported and whether it was addressed, as far as that was told.
    """
    of = campaign_members.c
    query = select(of.campaign_id, of.arm, of.outcome, of.addressed)
    rows = connection.execute(query.where(of.customer_id == number).order_by(of.campaign_id))
    return [(one, arm, outcome, addressed) for one, arm, outcome, addressed in rows]


def set_before(
    connection: Connection, campaign_id: int, numbers: IntArray, before: FloatArray
) -> None:
    """Note what was known before the start, (n,), of a campaign's customers, (n,)."""
    rows = [
        {"number": number, "told": value}
        for number, value in zip(numbers.tolist(), before.tolist(), strict=True)
        if not np.isnan(value)
    ]
    if not rows:
        return
    query = update(campaign_members).where(
        campaign_members.c.campaign_id == campaign_id,
        campaign_members.c.customer_id == bindparam("number"),
    )
    connection.execute(query.values(before=bindparam("told")), rows)


def read_members(connection: Connection, campaign_id: int) -> Members:
    """Return a campaign's customers."""
    of = campaign_members.c
    query = (
        select(of.customer_id, of.arm, of.segment, of.before, of.outcome, of.addressed)
        .where(of.campaign_id == campaign_id)
        .order_by(of.customer_id)
    )
    rows = connection.execute(query).all()
    numbers = np.array([row[:3] for row in rows], dtype=np.int64).reshape(-1, 3)
    before = np.array([_float(row[3]) for row in rows], dtype=np.float64)
    outcomes = np.array([_float(row[4]) for row in rows], dtype=np.float64)
    told = np.array([-1 if row[5] is None else int(row[5]) for row in rows], dtype=np.int64)
    return Members(numbers[:, 0], numbers[:, 1], numbers[:, 2], before, outcomes, told)


def _float(value: float | None) -> float:
    return np.nan if value is None else float(value)


def report(
    connection: Connection,
    campaign_id: int,
    numbers: IntArray,
    outcomes: FloatArray,
    addressed: IntArray,
) -> BoolArray:
    """Note outcomes, (n,), of customers, (n,), and who was addressed; see `Members`.

    What is NaN or -1 leaves what was reported before.

    Returns:
        (n,), who is in the campaign.
    """
    known = np.sort(
        np.fromiter(
            connection.execute(
                select(campaign_members.c.customer_id).where(
                    campaign_members.c.campaign_id == campaign_id,
                    is_among(connection, campaign_members.c.customer_id, numbers),
                )
            ).scalars(),
            dtype=np.int64,
        )
    )
    are_in = np.isin(numbers, known)
    of_one = update(campaign_members).where(
        campaign_members.c.campaign_id == campaign_id,
        campaign_members.c.customer_id == bindparam("number"),
    )
    places = np.flatnonzero(are_in & ~np.isnan(outcomes))
    if len(places):
        rows = [
            {"number": number, "told": outcome}
            for number, outcome in zip(
                numbers[places].tolist(), outcomes[places].tolist(), strict=True
            )
        ]
        connection.execute(of_one.values(outcome=bindparam("told")), rows)
    places = np.flatnonzero(are_in & (addressed >= 0))
    if len(places):
        rows = [
            {"number": number, "told": bool(one)}
            for number, one in zip(
                numbers[places].tolist(), addressed[places].tolist(), strict=True
            )
        ]
        connection.execute(of_one.values(addressed=bindparam("told")), rows)
    return are_in


def find_transactions(
    connection: Connection,
    campaign_id: int,
    window: tuple[int, int],
    measure: Measure,
    kinds: Sequence[str],
) -> dict[int, float]:
    """Return what a campaign's customers have of transactions, by number, if anything.

    Args:
        connection: of a transaction.
        campaign_id: of the campaign.
        window: from when on and until when, in microseconds since 1970.
        measure: how many, or the sum of amounts, in the smallest parts of the unit.
        kinds: only of these; all where there are none.
    """
    of = transactions.c
    value = func.coalesce(func.sum(of.amount), 0) if measure is Measure.SUM else func.count()
    query: Select[Any] = (
        select(of.customer_id, value)
        .where(of.time >= window[0], of.time < window[1], of.customer_id.in_(_of(campaign_id)))
        .group_by(of.customer_id)
    )
    if kinds:
        query = query.where(of.kind.in_(kinds))
    return {int(number): float(found) for number, found in connection.execute(query)}


def find_entered(
    connection: Connection,
    campaign_id: int,
    window: tuple[datetime, datetime],
    segments: Sequence[int],
) -> IntArray:
    """Return which of a campaign's customers entered one of some segments in a window, (n,)."""
    of = segment_changes.c
    query = (
        select(of.customer_id)
        .where(
            of.changed_at >= window[0],
            of.changed_at < window[1],
            of.to_segment.in_(segments),
            of.from_segment.is_distinct_from(of.to_segment),
            of.customer_id.in_(_of(campaign_id)),
        )
        .distinct()
    )
    return np.fromiter(connection.execute(query).scalars(), dtype=np.int64)


def _of(campaign_id: int) -> Select[Any]:
    return select(campaign_members.c.customer_id).where(
        campaign_members.c.campaign_id == campaign_id
    )


def keep_results(connection: Connection, campaign_id: int, results: Sequence[Result]) -> None:
    """Keep what an ended campaign brought."""
    change(connection, campaign_id, results=[asdict(one) for one in results])


def read_results(connection: Connection) -> list[Result]:
    """Return what all ended campaigns brought."""
    query = select(campaigns.c.results).where(campaigns.c.results.is_not(None))
    found = connection.execute(query.order_by(campaigns.c.id)).scalars()
    return [Result(**one) for results in found for one in results]


def count_overlaps(connection: Connection, audience_id: int) -> dict[int, int]:
    """Return how many of an audience's customers are in each running campaign, by its id."""
    joined = campaign_members.join(
        audience_members, audience_members.c.customer_id == campaign_members.c.customer_id
    ).join(campaigns, campaigns.c.id == campaign_members.c.campaign_id)
    rows = connection.execute(
        select(campaigns.c.id, func.count())
        .select_from(joined)
        .where(
            audience_members.c.audience_id == audience_id,
            campaigns.c.state == str(CampaignState.RUNNING),
        )
        .group_by(campaigns.c.id)
    )
    return {int(campaign_id): int(count) for campaign_id, count in rows}


def count_members(connection: Connection) -> dict[int, int]:
    """Return how many customers each campaign has that has any."""
    key = campaign_members.c.campaign_id
    rows = connection.execute(select(key, func.count()).group_by(key))
    return {int(campaign_id): int(count) for campaign_id, count in rows}
