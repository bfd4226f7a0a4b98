"""The use cases of operators: back up, restore, look whether settings and service are well."""

import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tomllib import TOMLDecodeError

from pydantic import ValidationError

from customer_segmentation.domain.errors import SegmentationError, StoreUnavailableError
from customer_segmentation.services.jobs import find_dead_jobs
from customer_segmentation.services.settings import Settings, find_unknown
from customer_segmentation.services.unit_of_work import UnitsOfWork, units_over
from customer_segmentation.store import backup, customers, distributions, models
from customer_segmentation.store.database import Database
from customer_segmentation.store.schema import LATEST, current_migration, migrate

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


def find_faults(environment: Mapping[str, str]) -> list[str]:
    """Return what is wrong with the settings, in plain words, each fault by itself."""
    try:
        settings = Settings()
    except FileNotFoundError as missing:
        return [str(missing)]
    except TOMLDecodeError as invalid:
        return [f"the settings file is no TOML: {invalid}"]
    except ValidationError as invalid:
        found = invalid.errors()
        faults = [f"setting {'.'.join(map(str, error['loc']))}: {error['msg']}" for error in found]
        # The others are looked at all the same.
        settings = Settings.model_validate(
            {str(error["loc"][0]): _default_of(str(error["loc"][0])) for error in found}
        )
    else:
        faults = []
    return [*faults, *_find_unusable(settings)] + [
        f"there is no setting {name}" for name in find_unknown(environment)
    ]


def _default_of(setting: str) -> object:
    return Settings.model_fields[setting].get_default(call_default_factory=True)


def _find_unusable(settings: Settings) -> list[str]:
    """Look at what settings name; nothing is connected to."""
    faults = [] if settings.data.is_file() else [f"setting data: there is no file {settings.data}"]
    try:
        units_over(settings.database_url).close()
    except StoreUnavailableError as error:
        faults.append(str(error))
    return faults


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
) -> None:
    """Replace the database by a backup, and bring it to this release.

    Raises:
        BackupError: the file is no backup of ours, or the database is not SQLite's.
    """
    database = Database(settings.database_url)
    try:
        backup.copy_from(database, source, progress)
        migrate(database)
    finally:
        database.close()


def examine(settings: Settings) -> list[Finding]:
    """Look at database, model, counts, jobs and disk; tell also what cannot be looked at."""
    findings: list[Finding] = []
    try:
        units = units_over(settings.database_url)
    except SegmentationError as error:
        return [Finding("database", False, str(error))]
    for look in (_look_at_migration, _look_at_model, _look_at_counts, _look_at_jobs, _look_at_disk):
        try:
            findings += look(units)
        except SegmentationError as error:
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
        yield Finding("model", True, f"version {work.serving.version} serves")
        settled = models.is_rescored(work.connection)
    detail = "every customer's row carries it" if settled else "customers are being re-scored"
    yield Finding("segments", settled, detail if settled else f"{detail}; the service goes on")


def _look_at_counts(units: UnitsOfWork) -> Iterator[Finding]:
    with units.database.read() as connection:
        count = customers.count(connection)
        waiting = distributions.count_changes(connection)
    yield Finding("customers", count > 0, f"{count:,}")
    detail = f"{waiting:,} wait to be counted"
    is_well = waiting < _WAITING
    yield Finding("changes", is_well, detail if is_well else f"{detail}; is a service running?")


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
