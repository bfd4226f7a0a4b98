"""What every command shares: settings, the database, and how errors are told."""

import getpass
from collections.abc import Iterator
from contextlib import closing, contextmanager
from tomllib import TOMLDecodeError

import typer
from pydantic import ValidationError
from rich.console import Console

from customer_segmentation.domain.errors import SegmentationError
from customer_segmentation.services.audit import acting_as
from customer_segmentation.services.settings import Settings
from customer_segmentation.services.startup import open_units
from customer_segmentation.services.unit_of_work import UnitsOfWork

errors = Console(stderr=True, highlight=False, soft_wrap=True)
output = Console(highlight=False)

FAILED = 1
BAD_SETTINGS = 2


@contextmanager
def errors_told() -> Iterator[None]:
    """Tell an expected error in a line, and exit."""
    try:
        yield
    except SegmentationError as error:
        errors.print(f"customer-segmentation: {error}", style="red", markup=False)
        raise typer.Exit(FAILED) from error


@contextmanager
def open_database(settings: Settings | None = None) -> Iterator[UnitsOfWork]:
    """Open the database of the settings; tell an expected error and exit."""
    settings = settings or read_settings()
    with errors_told(), closing(open_units(settings)) as units, acting_as(this_person()):
        yield units


def read_settings() -> Settings:
    """Return the settings; tell what is wrong with each one that is, and exit."""
    try:
        return Settings()
    except TOMLDecodeError as invalid:
        errors.print(
            f"customer-segmentation: the settings file is no TOML: {invalid}", markup=False
        )
        raise typer.Exit(BAD_SETTINGS) from invalid
    except ValidationError as invalid:
        for error in invalid.errors():
            name = ".".join(str(part) for part in error["loc"])
            errors.print(f"customer-segmentation: setting {name}: {error['msg']}", markup=False)
        raise typer.Exit(BAD_SETTINGS) from invalid


def this_person() -> str:
    """Return the name under which the machine knows who runs the command."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""
