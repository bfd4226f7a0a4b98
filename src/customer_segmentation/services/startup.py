"""The use case of making a database ready to serve: its tables, its first data, its first model."""

import subprocess
from ipaddress import ip_address

from customer_segmentation.domain.errors import DataFileError, ExposureError
from customer_segmentation.services.settings import Settings
from customer_segmentation.services.unit_of_work import UnitsOfWork, units_over
from customer_segmentation.services.workers import start_worker
from customer_segmentation.store import models
from customer_segmentation.store.schema import migrate


def open_units(settings: Settings) -> UnitsOfWork:
    """Bring the database to this release and return units of work over it.

    Raises:
        StoreUnavailableError: the database does not answer or cannot be written.
    """
    units = units_over(settings.database_url, audit=settings.audit)
    migrate(units.database)
    return units


def check_exposure(settings: Settings) -> None:
    """See that a service without keys is not open to a network by accident.

    Raises:
        ExposureError: it would be.
    """
    if settings.auth == "none" and not settings.allow_anonymous and not _is_loopback(settings.host):
        raise ExposureError(
            f"Anyone who reaches {settings.host} could read and change customers. Set "
            "CUSTOMER_SEGMENTATION_AUTH=keys, or say that this is meant with "
            "CUSTOMER_SEGMENTATION_ALLOW_ANONYMOUS=true"
        )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def begin_start(settings: Settings) -> subprocess.Popen[str] | None:
    """Bring the tables to this release; where there is no model yet, begin to load the first data.

    Returns:
        the process that loads, for `finish_start`; None where the database is ready.

    Raises:
        StoreUnavailableError: the database does not answer or cannot be written.
    """
    units = open_units(settings)
    try:
        with units.database.read() as connection:
            if models.active_version(connection) is not None:
                return None
    finally:
        units.close()
    return start_worker(settings, "load")


def finish_start(settings: Settings, loading: subprocess.Popen[str]) -> None:
    """Wait until the first data are loaded and the first model serves.

    Raises:
        DataFileError: the first data cannot be used; the database stays empty.
    """
    if loading.wait() != 0:
        raise DataFileError(f"The first data, {settings.data}, could not be loaded")
