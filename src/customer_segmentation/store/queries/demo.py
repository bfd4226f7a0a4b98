"""Queries on the demonstration, which goes when a bank begins with customers of its own."""

from datetime import datetime

from sqlalchemy import Connection, delete, select, update

from customer_segmentation.domain.history import Cause
from customer_segmentation.domain.jobs import JobKind, JobState
from customer_segmentation.store.tables import (
    activations,
    active_model,
    activity,
    audience_exports,
    audience_members,
    audience_sizes,
    audiences,
    campaign_members,
    campaigns,
    consents,
    customers,
    idempotency_keys,
    import_changes,
    jobs,
    model_versions,
    segment_changes,
    segment_edits,
    transactions,
)

_OF_CUSTOMERS = (JobKind.TRAINING, JobKind.STUDY)
"""Kinds of jobs that are about the customers who are stored when they begin."""


_OF_AUDIENCES = (
    audience_exports,
    audience_members,
    audience_sizes,
    audiences,
    campaign_members,
    campaigns,
    consents,
)


def mark(connection: Connection) -> None:
    """Note that what the database holds is the demonstration."""
    connection.execute(update(active_model).values(is_demo=True))


def is_held(connection: Connection) -> bool:
    """Return whether the database began as the demonstration."""
    return bool(connection.execute(select(active_model.c.is_demo)).scalar_one_or_none())


def discard(connection: Connection, moment: datetime) -> None:
    """Remove the demonstration and leave nobody and no model; else as `remove`.

    Args:
        connection: of a transaction that has what is active alone.
        moment: now.
    """
    connection.execute(delete(active_model))
    _remove(connection, 0, moment)


def remove(connection: Connection, version: int, next_segment: int, moment: datetime) -> None:
    """Remove the demonstration, of which nothing stays but the audit log and who was erased.

    Args:
        connection: of a transaction that has what is active alone.
        version: the bank's own first version, which is active already.
        next_segment: the number that the next new segment gets.
        moment: now.
    """
    _remove(connection, version, moment)
    # Who knows the demonstration's audiences is to see that they are gone.
    edition = active_model.c.audiences + 1
    values = {"is_demo": False, "next_segment": next_segment, "audiences": edition}
    connection.execute(update(active_model).values(values))


def _remove(connection: Connection, version: int, moment: datetime) -> None:
    """Remove all but what a version needs."""
    is_theirs = model_versions.c.version != version
    connection.execute(
        update(jobs)
        .where(jobs.c.state == JobState.RUNNING, jobs.c.kind.in_(_OF_CUSTOMERS))
        .values(
            state=JobState.CANCELLED,
            finished_at=moment,
            error="the demonstration is replaced",
            model_version=None,
        )
    )
    ended = jobs.c.state != JobState.RUNNING
    for query in (
        delete(customers),
        delete(transactions),
        delete(activity),
        delete(segment_changes).where(segment_changes.c.cause != str(Cause.ERASED)),
        delete(segment_edits),
        delete(import_changes),
        delete(idempotency_keys),
        *map(delete, _OF_AUDIENCES),
        delete(activations).where(activations.c.version != version),
        delete(jobs).where(ended, jobs.c.finished_at < moment),
        delete(model_versions).where(is_theirs),
    ):
        connection.execute(query)
