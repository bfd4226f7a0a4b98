"""Counts, means, quartiles, history and feed equal a recount, whatever happened before.

A machine of rules drives the real service: customers come, change and leave by every way there is,
versions are activated in quick succession, re-scorings are cut off, connections are lost.
"""

import contextlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from customer_segmentation.domain.arrays import FloatArray, IntArray
from customer_segmentation.domain.customer import Attributes
from customer_segmentation.domain.errors import (
    CustomerErasedError,
    CustomerExistsError,
    CustomerNotFoundError,
    TrainingRefusedError,
)
from customer_segmentation.domain.history import FEED_START, Activation, Cause
from customer_segmentation.domain.imports import Mode
from customer_segmentation.domain.jobs import JobKind, Origin, Trigger
from customer_segmentation.engines.local import LocalEngine
from customer_segmentation.files.map.mapping import ColumnMapping
from customer_segmentation.files.read.tables import open_table
from customer_segmentation.model.artifact import Model, Parameters, to_json
from customer_segmentation.services.customers.batch import Action, Operation, apply_batch
from customer_segmentation.services.customers.commands import (
    add_customer,
    delete_customer,
    update_customer,
)
from customer_segmentation.services.customers.erasure import erase_customer, lift_erasure
from customer_segmentation.services.customers.events import read_events
from customer_segmentation.services.jobs.lifecycle import start_job
from customer_segmentation.services.models import rescoring
from customer_segmentation.services.models.activation import activate
from customer_segmentation.services.models.registry import activate_version
from customer_segmentation.services.models.rescoring import rescore
from customer_segmentation.services.monitoring.distribution import (
    count,
    count_waiting_changes,
    current_of,
)
from customer_segmentation.services.monitoring.recount import recount
from customer_segmentation.services.runtime.clock import now
from customer_segmentation.services.runtime.serving import load_model
from customer_segmentation.services.runtime.settings import Settings
from customer_segmentation.services.runtime.unit_of_work import units_over
from customer_segmentation.services.training.engine import local_engine
from customer_segmentation.services.training.run import run_training
from customer_segmentation.services.transfer.importing import Import, import_customers
from customer_segmentation.store.queries import models
from customer_segmentation.store.schema import migrate
from tests.support.shipped import FEATURE_NAMES, FEATURES, SHIPPED

pytestmark = pytest.mark.both_databases

MOST = 60
ids = st.integers(1, MOST)
amounts = st.sampled_from([0.0, 0.0, 0.01, 12.5, 8_074.0, 1e6, 1e15, 1e290])


@st.composite
def attributes(draw: st.DrawFn) -> Attributes:
    """Draw a customer, with many values alike and some beyond all measure."""
    found: dict[str, float] = {}
    for feature in FEATURES:
        if feature.is_integer:
            most = 9 if feature.maximum is None else int(feature.maximum)
            found[feature.name] = draw(st.integers(int(feature.minimum or 0), most))
        else:
            sign = draw(st.sampled_from([1.0, -1.0])) if feature.minimum is None else 1.0
            found[feature.name] = sign * draw(amounts)
    return found


@pytest.fixture(scope="module")
def other_model(shipped_customers: tuple[IntArray, FloatArray], shipped_model: Model) -> Model:
    """A model that puts some customers elsewhere."""
    parameters = Parameters(weights={"loyalty_score": 3.0})
    return LocalEngine(SHIPPED).train(*shipped_customers, parameters, shipped_model)


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Re-score a few customers in a transaction, and wait for nobody long."""
    monkeypatch.setattr(rescoring, "PART", 20)
    monkeypatch.setattr(rescoring, "MOVES", 5)
    monkeypatch.setattr(rescoring, "CUT_OFF_SECONDS", 0.3)


class Bank(RuleBasedStateMachine):
    """A bank whose service is used, stopped and started; `url` is of a database of its own."""

    url: str
    folder: Path

    def __init__(self) -> None:
        super().__init__()
        self.units = units_over(self.url)
        self.place = FEED_START
        self.followed: dict[int, int | None] = {}
        self.erased: set[int] = set()
        everyone = np.arange(1, MOST + 1)
        with self.units.read() as work:
            there = work.customers.find_many(work.connection, everyone).ids.tolist()
        for customer_id in there:
            self.units.run(delete_customer, customer_id)

    def teardown(self) -> None:
        rescore(self.units)
        self.check_all()
        assert recount(self.units) == 0
        for customer_id in self.erased:
            lift_erasure(self.units, customer_id)
        self.units.close()

    @rule(customer_id=ids, given=attributes())
    def add(self, customer_id: int, given: Attributes) -> None:
        with contextlib.suppress(CustomerExistsError, CustomerErasedError):
            self.units.run(add_customer, customer_id, given)

    @rule(customer_id=ids, given=attributes(), name=st.sampled_from(FEATURE_NAMES))
    def update(self, customer_id: int, given: Attributes, name: str) -> None:
        with contextlib.suppress(CustomerNotFoundError):
            self.units.run(update_customer, customer_id, {name: given[name]})

    @rule(customer_id=ids)
    def delete(self, customer_id: int) -> None:
        with contextlib.suppress(CustomerNotFoundError):
            self.units.run(delete_customer, customer_id)

    @rule(customer_id=ids)
    def erase(self, customer_id: int) -> None:
        with contextlib.suppress(CustomerNotFoundError):
            self.units.run(erase_customer, customer_id)
            self.erased.add(customer_id)
            self.followed.pop(customer_id, None)

    @rule(rows=st.lists(st.tuples(st.sampled_from(list(Action)), ids, attributes()), max_size=30))
    def batch(self, rows: list[tuple[Action, int, Attributes]]) -> None:
        done = [
            Operation(action, customer_id, {} if action is Action.DELETE else given)
            for action, customer_id, given in rows
        ]
        self.units.run(apply_batch, done)

    @rule(
        rows=st.dictionaries(ids, attributes(), min_size=1, max_size=40),
        mode=st.sampled_from(list(Mode)),
    )
    def bring(self, rows: dict[int, Attributes], mode: Mode) -> None:
        columns: dict[str, Any] = {
            feature.record_name: [row[feature.name] for row in rows.values()]
            for feature in FEATURES
        }
        path = self.folder / "rows.parquet"
        pq.write_table(pa.table({"customer id": list(rows), **columns}), path)
        with open_table(path) as source:
            how = Import("rows", mode)
            mapping = ColumnMapping.by_record_names(SHIPPED)
            import_customers(self.units, source, mapping, how, lambda _rejects: None)

    @rule()
    def train(self) -> None:
        job = start_job(self.units.database, JobKind.TRAINING, Origin(Trigger.REQUEST, ""))
        with contextlib.suppress(TrainingRefusedError):
            run_training(
                self.units, lambda: local_engine(SHIPPED), Settings(keep_versions=100), job.id
            )

    @rule(versions=st.lists(st.sampled_from([1, 2]), min_size=1, max_size=4))
    def activate(self, versions: list[int]) -> None:
        for version in versions:
            activate_version(self.units, Settings(), version)

    @rule(chunks=st.integers(0, 3))
    def rescore_until_cut_off(self, chunks: int) -> None:
        left = [None] * chunks

        def interrupt(_done: int) -> None:
            if not left:
                raise InterruptedError
            left.pop()

        with contextlib.suppress(InterruptedError):
            rescore(self.units, interrupt)

    @rule(version=st.sampled_from([1, 2]))
    def rescore_in_two_processes(self, version: int) -> None:
        activate_version(self.units, Settings(), version)
        self.beside(lambda: rescore(self.units), lambda: rescore(self.units))

    @rule(ours=st.lists(st.tuples(ids, attributes()), min_size=1, max_size=10))
    def write_while_others_count_and_rescore(self, ours: list[tuple[int, Attributes]]) -> None:
        def write() -> None:
            for customer_id, given in ours:
                self.add(customer_id, given)
                self.update(customer_id, given, "loyalty_score")

        self.beside(
            write,
            write,
            lambda: rescore(self.units),
            lambda: count_waiting_changes(self.units),
            lambda: recount(self.units),
        )

    @rule()
    def count_waiting(self) -> None:
        count_waiting_changes(self.units)

    @rule()
    def crash(self) -> None:
        self.units.close()
        self.units = units_over(self.url)

    @invariant()
    def check_all(self) -> None:
        with self.units.read() as work:
            stored = work.customers.find_many(work.connection, np.arange(1, MOST + 1))
            current, active, serving = current_of(work), work.active, work.serving
        settled = stored.at(active.are_current(stored.ids, stored.epochs))
        expected = count(serving, settled.values, settled.segments, bins=current.bins)
        assert (current.counted.counts == expected.counts).all()
        assert (current.counted.digits == expected.digits).all()
        assert (current.counted.outliers == expected.outliers).all()
        assert not active.is_rescored or len(settled.ids) == len(stored.ids)
        self.check_feed(dict(zip(stored.ids.tolist(), stored.segments.tolist(), strict=True)))

    def check_feed(self, stored: dict[int, int]) -> None:
        """See that whoever follows the events knows each customer's segment as it is stored."""
        while found := read_events(self.units, self.place, 50):
            for place, change in found:
                assert place > self.place
                self.place = place
                self.followed[int(change.customer_id)] = change.to_segment
        known = {one: segment for one, segment in self.followed.items() if segment is not None}
        assert known == stored

    def beside(self, *work: Callable[[], object]) -> None:
        """Do several things at once, and fail as the first of them that does."""
        faults: list[BaseException] = []

        def run(action: Callable[[], object]) -> None:
            try:
                action()
            except BaseException as fault:  # noqa: BLE001  Raised below.
                faults.append(fault)

        threads = [threading.Thread(target=run, args=(action,)) for action in work]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for fault in faults:
            raise fault


@pytest.fixture
def bank(
    empty_database_url: str, tmp_path: Path, shipped_model: Model, other_model: Model
) -> type[Bank]:
    """A bank with two versions and nobody yet."""
    units = units_over(empty_database_url)
    migrate(units.database)
    with units.database.write() as connection:
        origin = Origin(Trigger.FIRST_START, "")
        for model in (shipped_model, other_model):
            models.add(connection, to_json(model), now(), origin)
        first = Activation(1, None, Cause.ADDED, now(), "", "")
        activate(connection, first, load_model(connection, 1, SHIPPED))
    rescore(units)
    units.close()
    return type("BankHere", (Bank,), {"url": empty_database_url, "folder": tmp_path})


def test_everything_counted_equals_a_recount(bank: type[Bank]) -> None:
    run_state_machine_as_test(
        bank, settings=settings(max_examples=3, stateful_step_count=10, print_blob=True)
    )


@pytest.mark.long
@pytest.mark.timeout(3_600)
def test_everything_counted_equals_a_recount_for_long(bank: type[Bank]) -> None:
    run_state_machine_as_test(
        bank, settings=settings(max_examples=60, stateful_step_count=40, print_blob=True)
    )
