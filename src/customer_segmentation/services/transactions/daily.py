"""The daily pass: attributes that change with time, and segments, hold for another day."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from customer_segmentation.domain.errors import JobRunningError
from customer_segmentation.domain.transactions import day_of
from customer_segmentation.services.monitoring.distribution import restart_counting
from customer_segmentation.services.runtime.clock import now
from customer_segmentation.services.runtime.settings import Settings
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork
from customer_segmentation.services.transactions.taking import declared_in
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


@dataclass(frozen=True, slots=True)
class DayState:
    """The day that holds.

    Attributes:
        day: in days since 1970.
        has_begun: whether it began just now.
        is_written: whether the pass has reached every customer; reads need not wait for it.
    """

    day: int
    has_begun: bool
    is_written: bool


def begin_today(units: UnitsOfWork, settings: Settings, rescore: Callable[[], None]) -> DayState:
    """Let today hold at once, and go on with a pass that was cut off.

    Where one is under way, that goes first: the day of before holds on.

    Args:
        units: over the database.
        settings: of the service.
        rescore: begins the pass, or goes on with it.

    Raises:
        TransactionsNotDeclaredError: the schema declares no transactions.
        JobRunningError: a training, an import or an export runs, which reads customers as they are
            on one day.
    """
    declared_in(units.schema)
    with units.read() as work:
        is_settled = work.active.is_rescored
    if not is_settled:
        rescore()
    moment = now()
    begins_now = settings.model_copy(update={"day_begins": "00:00"})
    has_begun = begin_due_day(units, begins_now, moment, rescore)
    with units.read() as work:
        active, running = work.active, jobs.running(work.connection)
    if active.day < day_of(moment) and units.schema.changes_with_time and running:
        raise JobRunningError(running[0].kind)
    return DayState(active.day, has_begun, active.is_rescored)


def _after_midnight(begins: str) -> timedelta:
    hours, minutes = begins.split(":")
    return timedelta(hours=int(hours), minutes=int(minutes))
