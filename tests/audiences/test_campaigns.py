"""A campaign is planned, drawn, and read out as an independent computation reads it."""

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from statsmodels.stats.proportion import confint_proportions_2indep, proportions_ztest
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

from customer_segmentation.domain.campaigns import (
    Arm,
    Campaign,
    CampaignState,
    Measure,
    Outcome,
    OutcomeKind,
    Plan,
    draw_arms,
)
from customer_segmentation.domain.control_groups import ControlGroup, Group
from customer_segmentation.domain.errors import (
    CampaignExistsError,
    CampaignNotFoundError,
    CampaignStateError,
    InvalidInputError,
)
from customer_segmentation.services.audiences.audiences import NewAudience, create_audience
from customer_segmentation.services.campaigns.campaigns import (
    Reported,
    change_plan,
    delete_campaign,
    forecast,
    list_campaigns,
    plan_campaign,
    report_outcomes,
    start_campaign,
)
from customer_segmentation.services.campaigns.ending import end_campaign, end_due_campaigns
from customer_segmentation.services.campaigns.outcomes import outcomes_of
from customer_segmentation.services.campaigns.reading import read_out
from customer_segmentation.services.customers.commands import (
    delete_customer,
    get_customer,
    update_customer,
)
from customer_segmentation.services.customers.erasure import erase_customer
from customer_segmentation.services.runtime.clock import now
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork
from customer_segmentation.services.transactions.taking import take
from customer_segmentation.store.queries import campaigns
from tests.support.beginning import begin_with
from tests.support.purchases import FIRST, open_purchases, purchase
from tests.support.shop import INTEGER

MANY = 3_000


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[UnitsOfWork]:
    """Hold a shop of some thousand customers, in two groups."""
    path = tmp_path_factory.mktemp("shop") / "shop.db"
    random = np.random.default_rng(1)
    values = np.column_stack(
        [random.gamma(2, 20, MANY), random.integers(1, 5, MANY), random.integers(0, 2, MANY)]
    )
    values[::2, 0] += 500
    with closing(begin_with(f"sqlite:///{path}", INTEGER, np.arange(1, MANY + 1), values)) as units:
        create_audience(units, NewAudience("All", "spent >= 0"), "")
        yield units


ARMS = (Arm("Letter", "Send a letter", cost=2), Arm("Call", "Call", cost=5, fixed_cost=100))
RENEWALS = Outcome("renewals", value=40)
PLAN = Plan(ARMS, RENEWALS, holdout_percent=20, expected_rate=0.2)


def started(units: UnitsOfWork, name: str, plan: Plan) -> Campaign:
    planned = plan_campaign(units, name, 1, plan, "Ada")
    return start_campaign(units, planned.id, "Ada")


def members_of(units: UnitsOfWork, campaign: Campaign) -> campaigns.Members:
    with units.database.read() as connection:
        return campaigns.read_members(connection, campaign.id)


def report(units: UnitsOfWork, campaign: Campaign, outcomes: np.ndarray[Any, Any]) -> None:
    ids = members_of(units, campaign).numbers
    report_outcomes(units, campaign.id, Reported(ids, outcomes, np.full(len(ids), -1)), "")


def test_rates_read_out_as_statsmodels_reads_them(shop: UnitsOfWork) -> None:
    campaign = started(shop, "rates", PLAN)
    members = members_of(shop, campaign)
    random = np.random.default_rng(2)
    outcomes = (random.random(MANY) < 0.2 + 0.1 * (members.arms == 1)).astype(np.float64)
    report(shop, campaign, outcomes)

    told = read_out(shop, campaign.id)

    held_out = outcomes[members.arms == 0]
    for number, result in enumerate(told.arms, 1):
        own = outcomes[members.arms == number]
        effect = result.overall.effect
        assert effect is not None
        assert effect.lift == pytest.approx(own.mean() - held_out.mean(), abs=1e-12)
        low, high = confint_proportions_2indep(
            own.sum(), len(own), held_out.sum(), len(held_out), method="wald"
        )
        assert (effect.interval.low, effect.interval.high) == pytest.approx((low, high), abs=1e-9)
        for segment, within in result.segments.items():
            are = members.segments == segment
            assert within.size == int((are & (members.arms == number)).sum())
    assert not told.split.is_mismatch
    letter, call = told.arms
    assert letter.overall.sentence.startswith("Letter brought ")
    assert "points more renewals" in letter.overall.sentence
    assert letter.overall.worth is not None
    assert letter.overall.worth.cost == 2 * (members.arms == 1).sum()
    assert call.overall.worth is not None
    assert call.overall.worth.cost == 5 * (members.arms == 2).sum() + 100
    _, p_value = proportions_ztest(
        [outcomes[members.arms == 1].sum(), held_out.sum()],
        [(members.arms == 1).sum(), len(held_out)],
    )
    assert letter.overall.corrected_p_value is not None
    assert letter.overall.corrected_p_value < 0.001 > p_value
    assert letter.overall.always is not None
    assert letter.overall.always.low < letter.overall.effect.interval.low  # type: ignore[union-attr]


def test_amounts_read_out_as_statsmodels_reads_them_with_less_noise(shop: UnitsOfWork) -> None:
    outcome = Outcome("revenue", measure=Measure.SUM, unit="EUR", covariate="spent")
    campaign = started(shop, "amounts", Plan(ARMS[:1], outcome, 50, expected_deviation=50))
    members = members_of(shop, campaign)
    before = np.array(
        [get_customer(shop, int(one)).customer.attributes["spent"] for one in members.numbers]
    )
    assert members.before == pytest.approx(before)
    random = np.random.default_rng(3)
    outcomes = before / 10 + random.normal(5, 5, MANY) + 2 * (members.arms == 1)
    report(shop, campaign, outcomes)

    (result,) = read_out(shop, campaign.id).arms

    effect, adjusted = result.overall.effect, result.overall.adjusted
    assert effect is not None
    means = CompareMeans(
        DescrStatsW(outcomes[members.arms == 1]), DescrStatsW(outcomes[members.arms == 0])
    )
    low, high = means.tconfint_diff(usevar="unequal")
    assert (effect.interval.low, effect.interval.high) == pytest.approx((low, high), abs=1e-9)
    assert adjusted is not None
    assert adjusted.removed > 0.5
    assert 2 in adjusted.effect.interval
    assert "EUR" in result.overall.sentence


def test_the_draw_is_that_of_exports_and_of_each_customer_alone(shop: UnitsOfWork) -> None:
    campaign = started(shop, "draw", PLAN)
    members = members_of(shop, campaign)
    group = ControlGroup("draw", 20)
    for number, arm in zip(members.numbers.tolist()[:300], members.arms.tolist(), strict=False):
        assert draw_arms(PLAN, "draw", np.array([number])).tolist() == [arm]
        assert (group.group(number) is Group.HOLDOUT) == (arm == 0)
    sizes = np.bincount(members.arms)
    assert sizes / MANY == pytest.approx([0.2, 0.4, 0.4], abs=0.03)


def test_small_groups_are_hidden_in_every_read_out(shop: UnitsOfWork) -> None:
    campaign = started(shop, "small", PLAN)
    members = members_of(shop, campaign)
    outcomes = np.zeros(MANY)
    outcomes[np.flatnonzero(members.arms == 1)[:3]] = 1
    report(shop, campaign, outcomes)

    letter, call = read_out(shop, campaign.id, least=10).arms

    assert letter.overall.is_hidden
    assert letter.overall.effect is None
    assert "Too few" in letter.overall.sentence
    assert not call.overall.is_hidden
    assert not read_out(shop, campaign.id).arms[0].overall.is_hidden


def test_who_was_addressed_otherwise_than_drawn_is_counted(shop: UnitsOfWork) -> None:
    campaign = started(shop, "addressed", PLAN)
    members = members_of(shop, campaign)
    addressed = (members.arms == 1).astype(np.int64)
    spilled = np.flatnonzero(members.arms == 0)[:7]
    addressed[spilled] = 1
    nothing = np.full(MANY, np.nan)
    told = Reported(
        np.append(members.numbers, 99_999), np.append(nothing, 1.0), np.append(addressed, 1)
    )

    assert report_outcomes(shop, campaign.id, told, "") == [99_999]

    letter, call = read_out(shop, campaign.id).arms
    assert letter.contamination is not None
    assert letter.contamination.addressed_although_held_out == 7
    assert letter.contamination.not_addressed == 0
    assert call.contamination is not None
    assert call.contamination.not_addressed == call.contamination.to_address


def test_a_campaign_goes_from_plan_to_end(shop: UnitsOfWork) -> None:
    planned = plan_campaign(shop, "steps", 1, PLAN, "Ada")
    assert planned.state is CampaignState.PLANNED
    with pytest.raises(CampaignStateError, match="has not started"):
        read_out(shop, planned.id)
    with pytest.raises(CampaignExistsError):
        plan_campaign(shop, " STEPS", 1, PLAN, "")
    changed = change_plan(shop, planned.id, Plan(ARMS[:1], RENEWALS, 30), "Bo")
    assert len(changed.plan.arms) == 1
    running = start_campaign(shop, planned.id, "")
    assert running.state is CampaignState.RUNNING
    with pytest.raises(CampaignStateError, match="is running, and must be planned"):
        start_campaign(shop, planned.id, "")
    with pytest.raises(CampaignStateError):
        change_plan(shop, planned.id, PLAN, "")
    with pytest.raises(CampaignStateError, match="end it first"):
        delete_campaign(shop, planned.id, "")
    expected = forecast(shop, 1, PLAN)
    assert expected.customers == MANY
    assert expected.overlaps["steps"] == MANY
    assert all(lift is not None and 0.03 < lift < 0.1 for lift in expected.smallest_lifts)

    end_due_campaigns(shop, now() + timedelta(days=29))
    end_due_campaigns(shop, now() + timedelta(days=31))

    found = {one.id: one for one, _ in list_campaigns(shop)}[planned.id]
    assert found.state is CampaignState.ENDED
    assert read_out(shop, planned.id).is_complete
    with pytest.raises(CampaignStateError):
        end_campaign(shop, planned.id, "")
    delete_campaign(shop, planned.id, "")
    with pytest.raises(CampaignNotFoundError):
        read_out(shop, planned.id)


@pytest.mark.parametrize(
    ("plan", "field"),
    [
        (Plan((), RENEWALS), "arms"),
        (Plan((Arm("holdout", "x"),), RENEWALS), "arms.0.name"),
        (Plan((ARMS[0], ARMS[0]), RENEWALS), "arms.1.name"),
        (Plan(ARMS, RENEWALS, 0), "holdout_percent"),
        (Plan(ARMS, RENEWALS, 100), "holdout_percent"),
        (Plan(ARMS, Outcome(" ")), "outcome.what"),
        (Plan(ARMS, Outcome("x", OutcomeKind.TRANSACTIONS)), "outcome.kind"),
        (Plan(ARMS, Outcome("x", OutcomeKind.SEGMENT)), "outcome.segments"),
        (Plan(ARMS, Outcome("x", OutcomeKind.SEGMENT, segments=(77,))), "outcome.segments"),
        (Plan(ARMS, Outcome("x", OutcomeKind.ATTRIBUTE, Measure.SUM)), "outcome.attribute"),
        (Plan(ARMS, Outcome("x", covariate="plan")), "outcome.covariate"),
        (Plan(ARMS, Outcome("x", days=0)), "outcome.days"),
        (Plan((Arm("a", "x", cost=-1),), RENEWALS), "arms.0.cost"),
        (Plan(ARMS, RENEWALS, expected_rate=1), "expected_rate"),
    ],
)
def test_a_plan_that_cannot_be_carried_out_is_refused(
    shop: UnitsOfWork, plan: Plan, field: str
) -> None:
    with pytest.raises(InvalidInputError) as refused:
        plan_campaign(shop, "never", 1, plan, "")
    assert [error.field for error in refused.value.errors] == [field]


@pytest.mark.both_databases
def test_outcomes_come_by_themselves(empty_database_url: str) -> None:
    with closing(open_purchases(empty_database_url)) as units:
        create_audience(units, NewAudience("All", "frequency >= 0"), "")
        units.run(take, [purchase(n, 1 + n % FIRST, 2, amount=100) for n in range(60)])
        bought = Outcome("purchases", OutcomeKind.TRANSACTIONS)
        spent = Outcome("revenue", OutcomeKind.TRANSACTIONS, Measure.SUM, unit="EUR")
        points = Outcome("points", OutcomeKind.ATTRIBUTE, Measure.SUM, attribute="points")
        moved = Outcome("moves", OutcomeKind.SEGMENT, segments=(0, 1))
        plans = [Plan(ARMS[:1], outcome, 50) for outcome in (bought, spent, points, moved)]
        found = [started(units, f"c{place}", plan) for place, plan in enumerate(plans)]
        before = members_of(units, found[1]).before
        assert before.sum() == pytest.approx(60)
        update_customer_points = get_customer(units, 3).customer.attributes["points"] + 11
        units.run(update_customer, 3, {"points": update_customer_points})
        later = [purchase(1_000 + n, 3, 0, amount=250) for n in range(2)]
        units.run(take, later)
        units.run(delete_customer, 5)
        units.run(erase_customer, 7)

        told = {}
        for campaign in found:
            members = members_of(units, campaign)
            with units.read() as work:
                told[campaign.name] = dict(
                    zip(
                        members.numbers.tolist(),
                        outcomes_of(work, campaign, members, now()).tolist(),
                        strict=True,
                    )
                )
            read_out(units, campaign.id)

        assert told["c0"][3] == 1
        assert told["c1"][3] == pytest.approx(5)
        assert told["c2"][3] == 11
        assert sum(told["c0"].values()) == 1
        assert 7 not in told["c0"]
        assert 5 in told["c0"]
