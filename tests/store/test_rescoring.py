"""Re-scoring writes whom a model moves, and misses nobody who is changed meanwhile."""

from collections.abc import Callable
from contextlib import suppress

import numpy as np
import pytest

from customer_segmentation.domain.arrays import FloatArray, IntArray
from customer_segmentation.domain.history import Activation, Cause
from customer_segmentation.domain.jobs import Origin, Trigger
from customer_segmentation.engines.local import LocalEngine
from customer_segmentation.model.artifact import Model, Parameters, to_json
from customer_segmentation.services.customers.commands import (
    add_customer,
    delete_customer,
    get_customer,
    get_history,
    update_customer,
)
from customer_segmentation.services.models import rescoring
from customer_segmentation.services.models.activation import activate
from customer_segmentation.services.models.rescoring import Snapshot, rescore
from customer_segmentation.services.monitoring.distribution import count, read_current
from customer_segmentation.services.runtime.clock import now
from customer_segmentation.services.runtime.serving import load_model
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork
from customer_segmentation.store.queries import models
from tests.support.shipped import SHIPPED
from tests.support.stored import stored_customers

pytestmark = pytest.mark.both_databases

POOR = {"monthly_income": 900, "account_balance": 3, "transaction_count": 1, "loyalty_score": 9}


@pytest.fixture(autouse=True, params=[5_000, 50])
def small_parts(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Re-score in several transactions: by the number of customers, and of those who move."""
    monkeypatch.setattr(rescoring, "PART", 5_000)
    monkeypatch.setattr(rescoring, "MOVES", request.param)


@pytest.fixture(scope="module")
def other_model(shipped_customers: tuple[IntArray, FloatArray], shipped_model: Model) -> Model:
    """A model that puts some customers elsewhere."""
    parameters = Parameters(weights={"loyalty_score": 3.0})
    return LocalEngine(SHIPPED).train(*shipped_customers, parameters, shipped_model)


def serve(units: UnitsOfWork, model: Model) -> None:
    """Let a model serve, and re-score nobody yet."""
    with units.database.write() as connection:
        previous = models.lock(connection)
        version = models.add(connection, to_json(model), now(), Origin(Trigger.REQUEST, ""))
        activation = Activation(version, previous, Cause.RETRAINED, now(), "", "")
        activate(connection, activation, load_model(connection, version, SHIPPED))
    units.refresh()


def take_snapshot(units: UnitsOfWork) -> Snapshot:
    """Read all customers as a training does."""
    with units.database.write() as connection:
        epoch = models.begin_epoch(connection)
    return Snapshot(stored_customers(units), epoch, now())


def change_some(units: UnitsOfWork, first: int) -> None:
    """Change, delete and add customers from an id on, and at the end of all."""
    units.run(update_customer, first, POOR)
    units.run(update_customer, first + 1, {"age": 33})
    units.run(delete_customer, first + 2)
    anyone = get_customer(units, first).customer.attributes
    units.run(delete_customer, first + 3)
    units.run(add_customer, first + 3, anyone)
    units.run(add_customer, 30_000 + first, anyone)


def assert_settled(units: UnitsOfWork) -> None:
    """See that every row tells its segment by the active model, and is counted once."""
    stored, serving = stored_customers(units), units.require_model()
    assert (stored.segments == serving.assigner.assign(stored.values)).all()
    found = read_current(units).distribution
    expected = count(serving, stored.values, stored.segments)
    assert (found.counts == expected.counts).all()
    assert (found.outliers == expected.outliers).all()
    with units.database.read() as connection:
        assert models.is_rescored(connection)


def at_each_chunk(units: UnitsOfWork, places: list[int]) -> Callable[[int], None]:
    """Return what changes customers between chunks, before and behind the re-scoring."""

    def change(_done: int) -> None:
        if places:
            change_some(units, places.pop())

    return change


def test_a_retrain_writes_only_the_customers_whom_it_moves(
    units: UnitsOfWork, other_model: Model
) -> None:
    snapshot = take_snapshot(units)
    before = snapshot.customers
    serve(units, other_model)

    rescore(units, snapshot=snapshot)

    after = stored_customers(units)
    moved = before.segments != after.segments
    assert 20 < moved.sum() < 10_000
    assert ((before.epochs != after.epochs) == moved).all()
    assert_settled(units)


@pytest.mark.parametrize("is_read_before", [True, False])
def test_customers_changed_during_training_and_re_scoring_are_settled_all_the_same(
    units: UnitsOfWork, other_model: Model, *, is_read_before: bool
) -> None:
    snapshot = take_snapshot(units) if is_read_before else None
    change_some(units, 100)
    change_some(units, 12_000)
    serve(units, other_model)
    change_some(units, 200)
    change_some(units, 12_100)

    rescore(units, at_each_chunk(units, [300, 12_200]), snapshot)

    assert_settled(units)


def test_a_version_that_served_before_counts_everybody_again(
    units: UnitsOfWork, other_model: Model, shipped_model: Model
) -> None:
    for model in (other_model, shipped_model, other_model):
        serve(units, model)
        change_some(units, 100)
        rescore(units)
        assert_settled(units)
        anyone = get_customer(units, 100).customer.attributes
        for customer_id in (50_102, 50_103):
            units.run(add_customer, customer_id, anyone)
        units.run(delete_customer, 30_100)
        for customer_id in (50_102, 50_103):
            units.run(delete_customer, customer_id)
        units.run(add_customer, 102, anyone)


def test_an_activation_during_a_re_scoring_takes_it_over(
    units: UnitsOfWork, other_model: Model, shipped_model: Model
) -> None:
    others = [shipped_model]

    def activate_another(_done: int) -> None:
        if others:
            serve(units, others.pop())

    snapshot = take_snapshot(units)
    serve(units, other_model)

    rescore(units, activate_another, snapshot)

    assert units.serving.version == 3
    assert_settled(units)


def test_a_customer_moved_by_a_re_scoring_has_it_in_the_history_once(
    units: UnitsOfWork, other_model: Model
) -> None:
    snapshot = take_snapshot(units)
    serve(units, other_model)
    rescore(units, snapshot=snapshot)
    stored = stored_customers(units)
    moved = int(stored.ids[np.flatnonzero(stored.segments != snapshot.customers.segments)[0]])

    rescore(units)

    assert [change.cause for change in get_history(units, moved)] == ["added", "retrained"]


def test_two_processes_at_a_re_scoring_count_everybody_once(
    units: UnitsOfWork, other_model: Model
) -> None:
    others = [1]

    def let_another_do_it_all(_done: int) -> None:
        if others:
            others.pop()
            rescore(units)

    serve(units, other_model)

    rescore(units, let_another_do_it_all)

    assert_settled(units)


def test_whoever_waits_for_a_re_scoring_takes_over_where_it_is_cut_off(
    units: UnitsOfWork, other_model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rescoring, "CUT_OFF_SECONDS", 0.3)
    others = [1]

    def interrupt(_done: int) -> None:
        raise InterruptedError

    def let_another_begin(_done: int) -> None:
        if others:
            others.pop()
            with suppress(InterruptedError):
                rescore(units, interrupt)

    serve(units, other_model)

    rescore(units, let_another_begin)

    assert_settled(units)


def test_versions_activated_in_quick_succession_count_everybody_once(
    units: UnitsOfWork, other_model: Model, shipped_model: Model
) -> None:
    serve(units, other_model)
    waiting = [other_model, shipped_model] * 3

    def activate_another_beside(_done: int) -> None:
        if waiting:
            serve(units, waiting.pop())
            rescore(units, activate_another_beside)

    rescore(units, activate_another_beside)

    assert_settled(units)
