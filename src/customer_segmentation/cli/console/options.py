"""Options that several commands share, and what the shell completes for them."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from customer_segmentation.cli.console.commands import refuse_given
from customer_segmentation.cli.console.output import (
    URL_VARIABLE,
    errors,
    errors_told,
    read_settings,
)
from customer_segmentation.cli.console.service import open_service
from customer_segmentation.domain.access import Role
from customer_segmentation.domain.addresses import LARGEST_PORT
from customer_segmentation.domain.audit import LONGEST_NAME

if TYPE_CHECKING:
    from customer_segmentation.client import Client


def check_address(url: str) -> str:
    """Return a service's address, if it is one: else every call would only be lost on its way."""
    if not url.startswith(("http://", "https://")):
        raise typer.BadParameter("must start with http:// or https://")
    import httpx

    try:
        address = httpx.URL(url)
        host, port = address.host, address.port
    except (httpx.InvalidURL, UnicodeError) as error:
        raise typer.BadParameter(f"is no address: {error}") from error
    # What no host's name can have, httpx writes as an escape; an IPv6 zone begins with one.
    if not host or ("%" in host and ":" not in host):
        raise typer.BadParameter("is no address: it names no host")
    if port is not None and not 1 <= port <= LARGEST_PORT:
        raise typer.BadParameter(f"is no address: its port is not one of 1 to {LARGEST_PORT}")
    if address.query or address.fragment:
        raise typer.BadParameter("is no address of a service: it has a query or a fragment")
    return url


def _address(context: typer.Context, url: str | None) -> str | None:
    if url is None:
        refuse_given(context, "is for --url", "key")
        return None
    return check_address(url)


def _header(key: str | None) -> str | None:
    if key is not None and not (key.isascii() and key.isprintable()):
        raise typer.BadParameter("is no key: those have printable characters of ASCII only")
    return key


Url = Annotated[
    str | None,
    typer.Option(
        "--url",
        envvar=URL_VARIABLE,
        callback=_address,
        help="Ask the service at this address, not the local database.",
    ),
]
Key = Annotated[
    str | None,
    typer.Option(
        "--key",
        envvar="CUSTOMER_SEGMENTATION_KEY",
        callback=_header,
        help="API key for the service; others see it on the command line, so better set the "
        "variable.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Write JSON, as the API answers.")]


def check_name(text: str | None) -> str | None:
    """Return a name as it is in the audit log, if it is short enough to be there."""
    if text is not None and len(text) > LONGEST_NAME:
        raise typer.BadParameter(f"must have at most {LONGEST_NAME} characters")
    return text


By = Annotated[
    str | None,
    typer.Option(
        "--by",
        help="Who asks, for the record.",
        show_default="the user who runs this",
        callback=check_name,
    ),
]
Reason = Annotated[str, typer.Option("--reason", help="Why, for the record.")]


def check_dialect(dialect: str) -> str:
    """Return a dialect of SQL, if it is one that rules are written in."""
    from customer_segmentation.services.models.sql_export import DIALECTS

    if dialect not in DIALECTS:
        raise typer.BadParameter(f"must be one of {', '.join(DIALECTS)}")
    return dialect


def complete_dialects(incomplete: str) -> list[str]:
    """Return the dialects of SQL that begin so."""
    from customer_segmentation.services.models.sql_export import DIALECTS

    return _beginning(DIALECTS, incomplete)


def complete_roles(incomplete: str) -> list[str]:
    """Return the roles that begin so."""
    return _beginning([role.label for role in Role], incomplete)


def complete_attributes(context: typer.Context, incomplete: str) -> list[str]:
    """Return the attributes that begin so; none on any error."""
    errors.quiet = True  # Nobody wants to be told while typing.
    try:
        url, key = context.params.get("url"), context.params.get("key")
        with open_service(url, key, untouched=True) as service:
            names = service.get_schema()["attributes"]
    except typer.Exit:
        return []
    return _beginning([attribute["name"] for attribute in names], incomplete)


def complete_versions(context: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Return the model versions that begin so, each with a word on it; none on any error."""
    errors.quiet = True  # Nobody wants to be told while typing.
    try:
        with _asked(context) as service:
            found = [] if service is None else service.list_models()["models"]
    except typer.Exit:
        return []
    versions = ((str(model["version"]), model["is_active"]) for model in found)
    return [
        (version, "active" if is_active else "inactive")
        for version, is_active in versions
        if version.startswith(incomplete)
    ]


@contextmanager
def _asked(context: typer.Context) -> "Iterator[Client | None]":
    """Open the service that a command asks; None where there is no database."""
    url = context.params.get("url")
    if url is None:
        from customer_segmentation.services.operation.startup import database_exists

        with errors_told():
            if not database_exists(read_settings()):
                yield None
                return
    # Typing must neither make a database nor bring one to this release.
    with open_service(url, context.params.get("key"), untouched=True) as service:
        yield service


def _beginning(names: Iterable[str], incomplete: str) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]
