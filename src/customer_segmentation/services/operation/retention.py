"""The use case of removing what has been kept for as long as it is to be."""

from datetime import datetime, timedelta

from customer_segmentation.services.runtime.clock import rest
from customer_segmentation.services.runtime.settings import Settings
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork
from customer_segmentation.store.queries import history, idempotency, jobs, webhooks

KEY_LIFE = timedelta(days=1)
"""How long an idempotency key is remembered."""

_REMOVED_AT_ONCE = 5_000


def remove_old(units: UnitsOfWork, settings: Settings, moment: datetime) -> None:
    """Remove idempotency keys, and what the settings of retention name, that are too old."""
    with units.database.write() as connection:
        idempotency.delete_older(connection, moment - KEY_LIFE)
        if settings.keep_jobs_days:
            jobs.remove_old(connection, moment - timedelta(days=settings.keep_jobs_days))
        if settings.keep_dead_letters_days:
            days = timedelta(days=settings.keep_dead_letters_days)
            webhooks.remove_old_dead_letters(connection, moment - days)
    removed = _REMOVED_AT_ONCE if settings.keep_history_days else 0
    while removed == _REMOVED_AT_ONCE:
        before = moment - timedelta(days=settings.keep_history_days)
        with units.database.write() as connection:
            removed = history.remove_superseded(connection, before, _REMOVED_AT_ONCE)
        rest()
