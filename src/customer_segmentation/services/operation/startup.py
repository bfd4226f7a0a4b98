"""The use case of making a database ready to serve: its tables, its first data, its first model."""

import logging
import subprocess
from contextlib import ExitStack
from ipaddress import ip_address

from customer_segmentation.domain.errors import DataFileError, ExposureError
from customer_segmentation.domain.plurals import counted
from customer_segmentation.services.customers.erasure import erase_again
from customer_segmentation.services.jobs.pool import start_worker
from customer_segmentation.services.runtime.settings import SHIPPED_DATA, Settings
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork, units_over
from customer_segmentation.store.queries import models
from customer_segmentation.store.schema import migrate, require_file

logger = logging.getLogger(__name__)


def open_units(settings: Settings, *, makes: bool = True) -> UnitsOfWork:
    """Bring the database to this release and return units of work over it.

    Args:
        settings: which database.
        makes: whether a SQLite file that is not there yet is made.

    Raises:
        StoreAbsentError: the file is not there, and is not to be made.
        StoreUnavailableError: the database does not answer or cannot be written.
    """
    units = units_over(settings.database_url, audit=settings.audit)
    with ExitStack() as stack:
        stack.callback(units.close)
        if not makes:
            require_file(units.database)
        migrate(units.database)
        stack.pop_all()
    return units


def database_exists(settings: Settings) -> bool:
    """Return whether there is a database, as far as can be told without connecting to it.

    Raises:
        StoreUnavailableError: the URL names no database that is supported.
    """
    units = units_over(settings.database_url)
    path = units.database.path
    units.close()
    return path is None or path.exists()


def check_exposure(settings: Settings) -> None:
    """See that a service without keys is not open to a network by accident.

    Raises:
        ExposureError: it would be.
    """
    if is_open_to_all(settings) and not settings.allow_anonymous:
        raise ExposureError(
            f"Anyone who reaches {settings.host} could read and change customers. Set "
            "CUSTOMER_SEGMENTATION_AUTH=keys, or say that this is meant with "
            "CUSTOMER_SEGMENTATION_ALLOW_ANONYMOUS=true"
        )


def is_open_to_all(settings: Settings) -> bool:
    """Return whether everyone on a network may do everything."""
    return settings.auth == "none" and not _is_loopback(settings.host)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def begin_start(settings: Settings, *, is_demo: bool = False) -> subprocess.Popen[str] | None:
    """Bring the tables to this release; where there is no model yet, begin to load the first data.

    Args:
        settings: which database, and which data.
        is_demo: whether they are a demonstration, as the shipped ones always are.

    Returns:
        the process that loads, for `finish_start`; None where the database is ready, or is to stay
        empty.

    Raises:
        StoreUnavailableError: the database does not answer or cannot be written.
    """
    units = open_units(settings)
    try:
        with units.database.read() as connection:
            is_ready = models.active_version(connection) is not None
        if is_ready:
            erased = erase_again(units)
            if erased:
                logger.warning("Erased again, as after a restore: %s", counted(erased, "customer"))
            return None
    finally:
        units.close()
    if not settings.loads_data:
        return None
    is_demo = is_demo or settings.data == SHIPPED_DATA
    return start_worker(settings, "load", "demo" if is_demo else "own")


def finish_start(settings: Settings, loading: subprocess.Popen[str]) -> None:
    """Wait until the first data are loaded and the first model is active.

    Raises:
        DataFileError: the first data cannot be used; the database stays empty.
    """
    if loading.wait() != 0:
        raise DataFileError(f"The first data, {settings.data}, could not be loaded")
