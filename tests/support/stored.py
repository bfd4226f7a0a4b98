"""What a database holds, read at once, and versions put into it."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from sqlalchemy import text

from customer_segmentation.domain.history import Activation, Cause
from customer_segmentation.domain.jobs import Origin, Trigger
from customer_segmentation.model.artifact import Model, to_json
from customer_segmentation.model.monitoring.distribution import (
    Distribution,
)
from customer_segmentation.services.models.activation import activate as make_active
from customer_segmentation.services.monitoring.distribution import (
    count,
    read_current,
)
from customer_segmentation.services.runtime.clock import now
from customer_segmentation.services.runtime.serving import load_model
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork
from customer_segmentation.store.arrow import arrow_reader
from customer_segmentation.store.database import Database
from customer_segmentation.store.queries import models
from customer_segmentation.store.queries.customers import StoredCustomers


def stored_customers(units: UnitsOfWork) -> StoredCustomers:
    """Return every customer, as its row tells."""
    with arrow_reader(units.database) as read:
        return units.customers.read_all(read, 20_000)


def settled_customers(units: UnitsOfWork) -> StoredCustomers:
    """Return the customers whose rows tell their segments by the active model."""
    stored = stored_customers(units)
    with units.read() as work:
        return stored.at(work.active.are_current(stored.ids, stored.epochs))


ORIGIN = Origin(Trigger.REQUEST, "")


def store_candidate(units: UnitsOfWork, model: Model) -> int:
    """Store a version without letting it serve."""
    with units.database.write() as connection:
        return models.add(connection, to_json(model), now(), ORIGIN)


def activate(units: UnitsOfWork, model: Model) -> int:
    with units.database.write() as connection:
        previous = models.lock(connection)
        version = models.add(connection, to_json(model), now(), ORIGIN)
        activation = Activation(version, previous, Cause.RETRAINED, now(), "", "")
        make_active(connection, activation, load_model(connection, version, units.schema))
    return version


def renumbered(model: Model, numbers: Mapping[int, int]) -> Model:
    """Return a model some of whose segments have other numbers."""

    def number(old: int) -> int:
        return numbers.get(old, old)

    segments = tuple(replace(s, number=number(s.number)) for s in model.segments)
    sizes = {number(old): size for old, size in model.quality.sizes.items()}
    return replace(model, segments=segments, quality=replace(model.quality, sizes=sizes))


def from_scratch(units: UnitsOfWork) -> Distribution:
    """Count the customers whose rows tell their segments by the active version."""
    ours = settled_customers(units)
    return count(units.require_model(), ours.values, ours.segments)


def assert_current(units: UnitsOfWork) -> None:
    found, expected = read_current(units).distribution, from_scratch(units)
    assert (found.counts == expected.counts).all()
    assert (found.outliers == expected.outliers).all()
    assert (found.digits == expected.digits).all()


def writes_customers(database: Database) -> bool:
    """Return whether somebody writes customers to a database, many at once."""
    if database.path is not None:
        log = Path(f"{database.path}-wal")
        return log.exists() and log.stat().st_size > 1_000_000
    with database.read() as connection:
        held = text(
            "SELECT count(*) FROM pg_locks JOIN pg_class ON pg_class.oid = relation "
            "WHERE relname = 'customers' AND mode = 'RowExclusiveLock' "
            "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        return bool(connection.execute(held).scalar_one())
