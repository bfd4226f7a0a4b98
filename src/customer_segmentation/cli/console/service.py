"""The service that a command asks: at an address, or in the command's own process."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import typer

from customer_segmentation.cli.console.output import (
    ExitCode,
    complain,
    errors_told,
    open_database,
    read_settings,
)

if TYPE_CHECKING:
    from customer_segmentation.client import Client
    from customer_segmentation.services.runtime.settings import Settings
    from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork

Json = dict[str, Any]

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
_BY_PROBLEM = {"no-database": ExitCode.NO_DATABASE, "schema-invalid": ExitCode.FAILED}
"""Exit codes of problems that share their status with others, by the last part of the type."""


@contextmanager
def open_service(
    url: str | None, key: str | None, *, untouched: bool = False
) -> Iterator["Client"]:
    """Open the service at an address, or without one a service of the database of the settings.

    An expected error within the block is told, and the command exits with its code.

    Args:
        url: the service's address.
        key: an API key for it.
        untouched: whether the database of the settings is left as it is: it may be absent or of
            another release.
    """
    with ExitStack() as stack:
        if url is None:
            settings = read_settings()
            units = stack.enter_context(open_database(settings, untouched=untouched))
            yield stack.enter_context(serve_in_process(units, settings))
        else:
            from customer_segmentation.client import Client

            stack.enter_context(errors_told())
            stack.enter_context(answers_told())
            yield stack.enter_context(Client(url, key or None))


@contextmanager
def serve_in_process(units: "UnitsOfWork", settings: "Settings") -> Iterator["Client"]:
    """Serve an open database within this process, to who runs the command alone."""
    from customer_segmentation.api.app import create_local_app
    from customer_segmentation.cli.console.in_process import InProcessTransport
    from customer_segmentation.client import Client

    transport = InProcessTransport(create_local_app(units, settings))
    # What a database refuses now may be tried again by who runs the command.
    with answers_told(), Client("http://localhost", transport=transport, tries=1) as service:
        yield service


@contextmanager
def answers_told() -> Iterator[None]:
    """Tell what a service refuses in a line, and exit with its code."""
    import httpx

    from customer_segmentation.client import ServiceError

    try:
        yield
    except ServiceError as error:
        complain(error)
        raise typer.Exit(_code_of(error.status, error.problem)) from error
    except httpx.TransportError as error:
        complain(f"The service does not answer: {error}")
        raise typer.Exit(ExitCode.UNREACHABLE) from error


def _code_of(status: int, problem: Json) -> ExitCode:
    kind = str(problem.get("type")).rpartition(":")[2]
    return _BY_PROBLEM.get(kind) or _BY_STATUS.get(status, ExitCode.FAILED)
