"""What every command shares: settings, the database, how answers are shown and errors told."""

import getpass
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from enum import IntEnum
from tomllib import TOMLDecodeError

import httpx
import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table
from rich.text import Text

from customer_segmentation.client import ServiceError
from customer_segmentation.domain import errors as domain
from customer_segmentation.services.audit import acting_as
from customer_segmentation.services.settings import Settings
from customer_segmentation.services.startup import open_units
from customer_segmentation.services.unit_of_work import UnitsOfWork

errors = Console(stderr=True, highlight=False, soft_wrap=True)
output = Console(highlight=False)

URL_VARIABLE = "CUSTOMER_SEGMENTATION_URL"
_WIDTH_OF_PIPES = 200


class ExitCode(IntEnum):
    """How a command ended, for scripts."""

    meaning: str

    def __new__(cls, value: int, meaning: str) -> "ExitCode":
        """Make a code with what it means, for people."""
        code = int.__new__(cls, value)
        code._value_ = value
        code.meaning = meaning
        return code

    DONE = 0, "done"
    FAILED = 1, "failed, for the reason told on standard error"
    USAGE = 2, "an option, an argument, a value or a setting is not allowed"
    HELD_BACK = 3, "a model was trained, and is held back as a candidate"
    UNREACHABLE = 4, "the service or the database does not answer or is not ready; try again later"
    REFUSED = 5, "the API key is missing, is not good or its role does not go so far"
    NOT_FOUND = 6, "there is no such customer, segment, model version, job or key"
    REJECTED = 7, "done, but for rows of a file that are not taken"


_BY_ERROR: dict[type[domain.SegmentationError], ExitCode] = {
    domain.InvalidInputError: ExitCode.USAGE,
    domain.ModelHeldBackError: ExitCode.HELD_BACK,
    domain.NotReadyError: ExitCode.UNREACHABLE,
    domain.StoreUnavailableError: ExitCode.UNREACHABLE,
    domain.TransactionConflictError: ExitCode.UNREACHABLE,
    domain.UnknownDatabaseError: ExitCode.USAGE,
    domain.CustomerNotFoundError: ExitCode.NOT_FOUND,
    domain.SegmentNotFoundError: ExitCode.NOT_FOUND,
    domain.VersionNotFoundError: ExitCode.NOT_FOUND,
    domain.JobNotFoundError: ExitCode.NOT_FOUND,
    domain.KeyNotFoundError: ExitCode.NOT_FOUND,
}
_BY_STATUS = {
    401: ExitCode.REFUSED,
    403: ExitCode.REFUSED,
    404: ExitCode.NOT_FOUND,
    422: ExitCode.USAGE,
    429: ExitCode.UNREACHABLE,
    502: ExitCode.UNREACHABLE,
    503: ExitCode.UNREACHABLE,
    504: ExitCode.UNREACHABLE,
}


def complain(message: object) -> None:
    """Tell on standard error that something is wrong."""
    errors.print(f"customer-segmentation: {message}", style="red", markup=False)


@contextmanager
def errors_told() -> Iterator[None]:
    """Tell an expected error in a line, and exit with its code."""
    try:
        yield
    except domain.SegmentationError as error:
        complain(error)
        raise typer.Exit(_BY_ERROR.get(type(error), ExitCode.FAILED)) from error
    except ServiceError as error:
        complain(error)
        raise typer.Exit(_BY_STATUS.get(error.status, ExitCode.FAILED)) from error
    except httpx.TransportError as error:
        complain(f"The service does not answer: {error}")
        raise typer.Exit(ExitCode.UNREACHABLE) from error


@contextmanager
def open_database(settings: Settings | None = None) -> Iterator[UnitsOfWork]:
    """Open the database of the settings; tell an expected error and exit."""
    require_local()
    settings = settings or read_settings()
    with errors_told(), closing(open_units(settings)) as units, acting_as(this_person()):
        yield units


def require_local() -> None:
    """Exit where the user means a service, and the command works on the database itself."""
    if os.environ.get(URL_VARIABLE):
        complain(
            f"This works on the database itself, and {URL_VARIABLE} names a service: "
            "run it where the database is, without that variable"
        )
        raise typer.Exit(ExitCode.USAGE)


def read_settings() -> Settings:
    """Return the settings; tell what is wrong with each one that is, and exit."""
    try:
        return Settings()
    except (FileNotFoundError, TOMLDecodeError, ValidationError) as invalid:
        from customer_segmentation.services.maintenance import find_faults

        for fault in find_faults(os.environ):
            complain(fault)
        raise typer.Exit(ExitCode.USAGE) from invalid


def this_person() -> str:
    """Return the name under which the machine knows who runs the command."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""


def say(message: str) -> None:
    """Write what came of a command to standard output, in a line for people."""
    output.print(message, markup=False, soft_wrap=True)


def conclude(message: str, as_json: bool, **answer: object) -> None:
    """Write what came of a command, in a line for people or as JSON."""
    if as_json:
        print_json(answer)
    else:
        say(message)


def print_json(answer: object) -> None:
    """Write an answer to standard output as JSON."""
    typer.echo(json.dumps(answer, indent=2, ensure_ascii=False))


def print_table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    """Write a table; where nobody looks at it on a terminal, no cell of it is cut off."""
    table = Table(*columns)
    for row in rows:
        # As text: what people wrote may look like rich's markup.
        table.add_row(*map(Text, row))
    seen = output.is_terminal or "COLUMNS" in os.environ
    Console(highlight=False, width=None if seen else _WIDTH_OF_PIPES).print(table)


def moment(text: str) -> str:
    """Return a moment of an answer (ISO 8601, UTC) as tables show it."""
    return f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M:%S} UTC"


def amount(count: int | None) -> str:
    """Return a count of an answer as tables show it; None is one that the key may not see."""
    return "hidden" if count is None else f"{count:,}"


def percent(share: float | None) -> str:
    """Return a share of an answer as tables show it; None is one that the key may not see."""
    return "hidden" if share is None else f"{share:.1%}"
