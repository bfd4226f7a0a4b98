"""Impact: what another version would do to the customers, before it is activated."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score

from customer_segmentation.domain.arrays import FloatArray, IntArray
from customer_segmentation.domain.segments import Segment, Strategy
from customer_segmentation.engines.local import LocalEngine
from customer_segmentation.model.artifact import Model, Parameters
from customer_segmentation.model.assign import Assigner
from customer_segmentation.model.fitting.shared import adjusted_rand_index
from customer_segmentation.model.quality.impact import (
    Fate,
    count_pairs,
    measure_impact,
)
from customer_segmentation.services.customers.commands import get_history
from customer_segmentation.services.models import comparison
from customer_segmentation.services.runtime.settings import Settings
from customer_segmentation.services.runtime.unit_of_work import units_over
from tests.support.answers import problem
from tests.support.jobs import activate_and_rescore
from tests.support.servers import Server
from tests.support.shipped import SHIPPED
from tests.support.stored import store_candidate


def with_segments(model: Model, *numbers: int) -> Model:
    """Return a model of these segments, for counting."""
    segments = tuple(Segment(n, f"Segment {n}", (Strategy(f"Do {n}"),)) for n in numbers)
    return replace(model, segments=segments)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), min_size=1, max_size=200))
def test_the_agreement_is_the_adjusted_rand_index(pairs: list[tuple[int, int]]) -> None:
    left, entered = np.array(pairs).T
    counts = np.zeros((4, 3), dtype=np.int64)
    np.add.at(counts, (left, entered), 1)

    assert adjusted_rand_index(counts) == pytest.approx(adjusted_rand_score(left, entered))


def test_unchanged_segments_have_no_impact(shipped_model: Model) -> None:
    impact = measure_impact(shipped_model, shipped_model, np.diag(shipped_model.distribution.sizes))

    assert (impact.moved, impact.agreement, impact.strategies_touched) == (0, 1.0, ())
    assert {segment.fate for segment in impact.segments} == {Fate.KEPT}


@pytest.mark.parametrize(
    ("pairs", "fate", "into"),
    [
        ([[100, 0, 0], [0, 50, 50]], Fate.SPLIT, (4, 5)),
        ([[100, 0, 0], [95, 5, 0]], Fate.MERGED, (0,)),
        ([[100, 0, 0], [29, 42, 29]], Fate.RETIRED, (4,)),
    ],
)
def test_a_segment_that_is_gone_was_split_merged_or_retired(
    shipped_model: Model, pairs: list[list[int]], fate: Fate, into: tuple[int, ...]
) -> None:
    before = with_segments(shipped_model, 0, 1)
    after = with_segments(shipped_model, 0, 4, 5)

    impact = measure_impact(before, after, np.array(pairs))

    gone = next(segment for segment in impact.segments if segment.number == 1)
    assert (gone.fate, gone.into, gone.size_before, gone.size_after) == (fate, into, 100, None)
    fates = {segment.number: segment.fate for segment in impact.segments}
    assert fates == {0: Fate.KEPT, 1: fate, 4: Fate.NEW, 5: Fate.NEW}
    assert impact.moved == 100
    assert "Do 1" in impact.strategies_touched


def test_customers_are_counted_by_both_segments(
    shipped_model: Model, shipped_customers: tuple[IntArray, FloatArray]
) -> None:
    ids, values = shipped_customers
    other = LocalEngine(SHIPPED).train(
        ids, values, Parameters(weights={"loyalty_score": 3.0}), shipped_model
    )
    left, entered = Assigner(shipped_model).assign(values), Assigner(other).assign(values)

    impact = measure_impact(shipped_model, other, count_pairs(shipped_model, other, left, entered))

    assert impact.moved == (left != entered).sum() > 0
    assert impact.agreement == pytest.approx(adjusted_rand_score(left, entered))
    assert impact.matrix[0][0] == ((left == 0) & (entered == 0)).sum()
    assert sum(map(sum, (row.values() for row in impact.matrix.values()))) == len(ids)


@pytest.mark.parametrize(("k", "kept"), [(5, 4), (3, 2)])
def test_growing_or_shrinking_keeps_the_segments_that_survive(
    shipped_model: Model,
    shipped_customers: tuple[IntArray, FloatArray],
    k: int,
    kept: int,
) -> None:
    ids, values = shipped_customers

    other = LocalEngine(SHIPPED).train(ids, values, Parameters(k=k), shipped_model, next_number=9)

    numbers = set(other.numbers.tolist())
    survivors = numbers & {0, 1, 2, 3}
    assert len(numbers) == k
    assert len(survivors) >= kept
    assert all(number >= 9 for number in numbers - survivors)
    names = {segment.number: segment.name for segment in shipped_model.segments}
    for segment in other.segments:
        assert segment.name == names.get(segment.number, segment.name)


def test_the_impact_told_is_what_activation_does(
    server: Server,
    database_url: str,
    shipped_model: Model,
    shipped_customers: tuple[IntArray, FloatArray],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ids, values = shipped_customers
    other = LocalEngine(SHIPPED).train(
        ids, values, Parameters(weights={"loyalty_score": 3.0}), shipped_model
    )
    units = units_over(database_url)
    version = store_candidate(units, other)

    impact = server.client.get(f"/v1/models/{version}/impact").json()

    moved = ids[Assigner(shipped_model).assign(values) != Assigner(other).assign(values)]
    assert (impact["before"], impact["after"], impact["customers"]) == (1, version, 20_000)
    assert impact["moved"] == len(moved)
    assert impact["centroids_before"] == server.client.get("/v1/models/1").json()["centroids"]
    assert impact["quality_after"]["silhouette"] == pytest.approx(other.quality.silhouette)
    assert {segment["fate"] for segment in impact["segments"]} == {"kept"}
    monkeypatch.setattr(comparison, "_MAX_AT_ONCE", 0)
    beside = comparison.compare_versions(units, Settings(database_url=database_url), 1, version)
    assert beside["matrix"] == impact["matrix"]
    activate_and_rescore(units, Settings(), version)
    for customer in moved[:20].tolist():
        assert len(get_history(units, customer)) == 2
    units.close()
    problem(server.client.get("/v1/models/99/impact"), 404)
    problem(server.client.get(f"/v1/models/{version}/impact?against=99"), 404)
