"""Letting another schema hold, while the service goes on."""

from collections.abc import Mapping

from sqlalchemy import Connection

from customer_segmentation.domain.errors import JobRunningError, SchemaError, SchemaRefusedError
from customer_segmentation.domain.schema import Schema
from customer_segmentation.model.monitoring.distribution import empty_distribution
from customer_segmentation.services.customers.following import rebuild
from customer_segmentation.services.monitoring.distribution import count, start_counting
from customer_segmentation.services.runtime.audit import note
from customer_segmentation.services.runtime.clock import now
from customer_segmentation.services.runtime.current_schema import (
    CurrentSchema,
    begin_schema,
    check_attributes,
    load_schema,
    parse_current,
)
from customer_segmentation.services.runtime.serving import load_model
from customer_segmentation.services.runtime.settings import Settings
from customer_segmentation.services.runtime.unit_of_work import UnitOfWork, UnitsOfWork
from customer_segmentation.services.schema.plan import (
    Comparison,
    Plan,
    compare,
    is_rewritten,
    plan_schema,
)
from customer_segmentation.store.arrow import arrow_reader
from customer_segmentation.store.queries import demo, imports, jobs, models, schemas, transactions
from customer_segmentation.store.queries.customers import CustomerTable
from customer_segmentation.store.queries.models import Active

_FOLLOWED_AT_ONCE = 5_000
_WRITING_SECONDS = 3_600.0
"""How long to wait for others that write."""


def apply_schema(
    units: UnitsOfWork,
    settings: Settings,
    text: str,
    renames: Mapping[str, str],
    by: str,
    planned: int | None = None,
    *,
    discard_demo: bool = False,
) -> Plan:
    """Let another schema hold from now on: all of it, or nothing where something does not fit.

    Reads go on meanwhile; writes wait. The active model goes on with the attributes that it was
    trained on, and an import of before cannot be undone any more.

    Args:
        units: over the database; they are outdated afterwards.
        settings: name attributes to be left out of the model.
        text: the schema, as TOML.
        renames: by the name of an attribute that holds, its new one.
        by: who says so.
        planned: the number of the schema that the change was planned for; None if it was not.
        discard_demo: whether the demonstration goes first, where the database holds it: nobody and
            no model of it stays, and the first import under the schema makes the first model.

    Returns:
        what was changed.

    Raises:
        InvalidInputError: a rename names no attribute, or the settings do.
        JobRunningError: a training, an import or an export runs.
        SchemaError: the text is no schema, or another one holds than the change was planned for.
        SchemaRefusedError: it does not fit what is stored.
    """
    new = parse_current(text, "that is given", 0)
    check_attributes(new.schema, settings.parameters)
    with units.database.write(_WRITING_SECONDS) as connection:
        # Nobody else writes from here on, so what is planned is what is done.
        active = models.active(connection, exclusive=True)
        if running := jobs.running(connection):
            raise JobRunningError(running[0].kind)
        held = load_schema(connection)
        number = units.current_schema.number
        if {number, number if planned is None else planned} != {held.number}:
            raise SchemaError("Somebody else has changed the schema meanwhile; plan it again")
        plan = plan_schema(units, settings, new, renames, discard_demo=discard_demo)
        if plan.refusals:
            raise SchemaRefusedError(plan.refusals)
        if plan.is_demo and discard_demo:
            _begin_anew(connection, new, by)
            units.is_outdated = True
            return plan
        if not plan.steps:
            return plan
        found = compare(held.schema, new.schema, renames)
        schemas.add(connection, new.text, now(), by, found.continues)
        note(connection, "schema", held.number + 1, "applied", by)
        if is_rewritten(found, held.schema, new.schema):
            if active is not None:
                _count_anew(units, connection, active, new.schema, found)
            _rewrite(connection, held, new, found)
            if active is not None and new.schema.derived:
                _follow_anew(units, connection, new.schema)
    units.is_outdated = True
    return plan


def _begin_anew(connection: Connection, new: CurrentSchema, by: str) -> None:
    """Remove the demonstration, and let a schema hold that nobody is stored under."""
    version = models.latest_version(connection)
    demo.discard(connection, now())
    number = begin_schema(connection, new, by, versions_before=version)
    note(connection, "model", version, "demonstration discarded", by)
    note(connection, "schema", number, "applied", by)


def _count_anew(
    units: UnitsOfWork, connection: Connection, active: Active, schema: Schema, found: Comparison
) -> None:
    """Count the customers as they will be, who are still as they were, by the active model."""
    before = units.schema
    serving = load_model(connection, active.version, schema)
    counted = empty_distribution(serving.model.bins, len(serving.model.segments))
    with arrow_reader(units.database) as read:
        for part in units.customers.read_parts(read):
            current = part.at(active.are_current(part.ids, part.epochs))
            values = found.convert(before, schema, current.values)
            counted += count(serving, values, current.segments)
    start_counting(connection, serving, counted)


def _follow_anew(units: UnitsOfWork, connection: Connection, schema: Schema) -> None:
    """Count anew what follows from transactions, customer after customer."""
    active = models.active(connection)
    assert active is not None  # noqa: S101
    serving = load_model(connection, active.version, schema)
    work = UnitOfWork(active, serving, connection, CustomerTable(schema), units.audit)
    after = 0
    while len(numbers := transactions.next_customers(connection, after, _FOLLOWED_AT_ONCE)):
        rebuild(work, numbers)
        after = int(numbers[-1])


def _rewrite(
    connection: Connection, held: CurrentSchema, new: CurrentSchema, found: Comparison
) -> None:
    number = held.number + 1
    values = {
        one.after.name: schemas.Kept(one.before.name, one.numbers, one.fill)
        for one in found.continued
    }
    added = {
        attribute.name: None if attribute.default is None else attribute.if_left_out
        for attribute in found.added
    }
    schemas.rewrite_customers(connection, held.schema, new.schema, number, values, added)
    imports.remove_all(connection)
