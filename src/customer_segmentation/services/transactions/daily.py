"""The daily pass: attributes that change with time, and segments, hold for another day."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from customer_segmentation.domain.transactions import day_of
from customer_segmentation.services.monitoring.distribution import restart_counting
from customer_segmentation.services.runtime.clock import now
from customer_segmentation.services.runtime.settings import Settings
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork
from customer_segmentation.store.queries import jobs, models

logger = logging.getLogger(__name__)


def begin_due_day(
    units: UnitsOfWork, settings: Settings, moment: datetime, rescore: Callable[[], None]
) -> bool:
    """Let the day hold that has begun by now, in UTC, where another one holds.

    Every read is exact for the day that holds: a customer whom the pass has not reached yet is
    counted and segmented when it is read. The pass writes only those whose segment changes, or of
    whom a transaction leaves a window; cut off, it goes on where it stopped.

    Args:
        units: over the database.
        settings: tell when days begin.
        moment: now.
        rescore: begins the pass.

    Returns:
        whether a day was begun.
    """
    if not units.schema.changes_with_time:
        return False
    day = day_of(moment - _after_midnight(settings.day_begins))
    with units.database.read(brief=True) as connection:
        active, running = models.active(connection), jobs.running(connection)
    # What is under way reads customers as they are on one day.
    if active is None or active.day >= day or not active.is_rescored or running:
        return False
    with units.write(exclusive=True) as work:
        if work.active.day >= day or not work.active.is_rescored:
            return False
        models.begin_day(work.connection, day)
        restart_counting(work)
    logger.info("A day begins: attributes that change with time are brought up to date")
    rescore()
    return True


def begin_today(units: UnitsOfWork, settings: Settings, rescore: Callable[[], None]) -> int:
    """Let today hold at once; return the day that holds, in days since 1970."""
    begins_now = settings.model_copy(update={"day_begins": "00:00"})
    begin_due_day(units, begins_now, now(), rescore)
    with units.read() as work:
        return work.active.day


def _after_midnight(begins: str) -> timedelta:
    hours, minutes = begins.split(":")
    return timedelta(hours=int(hours), minutes=int(minutes))
