"""Campaigns of public tables read out as statsmodels reads them, to 1e-9."""

import csv
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from statsmodels.stats.proportion import confint_proportions_2indep
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

from customer_segmentation.domain.arrays import FloatArray
from customer_segmentation.domain.campaigns import Arm, Measure, Outcome, Plan
from customer_segmentation.services.audiences.audiences import NewAudience, create_audience
from customer_segmentation.services.campaigns.campaigns import (
    Reported,
    plan_campaign,
    report_outcomes,
    start_campaign,
)
from customer_segmentation.services.campaigns.reading import read_out
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork
from customer_segmentation.store.queries import campaigns
from tests.support.beginning import begin_with
from tests.support.shop import INTEGER
from tests.support.tables import FOLDER

ARMS = (Arm("Cashback", ""), Arm("Call", ""))


def rows_of(name: str, delimiter: str) -> list[dict[str, str]]:
    path = FOLDER / name
    if not path.exists() and not os.environ.get("REQUIRE_TABLES"):
        pytest.skip(f"the public table {name} is not here")
    with path.open(newline="", encoding="utf-8-sig") as file:
        return [*csv.DictReader(file, delimiter=delimiter)]


@pytest.fixture(scope="module")
def outcomes() -> dict[str, FloatArray]:
    """Return outcomes of public campaigns: answers, engagements, deposits, and money."""
    retailer = rows_of("marketing_campaign.csv", "\t")
    bank = rows_of("bank-full.cpe-with-gaps.csv", ";")[:5_000]
    engaged = rows_of("yjh-engagement_details.csv", ",")[:4_000]
    return {
        "answers": np.array([float(row["Response"]) for row in retailer]),
        "deposits": np.array([float(row["y"] == "yes") for row in bank]),
        "engagements": np.array([float(row["has_engaged"]) for row in engaged]),
        "wine": np.array([float(row["MntWines"]) for row in retailer]),
    }


@pytest.fixture(scope="module")
def shop(
    outcomes: dict[str, FloatArray], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[UnitsOfWork]:
    """Hold as many customers as the largest table has rows."""
    count = max(map(len, outcomes.values()))
    random = np.random.default_rng(1)
    values = np.column_stack(
        [random.gamma(2, 20, count), random.integers(1, 5, count), random.integers(0, 2, count)]
    )
    values[::2, 0] += 500
    path: Path = tmp_path_factory.mktemp("shop") / "shop.db"
    with closing(
        begin_with(f"sqlite:///{path}", INTEGER, np.arange(1, count + 1), values)
    ) as units:
        create_audience(units, NewAudience("All", "spent >= 0"), "")
        yield units


@pytest.mark.parametrize("name", ["answers", "deposits", "engagements", "wine"])
def test_a_public_campaign_reads_out_as_statsmodels_does(
    shop: UnitsOfWork, outcomes: dict[str, FloatArray], name: str
) -> None:
    of_table = outcomes[name]
    measure = Measure.SUM if name == "wine" else Measure.ANY
    plan = Plan(ARMS, Outcome(name, measure=measure), holdout_percent=30)
    planned = plan_campaign(shop, name, 1, plan, "")
    start_campaign(shop, planned.id, "")
    with shop.database.read() as connection:
        members = campaigns.read_members(connection, planned.id)
    ids = members.numbers[members.numbers <= len(of_table)]
    told = of_table[ids - 1]
    report_outcomes(shop, planned.id, Reported(ids, told, np.full(len(ids), -1)), "")

    found = read_out(shop, planned.id)

    everybody = np.zeros(len(members.numbers))
    everybody[np.isin(members.numbers, ids)] = told
    held_out = everybody[members.arms == 0]
    for number, arm in enumerate(found.arms, 1):
        own, effect = everybody[members.arms == number], arm.overall.effect
        assert effect is not None
        if measure is Measure.SUM:
            means = CompareMeans(DescrStatsW(own), DescrStatsW(held_out))
            limits = means.tconfint_diff(usevar="unequal")
        else:
            counts = (own.sum(), len(own), held_out.sum(), len(held_out))
            limits = confint_proportions_2indep(*counts, method="wald")
        assert effect.lift == pytest.approx(own.mean() - held_out.mean(), abs=1e-9)
        if "corrected" not in effect.method:
            expected = pytest.approx(limits, abs=1e-9)
            assert (effect.interval.low, effect.interval.high) == expected
