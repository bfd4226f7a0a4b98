"""Gates: a model that is not good enough stays a candidate, with the reasons in plain words."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score
from sklearn.preprocessing import StandardScaler

from customer_segmentation.domain.arrays import FloatArray, IntArray
from customer_segmentation.domain.errors import VersionNotFoundError
from customer_segmentation.domain.jobs import Origin, Trigger
from customer_segmentation.engines.local import LocalEngine
from customer_segmentation.model.artifact import Model, Parameters, Thresholds, to_json
from customer_segmentation.model.assign import Assigner
from customer_segmentation.model.quality.gates import Gates, find_failures
from customer_segmentation.services.customers.commands import get_customer, get_history
from customer_segmentation.services.models.registry import list_versions
from customer_segmentation.services.runtime.clock import now
from customer_segmentation.services.runtime.settings import Settings
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork
from customer_segmentation.store.queries import models
from tests.support.commands import command
from tests.support.jobs import activate_and_rescore
from tests.support.servers import Server
from tests.support.shipped import SHIPPED
from tests.support.stored import stored_customers
from tests.support.weak_table import weak_table

Segmenting = Callable[[IntArray, FloatArray, int], IntArray]


def ours(ids: IntArray, values: FloatArray, seed: int) -> IntArray:
    """Return the segments, (n,), that a training gives its customers."""
    return Assigner(LocalEngine(SHIPPED).train(ids, values, Parameters(seed=seed))).assign(values)


def plain(_ids: IntArray, values: FloatArray, seed: int) -> IntArray:
    """Return what standard scores and K-means give as they come."""
    return KMeans(4, random_state=seed).fit_predict(StandardScaler().fit_transform(values))


def agreement(
    ids: IntArray, values: FloatArray, segment: Segmenting = ours, trainings: int = 10
) -> float:
    """Return the mean adjusted Rand index of pairs of trainings on the customers they share.

    Each training sees 95 % of the customers and has a seed of its own. The index is the same
    however segments are matched.
    """
    random = np.random.default_rng(0)
    seen: list[tuple[IntArray, IntArray]] = []
    for seed in range(trainings):
        rows = np.sort(random.choice(len(ids), int(0.95 * len(ids)), replace=False))
        seen.append((rows, segment(ids[rows], values[rows], seed)))
    found = []
    for i, (rows, segments) in enumerate(seen):
        for others, other_segments in seen[:i]:
            _, here, there = np.intersect1d(rows, others, return_indices=True)
            found.append(adjusted_rand_score(segments[here], other_segments[there]))
    print(f"{segment.__name__}: {np.mean(found):.3f}")  # noqa: T201
    return float(np.mean(found))


def test_trainings_on_the_shipped_data_agree_whatever_their_seed_and_sample(
    shipped_customers: tuple[IntArray, FloatArray],
) -> None:
    assert agreement(*shipped_customers) >= 0.98


@pytest.mark.long
def test_trainings_on_a_weak_table_agree_too_where_the_plain_recipe_does_not() -> None:
    assert agreement(*weak_table()) >= 0.9
    assert agreement(*weak_table(), plain) < 0.5


def test_more_segments_than_the_data_hold_are_held_back_as_unstable() -> None:
    model = LocalEngine(SHIPPED).train(*weak_table(2_000), Parameters(k=8))

    (reason,) = find_failures(model, None, Gates())

    assert reason.startswith("The data hold no stable segments")


def test_the_shipped_model_passes_every_gate(shipped_model: Model) -> None:
    assert find_failures(shipped_model, shipped_model, Gates()) == ()


@pytest.mark.parametrize(
    ("figures", "reason"),
    [
        ({"stability": 0.2}, "agree with an adjusted Rand index of 0.20"),
        ({"silhouette": 0.1}, "The silhouette would fall from 0.36 to 0.10"),
        ({"sizes": {0: 9, 1: 9000, 2: 9000, 3: 2000}}, "Segment 0, High-Value Power Users, would"),
    ],
)
def test_each_gate_names_what_it_found_and_what_it_requires(
    shipped_model: Model, figures: dict[str, object], reason: str
) -> None:
    worse = replace(shipped_model, quality=replace(shipped_model.quality, **figures))  # type: ignore[arg-type]

    (failure,) = find_failures(worse, shipped_model, Gates())

    assert reason in failure


def test_a_figure_just_beyond_its_gate_is_told_with_the_digits_that_decided(
    shipped_model: Model,
) -> None:
    quality = replace(shipped_model.quality, silhouette=shipped_model.quality.silhouette - 0.05004)

    (failure,) = find_failures(replace(shipped_model, quality=quality), shipped_model, Gates())

    assert "by 0.05004; a loss of at most 0.05000 is allowed" in failure


def test_the_version_that_served_before_is_the_one_to_roll_back_to(
    units: UnitsOfWork, shipped_model: Model
) -> None:
    with units.database.write() as connection:
        for held_back in ((), ("too weak",)):
            origin = Origin(Trigger.REQUEST, "")
            models.add(connection, to_json(shipped_model), now(), origin, held_back)
    activate_and_rescore(units, Settings(), 3)
    activate_and_rescore(units, Settings(), 1)

    found = {version.number: version for version in list_versions(units)}

    assert [number for number, version in found.items() if version.is_previous] == [3]
    assert {number: bool(version.activations) for number, version in found.items()} == {
        1: True,
        2: False,
        3: True,
    }


def test_a_lost_segment_holds_a_model_back(shipped_model: Model) -> None:
    segments = (*shipped_model.segments[:3], replace(shipped_model.segments[3], number=4))
    sizes = {0: 5000, 1: 5000, 2: 5000, 4: 5000}
    other = replace(
        shipped_model, segments=segments, quality=replace(shipped_model.quality, sizes=sizes)
    )

    (failure,) = find_failures(other, shipped_model, Gates())

    assert failure.startswith("Segment 3, Budget-Conscious Occasionals, would be lost")


def test_fewer_segments_that_continue_none_hold_a_model_back(
    shipped_customers: tuple[IntArray, FloatArray], shipped_model: Model
) -> None:
    two = LocalEngine(SHIPPED).train(
        *shipped_customers, Parameters(k=2), shipped_model, next_number=9
    )
    three = LocalEngine(SHIPPED).train(
        *shipped_customers, Parameters(k=3), shipped_model, next_number=9
    )

    (failure,) = find_failures(two, shipped_model, Gates(max_silhouette_loss=1.0))

    assert failure.startswith("Segment 9, ")
    assert "would continue none of the active segments: it came within 0.61" in failure
    assert "required are at most 0.50 of the way" in failure
    assert find_failures(three, shipped_model, Gates()) == ()


def test_clusters_farther_than_the_threshold_hold_a_model_back(
    shipped_customers: tuple[IntArray, FloatArray], shipped_model: Model
) -> None:
    close = Parameters(weights={"loyalty_score": 3.0}, thresholds=Thresholds(distance=0.1))

    moved = LocalEngine(SHIPPED).train(*shipped_customers, close, shipped_model)

    (failure,) = find_failures(moved, shipped_model, Gates())
    assert failure.startswith("Segment 0, High-Value Power Users, would be lost")
    assert "the nearest at 0.14; required are at most 0.10 of the way" in failure


def test_a_retrain_held_back_is_a_conflict_that_lists_the_reasons(
    bank_url: str, tmp_path: Path
) -> None:
    strict = {"CUSTOMER_SEGMENTATION_MIN_STABILITY": "1"}
    with Server(bank_url, tmp_path, **strict) as server:
        answer = server.client.post("/retrain_model_with_latest_data")

        assert answer.status_code == 409
        assert answer.json()["type"].endswith("model-held-back")
        (error,) = answer.json()["errors"]
        assert "at least 1.00 is required" in error["message"]
        assert server.client.get("/health/ready").json()["model_version"] == 1

        listed = command(bank_url, "models", "list")
        assert "held back" in listed.stdout
        assert command(bank_url, "models", "activate", "2").returncode == 0
        assert command(bank_url, "models", "activate", "7").returncode == 6
        assert server.client.get("/health/ready").json()["model_version"] == 2


def test_an_older_version_can_be_made_to_serve_again(
    units: UnitsOfWork, shipped_customers: tuple[IntArray, FloatArray], shipped_model: Model
) -> None:
    weights = {"loyalty_score": 3.0}
    other = LocalEngine(SHIPPED).train(
        *shipped_customers, Parameters(weights=weights), shipped_model
    )
    with units.database.write() as connection:
        number = models.add(connection, to_json(other), now(), Origin(Trigger.REQUEST, ""))
    ids, values = shipped_customers
    moved = int(
        ids[np.flatnonzero(Assigner(other).assign(values) != stored_customers(units).segments)[0]]
    )
    before = get_customer(units, moved).customer.segment

    activate_and_rescore(units, Settings(), number)
    away = get_customer(units, moved).customer.segment
    activate_and_rescore(units, Settings(), 1)

    assert away != before == get_customer(units, moved).customer.segment
    assert [c.cause for c in get_history(units, moved)] == ["added", "retrained", "rolled back"]
    assert [(v.number, v.is_active) for v in list_versions(units)] == [(2, False), (1, True)]
    with pytest.raises(VersionNotFoundError):
        activate_and_rescore(units, Settings(), 3)
