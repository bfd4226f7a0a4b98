"""Requests that write at the same time share a commit, and nothing else."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Connection, Engine, event

from customer_segmentation.domain.errors import (
    CustomerExistsError,
    CustomerNotFoundError,
    StoreUnavailableError,
)
from customer_segmentation.services.customers.commands import (
    add_customer,
    delete_customer,
    get_customer,
    get_history,
    update_customer,
)
from customer_segmentation.services.runtime.audit import acting_as
from customer_segmentation.services.runtime.unit_of_work import UnitOfWork, UnitsOfWork
from customer_segmentation.store.queries import audit

pytestmark = pytest.mark.both_databases


def test_what_waits_for_a_commit_shares_the_next(units: UnitsOfWork) -> None:
    if not units.database.is_sqlite:
        pytest.skip("PostgreSQL has many writers, and commits them together by itself")
    commits: list[object] = []
    anyone = get_customer(units, 56).customer.attributes
    ids = range(30_000, 30_050)

    with counted(commits):
        with units.write():
            futures = [units.submit(add_customer, customer_id, anyone) for customer_id in ids]
        stored = [future.result() for future in futures]

    assert [one.customer.customer_id for one in stored] == list(ids)
    assert [get_customer(units, customer_id) for customer_id in ids] == stored
    # The transaction that they waited for, one that took the first at once, and the others.
    assert len(commits) <= 3


def test_a_request_that_is_refused_undoes_no_other(units: UnitsOfWork) -> None:
    anyone = get_customer(units, 56).customer.attributes
    with units.write():
        added = units.submit(add_customer, 30_000, anyone)
        taken = units.submit(add_customer, 57, anyone)
        gone = units.submit(delete_customer, 40_000)
        changed = units.submit(update_customer, 58, {"age": 33})
        half_done = units.submit(add_and_refuse, 30_001)

    assert added.result() == get_customer(units, 30_000)
    assert isinstance(taken.exception(), CustomerExistsError)
    assert isinstance(gone.exception(), CustomerNotFoundError)
    assert changed.result() == get_customer(units, 58)
    assert isinstance(half_done.exception(), CustomerNotFoundError)
    with pytest.raises(CustomerNotFoundError):
        get_history(units, 30_001)


def test_a_fault_of_one_request_is_told_to_that_one(units: UnitsOfWork) -> None:
    anyone = get_customer(units, 56).customer.attributes
    with units.write():
        before = units.submit(add_customer, 30_000, anyone)
        faulty = units.submit(divide_by_nothing)
        after = units.submit(add_customer, 30_001, anyone)

    assert isinstance(faulty.exception(), ZeroDivisionError)
    for customer_id, added in ((30_000, before), (30_001, after)):
        assert added.result() == get_customer(units, customer_id)
        assert len(get_history(units, customer_id)) == 1


def test_each_request_acts_in_the_name_of_its_own_key(units: UnitsOfWork) -> None:
    changed = []
    with units.write():
        for name, customer_id in (("Ada", 56), ("Bo", 57)):
            with acting_as(name):
                changed.append(units.submit(update_customer, customer_id, {"age": 40}))
    for change in changed:
        change.result()

    with units.database.read() as connection:
        entries = audit.read_unsealed(connection, 10_000)
    actors = {e.subject: e.actor for e in entries if e.action == "updated"}
    assert actors == {"56": "Ada", "57": "Bo"}


def test_a_database_that_fails_is_told_to_each(units: UnitsOfWork) -> None:
    with units.write():
        failing = [units.submit(lose_the_database) for _ in range(3)]

    assert all(isinstance(one.exception(), StoreUnavailableError) for one in failing)
    assert units.submit(update_customer, 56, {"age": 41}).result() == get_customer(units, 56)


def test_what_was_submitted_is_done_before_it_closes(units: UnitsOfWork) -> None:
    changes = [units.submit(update_customer, age, {"age": age}) for age in range(20, 60)]

    units.close()

    assert all(change.done() for change in changes)
    assert all(get_customer(units, age).customer.attributes["age"] == age for age in range(20, 60))


@contextmanager
def counted(commits: list[object]) -> Iterator[None]:
    """Note each commit of this process."""

    def note(connection: Connection) -> None:
        commits.append(connection)

    event.listen(Engine, "commit", note)
    yield
    event.remove(Engine, "commit", note)


def add_and_refuse(work: UnitOfWork, customer_id: int) -> None:
    """Write something, and then refuse."""
    add_customer(work, customer_id, {**get_first(work)})
    raise CustomerNotFoundError(customer_id)


def get_first(work: UnitOfWork) -> dict[str, int | float]:
    """Return anybody's attributes."""
    changed = update_customer(work, 56, {"age": 22})
    return dict(changed.customer.attributes)


def divide_by_nothing(_work: UnitOfWork) -> float:
    """Have a fault of the program."""
    return 1 / 0


def lose_the_database(_work: UnitOfWork) -> None:
    """Fail as a database that is away does."""
    raise StoreUnavailableError("The database is not available; try again soon")
