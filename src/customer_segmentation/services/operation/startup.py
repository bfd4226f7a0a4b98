"""The use case of making a database ready to serve: its tables, its first data, its first model."""

import logging
import subprocess
from contextlib import ExitStack
from ipaddress import ip_address

from customer_segmentation.domain.errors import (
    DataFileError,
    ExposureError,
    InvalidInputError,
    OtherSchemaError,
    SettingsError,
)
from customer_segmentation.domain.plurals import counted
from customer_segmentation.domain.schema import Schema
from customer_segmentation.services.customers.erasure import erase_again
from customer_segmentation.services.jobs.pool import start_worker
from customer_segmentation.services.runtime.current_schema import (
    begin_schema,
    check_attributes,
    read_current,
    unstored_schema,
)
from customer_segmentation.services.runtime.settings import SHIPPED_DATA, Settings
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork, units_over
from customer_segmentation.services.transactions.retiring import check_retention
from customer_segmentation.store.database import wait_for_turn
from customer_segmentation.store.queries import demo, models, schemas
from customer_segmentation.store.schema import migrate, require_file

logger = logging.getLogger(__name__)

_BEGINNING = 20_000_107
"""The turn of who stores the first schema."""


def open_units(settings: Settings, *, makes: bool = True) -> UnitsOfWork:
    """Bring the database to this release and return units of work over it.

    Args:
        settings: which database.
        makes: whether a SQLite file that is not there yet is made.

    Raises:
        StoreAbsentError: the file is not there, and is not to be made.
        OtherSchemaError: the database has another schema than the settings name.
        SettingsError: the settings name attributes that there are not, or keep transactions for
            less than the schema's windows.
        StoreUnavailableError: the database does not answer or cannot be written.
    """
    units = units_over(settings.database_url, audit=settings.audit)
    with ExitStack() as stack:
        stack.callback(units.close)
        if not makes:
            require_file(units.database)
        migrate(units.database)
        settle_schema(units, settings)
        stack.pop_all()
    return units


def settle_schema(units: UnitsOfWork, settings: Settings) -> None:
    """Store the schema of a database that has none yet, and see that the settings go with it.

    Another one that comes with the first data is stored with them.

    Raises:
        OtherSchemaError: the database has another schema than the settings name.
        SettingsError: attributes are to be left out that there are not.
    """
    file = settings.schema_file
    given = None if file is None else read_current(file)
    if units.current_schema.number == 0:
        first = given or unstored_schema()
        with units.database.write() as connection:
            wait_for_turn(connection, _BEGINNING)
            if schemas.current(connection) is None:
                begin_schema(connection, first)
        units.forget_schema()
    elif file is not None and given is not None and not given.says_the_same(units.current_schema):
        with units.database.read() as connection:
            # Such as after a first start whose schema did not suit its data.
            is_empty = models.active_version(connection) is None
            is_replaced = settings.loads_own_data and (is_empty or demo.is_held(connection))
        if not is_replaced:
            raise OtherSchemaError(file)
    check_settings(settings, (given or units.current_schema).schema)


def check_settings(settings: Settings, schema: Schema) -> None:
    """See that the settings name attributes of a schema only, and keep what its windows need.

    Raises:
        SettingsError: they do not.
    """
    check_retention(settings, schema)
    try:
        check_attributes(schema, settings.parameters)
    except InvalidInputError as refusal:
        message = refusal.errors[0].message.partition(" ")[2]
        raise SettingsError(f"CUSTOMER_SEGMENTATION_EXCLUDE_ATTRIBUTES {message}") from refusal


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
        if is_ready and not _has_other_schema(units, settings):
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


def _has_other_schema(units: UnitsOfWork, settings: Settings) -> bool:
    """Return whether the settings name a schema other than the database's."""
    if settings.schema_file is None:
        return False
    return not read_current(settings.schema_file).says_the_same(units.current_schema)


def finish_start(settings: Settings, loading: subprocess.Popen[str]) -> None:
    """Wait until the first data are loaded and the first model is active.

    Raises:
        DataFileError: the first data cannot be used; the database stays empty.
    """
    if loading.wait() != 0:
        raise DataFileError(f"The first data, {settings.data}, could not be loaded")
