"""The use cases of campaigns: plan, start, take in outcomes, end."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from customer_segmentation.domain.arrays import FloatArray, IdArray, IntArray
from customer_segmentation.domain.attributes import CustomerId
from customer_segmentation.domain.campaigns import (
    Campaign,
    CampaignState,
    Plan,
    check_plan,
    draw_arms,
)
from customer_segmentation.domain.consents import Agreement
from customer_segmentation.domain.errors import (
    CampaignExistsError,
    CampaignNotFoundError,
    CampaignStateError,
    FieldError,
    InvalidInputError,
)
from customer_segmentation.domain.names import find_id
from customer_segmentation.domain.numbers import LARGEST_INTEGER
from customer_segmentation.domain.segments import ANY_CHANNEL, as_read
from customer_segmentation.services.audiences.membership import require_audience
from customer_segmentation.services.campaigns.outcomes import known_before
from customer_segmentation.services.runtime.audit import note
from customer_segmentation.services.runtime.clock import now
from customer_segmentation.services.runtime.unit_of_work import UnitOfWork, UnitsOfWork, retried
from customer_segmentation.store.queries import audiences, campaigns
from customer_segmentation.store.queries.consents import has_agreed

CAMPAIGN = "campaign"


@dataclass(frozen=True, slots=True)
class Forecast:
    """What can be said of a campaign before it starts.

    Attributes:
        customers: how many are in its audience now.
        sizes: how many of them are expected to be held out, and in each arm.
        smallest_lifts: of each arm the smallest lift that shows in 80 of 100 such campaigns; None
            where no lift can.
        overlaps: by the name of a running campaign, how many of the customers are in it too.
    """

    customers: int
    sizes: tuple[int, ...]
    smallest_lifts: tuple[float | None, ...]
    overlaps: dict[str, int]


@dataclass(frozen=True, eq=False, slots=True)
class Reported:
    """What was reported of customers.

    Attributes:
        ids: (n,), of the customers.
        outcomes: (n,), NaN of whom none was.
        addressed: (n,), 1 for who was addressed, 0 for who was not, -1 of whom that is not said.
    """

    ids: IdArray
    outcomes: FloatArray
    addressed: IntArray


def plan_campaign(units: UnitsOfWork, name: str, audience_id: int, plan: Plan, by: str) -> Campaign:
    """Plan a campaign.

    Raises:
        InvalidInputError: the name is blank, or the plan cannot be carried out.
        AudienceNotFoundError: there is no such audience.
        CampaignExistsError: the name is taken.
    """

    @retried
    def add() -> Campaign:
        with units.write() as work:
            _check(work, name, audience_id, plan)
            values = {
                "name": name,
                "audience_id": audience_id,
                "plan": plan.content,
                "state": str(CampaignState.PLANNED),
                "created_at": now(),
                "created_by": by,
            }
            campaign_id = campaigns.add(work.connection, values)
            if campaign_id is None:
                raise CampaignExistsError(name)
            note(work.connection, CAMPAIGN, name, "planned", by)
            return find_campaign(work, campaign_id)

    return add()


def change_plan(units: UnitsOfWork, campaign_id: int, plan: Plan, by: str) -> Campaign:
    """Give a campaign that has not started another plan.

    Raises:
        CampaignNotFoundError: there is no such campaign.
        CampaignStateError: it has started.
        InvalidInputError: the plan cannot be carried out.
    """

    @retried
    def change() -> Campaign:
        with units.write() as work:
            found = find_campaign(work, campaign_id, for_update=True)
            _require(found, CampaignState.PLANNED)
            check_plan(plan, work.customers.schema, [*work.serving.segments])
            campaigns.change(work.connection, campaign_id, plan=plan.content)
            note(work.connection, CAMPAIGN, found.name, "plan changed", by)
            return find_campaign(work, campaign_id)

    return change()


def delete_campaign(units: UnitsOfWork, campaign_id: int, by: str) -> None:
    """Delete a campaign, and what was learnt from it.

    Raises:
        CampaignNotFoundError: there is no such campaign.
        CampaignStateError: it is running: end it first.
    """

    @retried
    def delete() -> None:
        with units.write() as work:
            found = find_campaign(work, campaign_id, for_update=True)
            if found.state is CampaignState.RUNNING:
                raise CampaignStateError(f"Campaign {found.name} is running; end it first")
            campaigns.remove(work.connection, campaign_id)
            note(work.connection, CAMPAIGN, found.name, "deleted", by)

    delete()


def list_campaigns(units: UnitsOfWork) -> list[tuple[Campaign, int]]:
    """Return all campaigns and how many customers each has drawn, the oldest first."""
    with units.read() as work:
        sizes = campaigns.count_members(work.connection)
        return [(one, sizes.get(one.id, 0)) for one in campaigns.read_all(work.connection)]


def get_campaign(units: UnitsOfWork, campaign_id: int) -> tuple[Campaign, int]:
    """Return a campaign, and how many customers it has drawn.

    Raises:
        CampaignNotFoundError: there is no such campaign.
    """
    with units.read() as work:
        found = find_campaign(work, campaign_id)
        return found, campaigns.count_members(work.connection).get(campaign_id, 0)


def find_campaign_id(units: UnitsOfWork, name: str) -> int:
    """Return the id of the campaign of a name, or where none has it, of an id as a text.

    Raises:
        CampaignNotFoundError: there is none.
    """
    with units.read() as work:
        names = {one.id: one.name for one in campaigns.read_all(work.connection)}
    found = find_id(names, name)
    if found is None:
        raise CampaignNotFoundError(name)
    return found


def forecast(units: UnitsOfWork, audience_id: int, plan: Plan) -> Forecast:
    """Return what a campaign of a plan could show, before it starts.

    Raises:
        AudienceNotFoundError: there is no such audience.
        InvalidInputError: the plan cannot be carried out.
    """
    # SciPy takes half a second to import, which a server needs for campaigns only.
    from customer_segmentation.model.experiments.corrections import simultaneous_alpha
    from customer_segmentation.model.experiments.effects import ALPHA
    from customer_segmentation.model.experiments.power import (
        AmountBefore,
        RateBefore,
        smallest_lift,
    )

    with units.read() as work:
        check_plan(plan, work.customers.schema, [*work.serving.segments])
        require_audience(work.connection, audience_id)
        customers = audiences.count_members_of(work.connection, audience_id)
        running = campaigns.count_overlaps(work.connection, audience_id)
        names = {one.id: one.name for one in campaigns.read_all(work.connection)}
    sizes = tuple(round(customers * share) for share in plan.shares)
    before = (
        RateBefore(plan.expected_rate)
        if plan.outcome.is_rate
        else AmountBefore(plan.expected_deviation)
    )
    alpha = simultaneous_alpha(ALPHA, len(plan.arms))
    held_out, *arms = sizes
    lifts = tuple(
        smallest_lift(before, arm, held_out, alpha) if arm and held_out else None for arm in arms
    )
    return Forecast(customers, sizes, lifts, {names[one]: n for one, n in running.items()})


def start_campaign(
    units: UnitsOfWork, campaign_id: int, by: str, unknown_consent: str = "denied"
) -> Campaign:
    """Draw a campaign's customers from its audience, as that is now, into its arms.

    Where the plan names a purpose, who has not agreed to be addressed for it on the channels of all
    arms is left out: else arms would not be alike.

    Args:
        units: over the database.
        campaign_id: of the campaign.
        by: who starts it.
        unknown_consent: what it counts as where a customer has said nothing.

    Raises:
        CampaignNotFoundError: there is no such campaign.
        CampaignStateError: it has started before, or nobody of its audience can be addressed.
        AudienceNotFoundError: the audience is not there any more.
        InvalidInputError: the plan cannot be carried out any more.
    """

    @retried
    def start() -> Campaign:
        with units.write() as work:
            found = find_campaign(work, campaign_id, for_update=True)
            _require(found, CampaignState.PLANNED)
            check_plan(found.plan, work.customers.schema, [*work.serving.segments])
            require_audience(work.connection, found.audience_id)
            everybody = audiences.find_members(
                work.connection, found.audience_id, (0, LARGEST_INTEGER)
            )
            numbers = _who_may(work, found.plan, everybody, unknown_consent)
            stored = work.customers.find_many(work.connection, numbers)
            if len(stored.ids) == 0:
                raise CampaignStateError(f"Nobody can be addressed by campaign {found.name}")
            segments = stored.segments.copy()
            old = np.flatnonzero(~work.active.are_current(stored.ids, stored.epochs))
            segments[old] = work.serving.reassign_many(stored.values[old], stored.segments[old])
            ids = np.array(work.ids.ids_of(work.connection, stored.ids.tolist()), dtype=object)
            arms = draw_arms(found.plan, found.name, ids)
            campaigns.add_members(
                work.connection,
                campaign_id,
                stored.ids,
                arms,
                segments,
                np.full(len(arms), np.nan),
            )
            state = str(CampaignState.RUNNING)
            left_out = len(everybody) - len(numbers)
            campaigns.change(
                work.connection, campaign_id, state=state, started_at=now(), left_out=left_out
            )
            started = find_campaign(work, campaign_id)
            before = known_before(work, started, stored.ids)
            campaigns.set_before(work.connection, campaign_id, stored.ids, before)
            note(work.connection, CAMPAIGN, found.name, "started", by)
            if found.plan.purpose:
                note(work.connection, "consent", found.plan.purpose, f"{left_out} left out", by)
            return started

    return start()


def report_outcomes(
    units: UnitsOfWork, campaign_id: int, reported: Reported, by: str
) -> list[CustomerId]:
    """Note what came of a campaign's customers, and who was addressed.

    What is reported again replaces what was reported before.

    Returns:
        who is not in the campaign, of whom nothing is noted.

    Raises:
        CampaignNotFoundError: there is no such campaign.
        CampaignStateError: it has not started, or has ended.
    """

    @retried
    def report() -> list[CustomerId]:
        with units.write() as work:
            found = find_campaign(work, campaign_id, for_update=True)
            _require(found, CampaignState.RUNNING)
            numbers = work.ids.numbers_of(work.connection, reported.ids)
            are_in = campaigns.report(
                work.connection, campaign_id, numbers, reported.outcomes, reported.addressed
            )
            told = f"{int(are_in.sum())} outcomes reported"
            note(work.connection, CAMPAIGN, found.name, told, by)
            others: list[CustomerId] = reported.ids[~are_in].tolist()
            return others

    return report()


def find_campaign(
    work: UnitOfWork, campaign_id: int, *, started: bool = False, for_update: bool = False
) -> Campaign:
    """Return a campaign, in a transaction.

    Args:
        work: the transaction.
        campaign_id: of the campaign.
        started: whether it must have started.
        for_update: keep others from changing it until the transaction ends.

    Raises:
        CampaignNotFoundError: there is no such campaign.
        CampaignStateError: it has not started, and must have.
    """
    found = campaigns.find(work.connection, campaign_id, for_update=for_update)
    if found is None:
        raise CampaignNotFoundError(campaign_id)
    if started and found.started_at is None:
        raise CampaignStateError(f"Campaign {found.name} has not started")
    return found


def _who_may(work: UnitOfWork, plan: Plan, numbers: IntArray, unknown_consent: str) -> IntArray:
    """Return which of an audience's customers, (n,), may be addressed by every arm, (m,)."""
    channels = {arm.channel for arm in plan.arms} - {ANY_CHANNEL}
    if not plan.purpose or not channels:
        return numbers
    asked = Agreement(plan.purpose, tuple(sorted(channels)), unknown_consent == "granted")
    held = has_agreed(work.customers.table.c.customer_id, asked)
    found, _ = audiences.find_matching(work.connection, work.customers, held, numbers)
    return found


def _require(campaign: Campaign, state: CampaignState) -> None:
    if campaign.state is not state:
        told = f"Campaign {campaign.name} is {campaign.state}, and must be {state} for this"
        raise CampaignStateError(told)


def _check(work: UnitOfWork, name: str, audience_id: int, plan: Plan) -> None:
    if not name.strip():
        raise InvalidInputError([FieldError("name", "name must be a text, not a blank one")])
    check_plan(plan, work.customers.schema, [*work.serving.segments])
    require_audience(work.connection, audience_id)
    _check_free(campaigns.read_all(work.connection), name)


def _check_free(found: Sequence[Campaign], name: str) -> None:
    for one in found:
        if as_read(one.name) == as_read(name):
            raise CampaignExistsError(one.name)
