"""Segments: profiles that follow the customers, words that people edit, and who moved."""

import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import httpx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from customer_segmentation.domain.arrays import FloatArray, IntArray
from customer_segmentation.domain.errors import InvalidInputError
from customer_segmentation.domain.segments import Segment, Strategy, check_words
from customer_segmentation.engines.local import LocalEngine
from customer_segmentation.model.artifact import Model, Parameters
from customer_segmentation.model.assign import Assigner
from customer_segmentation.model.describing.profile import group_shares, profile_segments
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork
from customer_segmentation.store.queries import models
from tests.support.answers import problem
from tests.support.examples import NEW_CUSTOMER, SOMEONE
from tests.support.servers import Server, running
from tests.support.shipped import FEATURE_BY_NAME, FEATURE_NAMES, FEATURES, SHIPPED
from tests.support.stored import activate, renumbered, store_candidate

Customers = tuple[IntArray, FloatArray]


def test_a_profile_tells_what_the_customers_are_like(
    shipped_model: Model, shipped_customers: Customers
) -> None:
    _, values = shipped_customers
    segments = Assigner(shipped_model).assign(values)

    for profile in profile_segments(shipped_model, shipped_model.distribution):
        ours = values[segments == profile.number]
        assert profile.size == len(ours)
        assert profile.share == len(ours) / len(values)
        for j, attribute in enumerate(profile.attributes):
            column = ours[:, j]
            assert attribute.mean == pytest.approx(column.mean())
            assert attribute.difference == pytest.approx(column.mean() - values[:, j].mean())
            found = (attribute.lower_quartile, attribute.median, attribute.upper_quartile)
            # As exact as the bins: everybody's percentiles. A share of the customers, not a
            # distance between values, tells how far a quartile is off.
            for wanted, quartile in zip((0.25, 0.5, 0.75), found, strict=True):
                below, up_to = (column < quartile).mean(), (column <= quartile).mean()
                assert below - 0.05 <= wanted <= up_to + 0.05, (attribute.attribute, wanted)
            if FEATURES[j].codes:
                shares = {code: (column == code).mean() for code in FEATURES[j].codes}
                assert attribute.shares == pytest.approx(shares)


def test_a_summary_names_what_sets_the_segment_apart(shipped_model: Model) -> None:
    first = profile_segments(shipped_model, shipped_model.distribution)[0]

    assert first.summary.startswith("4,641 customers (23% of all): ")
    assert "higher number of transactions (mean" in first.summary


def test_groups_are_counted_exactly(shipped_model: Model, shipped_customers: Customers) -> None:
    _, values = shipped_customers
    segments = Assigner(shipped_model).assign(values)

    shares = group_shares(shipped_model, shipped_model.distribution)
    genders, bands = shares["gender"], shares["age"]

    women = values[:, FEATURE_NAMES.index("gender")] == 1
    female = next(group for group in genders if group.group == "Female")
    assert female.size == women.sum()
    assert female.shares[2] == pytest.approx((segments[women] == 2).mean())
    assert female.ratios[2] == pytest.approx((segments[women] == 2).mean() / (segments == 2).mean())
    age = values[:, FEATURE_NAMES.index("age")]
    borders = FEATURE_BY_NAME["age"].bands
    sizes = {f"{a}-{b}": int(((age >= a) & (age <= b)).sum()) for a, b in borders}
    assert {band.group: band.size for band in bands} == {g: n for g, n in sizes.items() if n}


def test_protected_attributes_can_be_left_out_and_are_still_reported(
    shipped_customers: Customers,
) -> None:
    parameters = Parameters(excluded=("gender", "age"))
    model = LocalEngine(SHIPPED).train(*shipped_customers, parameters)

    genders = group_shares(model, model.distribution)["gender"]

    assert model.parameters.excluded == ("gender", "age")
    assert not {0, 1} & set(model.preparation.used.tolist())
    assert all(0.9 < ratio < 1.1 for group in genders for ratio in group.ratios.values() if ratio)


@given(reached=st.sets(st.sampled_from(["e-mail", "Facebook", "Twitter", "Instagram"])))
def test_the_next_best_action_is_on_a_channel_that_reached_the_customer(
    reached: set[str],
) -> None:
    channels = {
        "email_interaction": "e-mail",
        "facebook_interaction": "Facebook",
        "twitter_interaction": "Twitter",
        "instagram_interaction": "Instagram",
    }
    attributes = {name: int(channel in reached) for name, channel in channels.items()}
    strategies = (
        Strategy("anyhow"),
        Strategy("write", "e-mail"),
        Strategy("show", "Instagram"),
    )

    action = Segment(0, "x", strategies).next_best_action(attributes, SHIPPED.reach)

    expected = "write" if "e-mail" in reached else "show" if "Instagram" in reached else "anyhow"
    assert action is not None
    assert action.text == expected


def test_segments_over_http_follow_each_change(server: Server) -> None:
    client = server.client
    before = client.get("/v1/segments").json()
    client.post("/add_customer_to_database", json=NEW_CUSTOMER).raise_for_status()

    after = client.get("/v1/segments").json()

    assert (before["customers"], after["customers"]) == (20_000, 20_001)
    assert after["segments"][0]["size"] == before["segments"][0]["size"] + 1
    assert [segment["name"] for segment in after["segments"]][2] == "Affluent Inactives"
    assert len(after["segments"][0]["profile"]) == len(FEATURES)
    disparity = client.get("/v1/segments/disparity").json()
    assert sum(group["size"] for group in disparity["genders"]) == 20_001


def test_words_are_edited_kept_over_retrains_and_on_record(
    database_url: str, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    with (
        running(database_url, tmp_path) as server,
        running(database_url, tmp_path / "other") as other,
    ):
        client = server.client
        strategies = [
            {"text": "Show the app", "channel": "any"},
            {"text": "Write about savings", "channel": "e-mail"},
        ]
        edited = client.patch(
            "/v1/segments/1",
            json={"name": "Bargain Hunters", "strategies": strategies, "by": "Ada"},
        ).json()
        assert edited["name"] == "Bargain Hunters"
        assert edited["strategies"] == strategies

        expected = "Cluster 1: Bargain Hunters , Business strategy: Show the app"
        assert predict(client) == expected
        deadline = time.monotonic() + 1.5
        while predict(other.client) != expected:
            assert time.monotonic() < deadline, "the other server has not noticed the edit"
            time.sleep(0.05)
        client.post("/retrain_model_with_latest_data").raise_for_status()
        assert predict(client) == expected
        names = [segment["name"] for segment in client.get("/v1/models/1").json()["segments"]]
        assert names[1] == "Bargain Hunters"

        client.patch("/v1/segments/1", json={"description": "They compare prices."})
        (first, second) = client.get("/v1/segments/1/edits").json()["edits"]
        assert (first["edited_by"], first["description"]) == ("Ada", "")
        assert (second["name"], second["description"]) == (
            "Bargain Hunters",
            "They compare prices.",
        )
        problem(client.patch("/v1/segments/9", json={"name": "x"}), 404)
        problem(client.patch("/v1/segments/1", json={"name": ""}), 422)
        problem(client.patch("/v1/segments/1", json={"strategies": []}), 422)


@pytest.mark.parametrize(
    ("words", "field"),
    [
        ({"name": " \u3000"}, "name"),
        ({"name": "\u200b"}, "name"),
        ({"name": "Affluent Inactives"}, "name"),
        ({"name": " affluent\u00a0inactives"}, "name"),
        ({"strategies": [{"text": "Call them"}, {"text": " "}]}, "strategies.1.text"),
    ],
)
def test_words_by_which_nobody_knows_a_segment_are_refused(
    shared_server: Server, words: dict[str, object], field: str
) -> None:
    client = shared_server.client
    before = client.get("/v1/segments").json()["segments"]

    told = problem(client.patch("/v1/segments/1", json=words), 422)

    assert [fault["field"] for fault in told["errors"]] == [field]
    assert client.get("/v1/segments").json()["segments"] == before


def test_two_segments_that_had_one_name_before_can_be_described_and_told_apart() -> None:
    one, other = (Segment(number, "Savers", (Strategy("Call"),)) for number in (1, 2))

    check_words(one, replace(one, description="They save."), (one, other), ())
    check_words(one, replace(one, name="Spenders"), (one, other), ())
    with pytest.raises(InvalidInputError, match="differ from that of segment 2, Savers"):
        check_words(one, replace(one, name="savers"), (one, other), ())


def predict(client: httpx.Client) -> str:
    return str(client.post("/predict_customer_segment_in_real_time", json=SOMEONE).json())


def test_transitions_count_who_moved_between_two_moments(server: Server) -> None:
    client = server.client
    before = datetime.now(UTC)
    client.post("/add_customer_to_database", json=NEW_CUSTOMER).raise_for_status()
    client.post("/delete_customer_from_database?customer_id=787").raise_for_status()
    client.post(
        "/update_customer_details_to_database",
        json={"customer_id": 56, "loyalty_score": 10, "transaction_count": 2},
    ).raise_for_status()
    moved = client.get("/v1/customers/56/history").json()["changes"][-1]["to_segment"]
    after = datetime.now(UTC)

    answer = client.get(
        "/v1/segments/transitions",
        params={"since": before.isoformat(), "until": after.isoformat()},
    ).json()

    counts = {(t["from_segment"], t["to_segment"]): t["customers"] for t in answer["transitions"]}
    assert counts[0, moved] == 1
    assert counts[None, 0] == 1
    assert sum(n for (left, entered), n in counts.items() if entered is None) == 1
    assert sum(counts.values()) == 20_001
    assert answer["moved"] == 1
    same = client.get(
        "/v1/segments/transitions",
        params={"since": after.isoformat(), "until": after.isoformat()},
    ).json()
    assert same["moved"] == 0
    swapped = {"since": after.isoformat(), "until": before.isoformat()}
    told = problem(client.get("/v1/segments/transitions", params=swapped), 422)
    assert told["errors"] == [{"field": "until", "message": "until must not be before since"}]
    assert answer["matrix"]["0"][str(moved)] == answer["matrix"]["none"]["0"] == 1
    assert sum(row["none"] for row in answer["matrix"].values()) == 1
    problem(client.get("/v1/segments/transitions?since=today&until=never"), 422)
    problem(client.get("/v1/segments/transitions?since=0.5&until=20"), 422)


def test_transitions_between_two_versions_are_those_of_activating_the_second(
    server: Server, units: UnitsOfWork, shipped_model: Model, shipped_customers: Customers
) -> None:
    ids, values = shipped_customers
    other = LocalEngine(SHIPPED).train(
        ids, values, Parameters(weights={"loyalty_score": 3.0}), shipped_model
    )
    version = store_candidate(units, other)
    client = server.client

    answer = client.get(f"/v1/segments/transitions?before=1&after={version}").json()

    left, entered = Assigner(shipped_model).assign(values), Assigner(other).assign(values)
    assert answer["moved"] == (left != entered).sum() > 0
    expected = {(a, b): ((left == a) & (entered == b)).sum() for a in range(4) for b in range(4)}
    assert {(int(a), int(b)): n for a, row in answer["matrix"].items() for b, n in row.items()} == (
        expected
    )
    assert (answer["before"], answer["after"], answer["since"]) == (1, version, None)
    problem(client.get("/v1/segments/transitions?before=1&after=99"), 404)
    moment = "2026-11-01T00:00:00Z"
    for query in ("", "before=1", f"since={moment}", f"since={moment}&until={moment}&before=1"):
        problem(client.get(f"/v1/segments/transitions?{query}"), 422)


def test_a_new_segment_never_gets_a_number_that_another_had(
    units: UnitsOfWork, shipped_model: Model
) -> None:
    activate(units, renumbered(shipped_model, {3: 7}))
    activate(units, shipped_model)

    with units.database.read() as connection:
        assert models.next_segment(connection) == 8


def test_hysteresis_keeps_a_customer_near_a_border_where_it_is(
    shipped_model: Model, shipped_customers: Customers
) -> None:
    ids, values = shipped_customers
    calm = LocalEngine(SHIPPED).train(ids, values, Parameters(hysteresis=0.2), shipped_model)
    assigner = Assigner(calm)
    distances = assigner.distances(values)
    order = np.sort(distances, axis=1)
    second = calm.numbers[np.argsort(distances, axis=1)[:, 1]]

    stayed = assigner.assign_with_hysteresis(values, second) == second

    assert (stayed == (order[:, 1] * 0.8 <= order[:, 0])).all()
    assert 0 < stayed.mean() < 1
    gone = np.full(len(values), 99)
    assert (assigner.assign_with_hysteresis(values, gone) == assigner.assign(values)).all()


def test_with_hysteresis_both_segments_are_shown(bank_url: str, tmp_path: Path) -> None:
    with Server(bank_url, tmp_path, CUSTOMER_SEGMENTATION_HYSTERESIS="0.9") as server:
        client = server.client
        client.post("/retrain_model_with_latest_data").raise_for_status()
        changes = {"customer_id": 56, "loyalty_score": 10, "transaction_count": 2}
        client.post("/update_customer_details_to_database", json=changes).raise_for_status()

        customer = client.get("/v1/customers/56/explanation").json()
        attributes = client.get("/get_customer_info_from_database?customer_id=56").json()
        (listed,) = client.get("/v1/customers?limit=1&cursor=W251bGwsIDU1XQ==").json()["customers"]

        assert customer["segment"]["number"] == 0
        assert customer["raw_segment"] == customer["explanation"]["segment"] != 0
        assert attributes["Customer info"]["cluster_num"] == 0
        assert listed["customer_id"] == 56
        assert (listed["segment"], listed["raw_segment"]) == (0, customer["raw_segment"])
        someone = client.post("/v1/segments:predict", json=SOMEONE).json()
        assert someone["segment"]["number"] == someone["raw_segment"]
