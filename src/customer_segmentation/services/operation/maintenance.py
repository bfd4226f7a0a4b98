"""The use cases of operators: back up, restore, look whether settings and service are well."""

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from customer_segmentation.domain.erasure import Erasure
from customer_segmentation.domain.errors import (
    SegmentationError,
    StoreUnavailableError,
)
from customer_segmentation.domain.plurals import counted
from customer_segmentation.services.audiences.membership import recheck_audiences
from customer_segmentation.services.customers.erasure import erase_again, read_receipts
from customer_segmentation.services.jobs.lifecycle import find_dead_jobs
from customer_segmentation.services.monitoring.distribution import current_of
from customer_segmentation.services.monitoring.recount import recount
from customer_segmentation.services.runtime.settings import Settings, settings_file
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork, units_over
from customer_segmentation.services.transactions.recounting import recount_transactions
from customer_segmentation.store import backup
from customer_segmentation.store.queries import distributions, models
from customer_segmentation.store.schema import LATEST, current_migration, migrate, require_file

_WAITING = 100_000
_FREE_BYTES = 200_000_000


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        subject: what.
        is_well: whether it is as it should be.
        detail: what was found, and what to do about it where it is not well.
    """

    subject: str
    is_well: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Restored:
    """What came of a restore.

    Attributes:
        erased: customers of the backup who were erased since it was made, and are erased again.
        knew_erased: whether the database that was replaced could tell who was erased.
        set_aside: where the file is that stood in the database's place and was damaged.
    """

    erased: int
    knew_erased: bool
    set_aside: str | None


def files_of_service(settings: Settings) -> list[Path]:
    """Return the files that the service reads or keeps itself, there or not."""
    path = units_over(settings.database_url).database.path
    kept = [] if path is None else [path, *(Path(f"{path}{end}") for end in ("-wal", "-shm"))]
    return [*kept, settings.data, settings_file(os.environ)]


def back_up(
    units: UnitsOfWork,
    target: Path,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> None:
    """Copy the database to a new file while it is in use.

    Raises:
        BackupError: it is not SQLite's, or the file cannot be written.
    """
    backup.copy_to(units.database, target, progress)


def restore(
    settings: Settings,
    source: Path,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Restored:
    """Replace the database by a backup, bring it to this release, and erase again who was erased.

    Raises:
        BackupError: the file is no backup of ours, or the database is not SQLite's.
    """
    units = units_over(settings.database_url)
    try:
        receipts = _read_receipts(units)
        aside = backup.copy_from(units.database, source, progress)
        migrate(units.database)
        units.forget_schema()
        erased = erase_again(units, receipts or ())
        return Restored(erased, receipts is not None, None if aside is None else str(aside))
    finally:
        units.close()


def _read_receipts(units: UnitsOfWork) -> list[Erasure] | None:
    """Return the suppression list, None where it cannot be read."""
    database = units.database
    if database.path is None or not database.path.exists():
        return None
    try:
        with database.read() as connection:
            known = current_migration(connection)
        if known is None:
            return None
        # Older releases had no list.
        return read_receipts(units) if known >= "0006" else []
    except StoreUnavailableError:
        return None


def examine(settings: Settings, *, recounted: bool = False) -> list[Finding]:
    """Look at database, model, counts, jobs and disk; tell also what cannot be looked at.

    Args:
        settings: say where the database is.
        recounted: whether to count all customers anew, and repair the counts.
    """
    findings: list[Finding] = []
    try:
        units = units_over(settings.database_url)
        require_file(units.database)
    except SegmentationError as error:
        return [Finding("database", False, str(error))]
    looks = [_look_at_migration, _look_at_model, _look_at_counts, _look_at_jobs, _look_at_disk]
    if recounted:
        looks.insert(3, _recount)
    for look in looks:
        try:
            findings += look(units)
        except SegmentationError as error:
            # What several looks meet, such as a damaged model, is told once.
            if str(error) not in {finding.detail for finding in findings}:
                findings.append(Finding(look.__name__.rpartition("_")[2], False, str(error)))
    units.close()
    return findings


def _look_at_migration(units: UnitsOfWork) -> Iterator[Finding]:
    with units.database.read() as connection:
        found = current_migration(connection)
    detail = f"at migration {found or 'none'}, this release has {LATEST}"
    if found != LATEST:
        detail += "; start the service to migrate"
    yield Finding("database", found == LATEST, detail)


def _look_at_model(units: UnitsOfWork) -> Iterator[Finding]:
    with units.read() as work:
        yield Finding("model", True, f"version {work.serving.version} is active")
        settled = models.is_rescored(work.connection)
    detail = "every customer's row carries it" if settled else "customers are being re-scored"
    yield Finding("segments", settled, detail if settled else f"{detail}; the service goes on")


def _look_at_counts(units: UnitsOfWork) -> Iterator[Finding]:
    with units.read() as work:
        current = current_of(work)
        count = work.customers.count(work.connection)
        waiting = distributions.count_changes(work.connection)
    known = int(current.counted.sizes.sum())
    is_well = count > 0 and (known == count or not current.is_complete)
    detail = f"{count:,}"
    if known != count:
        detail += f", {known:,} counted"
        detail += "; repair with doctor --recount" if current.is_complete else " so far"
    yield Finding("customers", is_well, detail)
    detail = f"{counted(waiting, 'change')} to be counted"
    is_well = waiting < _WAITING
    yield Finding("changes", is_well, detail if is_well else f"{detail}; is a service running?")


def _recount(units: UnitsOfWork) -> Iterator[Finding]:
    wrong = recount(units)
    found = f"wrong by {counted(wrong, 'customer')}; repaired" if wrong else "each is right"
    yield Finding("counts", wrong == 0, found)
    if units.schema.transactions is not None:
        wrong = recount_transactions(units)
        found = f"{counted(wrong, 'customer')} did not follow; repaired" if wrong else "all follow"
        yield Finding("transactions", wrong == 0, found)
    astray = recheck_audiences(units)
    if astray is not None:
        found = f"{counted(astray, 'customer')} astray; repaired" if astray else "each is right"
        yield Finding("audiences", astray == 0, found)


def _look_at_jobs(units: UnitsOfWork) -> Iterator[Finding]:
    dead = find_dead_jobs(units.database)
    detail = "none was left behind by a dead process"
    if dead:
        detail = f"{len(dead)} left behind by a dead process; a running service closes them"
    yield Finding("jobs", not dead, detail)


def _look_at_disk(units: UnitsOfWork) -> Iterator[Finding]:
    path = units.database.path
    if path is None or not path.absolute().parent.exists():
        return
    free = shutil.disk_usage(path.absolute().parent).free
    needed = max(_FREE_BYTES, path.stat().st_size if path.exists() else 0)
    detail = f"{free / 1e9:.1f} GB free, {needed / 1e9:.1f} GB wanted"
    yield Finding("disk", free >= needed, detail)
