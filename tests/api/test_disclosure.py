"""Small counts: hidden from readers, and not to be found from what is told."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from customer_segmentation.api.v1.disclosure import (
    suppress_sizes,
    suppress_transitions,
    suppress_version,
)
from customer_segmentation.api.v1.models.answers import QualityAnswer, VersionSummary
from customer_segmentation.api.v1.segments.answers import Transition, Transitions
from customer_segmentation.api.v1.segments.figure_answers import SegmentSizes, SizesAnswer
from customer_segmentation.domain.access import Role
from customer_segmentation.domain.disclosure import hide_small
from customer_segmentation.domain.jobs import Trigger
from customer_segmentation.services.operation.keys import create_key
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork
from tests.support.answers import problem
from tests.support.servers import running

COUNTS = st.integers(0, 40)
TABLES = st.tuples(st.integers(2, 6), st.integers(2, 6)).flatmap(
    lambda shape: arrays(np.int64, shape, elements=COUNTS)
)
LISTS = st.integers(2, 8).flatmap(lambda size: arrays(np.int64, size, elements=COUNTS))


def test_a_small_count_and_the_next_smallest_are_hidden() -> None:
    assert hide_small(np.array([3, 50, 20, 400]), 10).tolist() == [True, False, True, False]
    assert hide_small(np.array([30, 50, 0, 400]), 10).tolist() == [False] * 4
    assert hide_small(np.array([3, 50]), 0).tolist() == [False, False]


def test_what_is_hidden_for_another_reason_takes_others_with_it() -> None:
    also = np.array([False, True, False, False])

    hidden = hide_small(np.array([30, 50, 20, 400]), 10, also=also)

    assert hidden.tolist() == [False, True, True, False]


@given(st.one_of(TABLES, LISTS), st.integers(0, 15))
def test_no_hidden_count_follows_from_the_totals(counts: np.ndarray, least: int) -> None:
    hidden = hide_small(counts, least)

    assert hidden[(counts > 0) & (counts < least)].all()
    if hidden.all():
        return
    lines = [(counts, hidden)]
    if counts.ndim == 2:
        lines = [*zip(counts, hidden, strict=True), *zip(counts.T, hidden.T, strict=True)]
    for values, hides in lines:
        behind = values[hides].sum()
        assert behind == 0 or behind >= least or hides.all()
        assert hides.sum() != 1


@given(TABLES, st.integers(1, 15))
def test_another_table_tells_the_same(counts: np.ndarray, least: int) -> None:
    hidden = hide_small(counts, least)
    cells = np.flatnonzero(hidden)
    rows, columns = np.indices(counts.shape)
    lines = [rows.ravel() == i for i in range(counts.shape[0])]
    lines += [columns.ravel() == j for j in range(counts.shape[1])]
    known = np.array(lines, dtype=np.float64)[:, cells]
    small = (counts.ravel()[cells] > 0) & (counts.ravel()[cells] < least)

    for cell in np.flatnonzero(small):
        alone = np.zeros(len(cells))
        alone[cell] = 1.0
        # A known cell is a sum of multiples of the totals.
        solution = np.linalg.lstsq(known.T, alone, rcond=None)[0]
        assert not np.allclose(known.T @ solution, alone)


@given(TABLES, st.integers(0, 15))
def test_transitions_tell_no_more_than_the_table(counts: np.ndarray, least: int) -> None:
    assume(counts.any(axis=0).all() and counts.any(axis=1).all())
    transitions = [
        Transition(from_segment=left, to_segment=entered, customers=int(count))
        for (left, entered), count in np.ndenumerate(counts)
        if count
    ]

    told = suppress_transitions(Transitions(moved=0, transitions=transitions), least).matrix

    hidden = [
        [told[str(i)][str(j)] is None for j in range(len(row))] for i, row in enumerate(counts)
    ]
    assert hidden == hide_small(counts, least).tolist()


@pytest.fixture
def ask(
    units: UnitsOfWork, database_url: str, tmp_path: Path
) -> Iterator[Callable[[Role, str], httpx.Response]]:
    """Ask a server that hides counts below 6,000."""
    keys = {role: create_key(units, role.label, role) for role in Role}
    settings = {
        "CUSTOMER_SEGMENTATION_AUTH": "keys",
        "CUSTOMER_SEGMENTATION_MIN_GROUP_SIZE": "6000",
    }

    with running(database_url, tmp_path, **settings) as server:

        def call(role: Role, path: str) -> httpx.Response:
            headers = {"Authorization": f"Bearer {keys[role]}"}
            return server.client.get(path, headers=headers)

        yield call


def test_readers_are_told_no_small_segment_and_admins_are(
    ask: Callable[[Role, str], httpx.Response],
) -> None:
    whole = {s["number"]: s for s in ask(Role.ADMIN, "/v1/segments").json()["segments"]}
    told = {s["number"]: s for s in ask(Role.READER, "/v1/segments").json()["segments"]}
    small = {number for number, segment in whole.items() if segment["size"] < 6000}
    assert small

    for number, segment in told.items():
        if number in small:
            assert (segment["size"], segment["share"], segment["profile"]) == (None, None, [])
        assert segment["outliers"] is None
        assert segment["name"] == whole[number]["name"]
    assert sum(segment["size"] is None for segment in told.values()) >= 2

    metrics = ask(Role.READER, "/metrics").text
    for number in small:
        assert f'customer_segmentation_customers{{segment="{number}"}}' not in metrics
        assert f'customer_segmentation_customers{{segment="{number}"}}' in (
            ask(Role.ADMIN, "/metrics").text
        )

    drift = ask(Role.READER, "/v1/drift").json()
    version = ask(Role.READER, "/v1/models/1").json()
    impact = ask(Role.READER, "/v1/models/1/impact").json()
    for number in small:
        assert drift["trained_shares"][str(number)] is None
        assert drift["current_shares"][str(number)] is None
        assert version["quality"]["sizes"][str(number)] is None
        assert str(number) not in version["centroids"]
        assert impact["matrix"][str(number)][str(number)] is None
    assert version["fingerprint"]["attributes"]["age"]["minimum"] is None
    assert all(group["shares"] for group in disparity(ask, Role.ADMIN))
    assert any(group["size"] is None for group in disparity(ask, Role.READER))
    since = "since=2020-01-01T00:00:00Z&until=2030-01-01T00:00:00Z"
    moves = ask(Role.READER, f"/v1/segments/transitions?{since}").json()
    assert {t["to_segment"] for t in moves["transitions"] if t["customers"] is None} >= small
    assert moves["moved"] is None
    growth = ask(Role.READER, "/v1/segments/growth?since=2020-01-01T00:00:00Z").json()["segments"]
    assert {g["segment"] for g in growth if g["net"] is None and g["entered"] is None} >= small
    *_, now = ask(Role.READER, "/v1/segments/sizes").json()["sizes"]
    assert {int(n) for n, size in now["customers"].items() if size is None} >= small
    *_, known = ask(Role.ADMIN, "/v1/segments/sizes").json()["sizes"]
    assert None not in known["customers"].values()
    for attribute in ask(Role.READER, "/v1/segments/distributions").json()["attributes"]:
        for group in attribute["groups"]:
            assert all(group["counts"][str(number)] is None for number in small)
    points = ask(Role.READER, "/v1/segments/map").json()["points"]
    assert not small & {point["segment"] for point in points}
    assert len(ask(Role.ADMIN, "/v1/segments/map").json()["points"]) == 1_500
    assert "customer_segmentation_outliers " not in ask(Role.READER, "/metrics").text
    assert "customer_segmentation_outliers " in ask(Role.ADMIN, "/metrics").text
    problem(ask(Role.READER, "/v1/models/1/record"), 403)
    assert ask(Role.ADMIN, "/v1/models/1/record").status_code == 200


def test_why_a_model_is_held_back_tells_no_small_share() -> None:
    quality = QualityAnswer(inertia=1.0, silhouette=0.3, stability=0.9, sizes={0: 500, 1: 4, 2: 90})
    version = VersionSummary(
        version=2,
        created_at=datetime(2026, 11, 24, tzinfo=UTC),
        trigger=Trigger.REQUEST,
        created_by="Ada",
        reason="",
        is_active=False,
        is_previous=False,
        has_served=True,
        held_back=["Segment 1 holds 0.7 % of the customers"],
        customers=594,
        quality=quality,
    )

    assert suppress_version(version, 0) == version
    assert "0.7" not in str(suppress_version(version, 10))
    assert suppress_version(version, 3).held_back == version.held_back


def disparity(ask: Callable[[Role, str], httpx.Response], role: Role) -> list[dict[str, Any]]:
    """The age bands of the disparity report."""
    return list(ask(role, "/v1/segments/disparity").json()["age_bands"])


def test_sizes_that_differ_by_few_are_hidden_as_well() -> None:
    moment = datetime(2026, 11, 1, tzinfo=UTC)
    weekly = [{0: 60, 1: 70}, {0: 57, 1: 70}, {0: 58, 1: 90}]
    sizes = [SizesAnswer(at=moment, customers=dict(counts)) for counts in weekly]

    told = suppress_sizes(SegmentSizes(sizes=sizes), 5)

    assert [one.customers for one in told.sizes] == [
        {0: None, 1: 70},
        {0: None, 1: 70},
        {0: 58, 1: 90},
    ]
