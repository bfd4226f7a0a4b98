"""What every command shares: settings, the database, how answers are shown and errors told."""

import getpass
import json
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from enum import IntEnum
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from customer_segmentation.domain import errors as domain
from customer_segmentation.domain.printable import escape_controls

if TYPE_CHECKING:
    from customer_segmentation.services.runtime.settings import Settings
    from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork

errors = Console(stderr=True, highlight=False, soft_wrap=True)
output = Console(highlight=False)

URL_VARIABLE = "CUSTOMER_SEGMENTATION_URL"
_WIDTH_OF_PIPES = 200
_LONG_WORD = re.compile(r"\S{500,}")
_SHOWN = 100
"""Characters of either end of a word that is too long to be shown whole."""


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
    REFUSED = 5, "the API key is missing, is invalid or has an insufficient role"
    NOT_FOUND = 6, "there is no such customer, segment, model version, job or key"
    REJECTED = 7, "done, but for rows of a file that are not taken or count for nobody"
    NO_DATABASE = 8, "the database is not there, or this user may not open or write it"
    NO_ADDRESS = 9, "the address or the port cannot be listened on, such as one in use"
    INTERRUPTED = 130, "interrupted by Ctrl+C; standard error tells what is stored"
    TERMINATED = 143, "ended by SIGTERM; standard error tells what is stored"


class Terminated(KeyboardInterrupt):
    """SIGTERM has come, which ends a command as Ctrl+C does."""


_BY_ERROR: dict[type[domain.SegmentationError], ExitCode] = {
    domain.InvalidInputError: ExitCode.USAGE,
    domain.ModelHeldBackError: ExitCode.HELD_BACK,
    domain.NotReadyError: ExitCode.UNREACHABLE,
    domain.StoreUnavailableError: ExitCode.UNREACHABLE,
    domain.BusyError: ExitCode.UNREACHABLE,
    domain.TransactionConflictError: ExitCode.UNREACHABLE,
    domain.UnknownDatabaseError: ExitCode.USAGE,
    domain.SettingsError: ExitCode.USAGE,
    domain.ExposureError: ExitCode.USAGE,
    domain.AddressError: ExitCode.NO_ADDRESS,
    domain.StoreAbsentError: ExitCode.NO_DATABASE,
    domain.StoreRefusedError: ExitCode.NO_DATABASE,
    domain.CustomerNotFoundError: ExitCode.NOT_FOUND,
    domain.SegmentNotFoundError: ExitCode.NOT_FOUND,
    domain.AudienceNotFoundError: ExitCode.NOT_FOUND,
    domain.CampaignNotFoundError: ExitCode.NOT_FOUND,
    domain.VersionNotFoundError: ExitCode.NOT_FOUND,
    domain.JobNotFoundError: ExitCode.NOT_FOUND,
    domain.KeyNotFoundError: ExitCode.NOT_FOUND,
}


def complain(message: object) -> None:
    """Tell on standard error that something is wrong."""
    told = escape_controls(shortened(str(message)))
    errors.print(f"customer-segmentation: {told}", style="red", markup=False)


def warn(message: object) -> None:
    """Tell on standard error what was done otherwise than one might think."""
    errors.print(visible(shortened(str(message))), style="yellow", markup=False)


@contextmanager
def errors_told() -> Iterator[None]:
    """Tell an expected error in a line, and exit with its code."""
    try:
        yield
    except domain.SegmentationError as error:
        complain(error)
        raise typer.Exit(_BY_ERROR.get(type(error), ExitCode.FAILED)) from error
    except BrokenPipeError:
        raise  # Whoever reads the output has read enough.
    except OSError as error:
        complain(f"{error.filename or 'The system'}: {error.strerror or error}")
        raise typer.Exit(ExitCode.FAILED) from error
    except Terminated as stopped:
        complain("Ended by SIGTERM")
        raise typer.Exit(ExitCode.TERMINATED) from stopped
    except KeyboardInterrupt as stopped:
        complain("Interrupted")
        raise typer.Exit(ExitCode.INTERRUPTED) from stopped


@contextmanager
def open_database(
    settings: "Settings | None" = None, *, makes: bool = False, untouched: bool = False
) -> Iterator["UnitsOfWork"]:
    """Open the database of the settings; tell an expected error and exit.

    Args:
        settings: these, unless they are to be read.
        makes: whether a SQLite database that is not there yet is made.
        untouched: whether it is left as it is: it may be absent or of another release.
    """
    from customer_segmentation.services.operation.startup import database_exists, open_units
    from customer_segmentation.services.runtime.audit import acting_as
    from customer_segmentation.services.runtime.current_schema import unstored_schema
    from customer_segmentation.services.runtime.unit_of_work import units_over

    require_local()
    settings = settings or read_settings()
    with (
        errors_told(),
        closing(
            units_over(
                settings.database_url,
                # To look into a file that is not there would make one.
                schema=None if database_exists(settings) else unstored_schema(),
            )
            if untouched
            else open_units(settings, makes=makes)
        ) as units,
        acting_as(this_person()),
    ):
        yield units


def require_local() -> None:
    """Exit where the user means a service, and the command works on the database itself."""
    if os.environ.get(URL_VARIABLE):
        complain(
            f"This works on the database itself, and {URL_VARIABLE} names a service: "
            "run it where the database is, without that variable"
        )
        raise typer.Exit(ExitCode.USAGE)


def read_settings() -> "Settings":
    """Return the settings; tell what is wrong with each one that is, and exit."""
    from pydantic import ValidationError

    from customer_segmentation.services.runtime.settings import load_settings

    try:
        return load_settings()
    except (domain.SettingsError, ValidationError) as invalid:
        from customer_segmentation.services.operation.setting_faults import find_faults

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
    output.print(visible(message), markup=False, soft_wrap=True)


def conclude(message: str, as_json: bool, **answer: object) -> None:
    """Write what came of a command, in a line for people or as JSON."""
    if as_json:
        print_json(answer)
    else:
        say(message)


def visible(text: object) -> str:
    """Return a text whose lines hold nothing that a terminal would obey."""
    return "\n".join(map(escape_controls, str(text).split("\n")))


def shortened(message: str) -> str:
    """Return what is told of an error, without the middle of words that nobody reads whole."""
    return _LONG_WORD.sub(lambda word: f"{word[0][:_SHOWN]}…{word[0][-_SHOWN:]}", message)


def print_json(answer: object) -> None:
    """Write an answer to standard output as JSON."""
    can_all = output.encoding.startswith("utf")
    typer.echo(json.dumps(answer, indent=2, ensure_ascii=not can_all))


def print_table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    """Write a table; where nobody looks at it on a terminal, no cell of it is cut off."""
    table = Table(*columns)
    for row in rows:
        # As text: what people wrote may look like rich's markup.
        table.add_row(*(Text(visible(cell)) for cell in row))
    seen = output.is_terminal or "COLUMNS" in os.environ
    Console(highlight=False, width=None if seen else _WIDTH_OF_PIPES).print(table)


def moment(text: str) -> str:
    """Return a moment of an answer (ISO 8601, UTC) as tables show it."""
    return f"{datetime.fromisoformat(text).astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def amount(count: int | None) -> str:
    """Return a count of an answer as tables show it; None is one that the key may not see."""
    return "hidden" if count is None else f"{count:,}"


def percent(share: float | None) -> str:
    """Return a share of an answer as tables show it; None is one that the key may not see."""
    return "hidden" if share is None else f"{share:.1%}"
