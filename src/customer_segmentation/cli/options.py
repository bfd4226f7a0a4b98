"""Options that several commands share, and what the shell completes for them."""

from collections.abc import Iterable
from contextlib import closing
from typing import Annotated

import typer

from customer_segmentation.cli.bank import open_bank
from customer_segmentation.cli.console import URL_VARIABLE, errors, errors_told, read_settings
from customer_segmentation.cli.local import LocalBank
from customer_segmentation.client import Json
from customer_segmentation.domain.access import Role
from customer_segmentation.domain.features import FEATURE_NAMES
from customer_segmentation.services.unit_of_work import units_over


def _address(url: str | None) -> str | None:
    if url is not None and not url.startswith(("http://", "https://")):
        raise typer.BadParameter("must start with http:// or https://")
    return url


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
        help="API key for the service; others see it on the command line, so better set the "
        "variable.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Write JSON, as the API answers.")]
By = Annotated[
    str | None,
    typer.Option("--by", help="Who asks, for the record.", show_default="the user who runs this"),
]
Reason = Annotated[str, typer.Option("--reason", help="Why, for the record.")]


def complete_dialects(incomplete: str) -> list[str]:
    """Return the dialects of SQL that begin so."""
    from customer_segmentation.services.sql_export import DIALECTS

    return _beginning(DIALECTS, incomplete)


def complete_roles(incomplete: str) -> list[str]:
    """Return the roles that begin so."""
    return _beginning([role.label for role in Role], incomplete)


def complete_attributes(incomplete: str) -> list[str]:
    """Return the attributes that begin so."""
    return _beginning(FEATURE_NAMES, incomplete)


def complete_versions(context: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Return the model versions that begin so, each with a word on it; none on any error."""
    errors.quiet = True  # Nobody wants to be told while typing.
    try:
        found = _read_versions(context.params.get("url"), context.params.get("key"))
    except typer.Exit:
        return []
    versions = ((str(model["version"]), model["is_active"]) for model in found)
    return [
        (version, "serves" if serves else "does not serve")
        for version, serves in versions
        if version.startswith(incomplete)
    ]


def _read_versions(url: str | None, key: str | None) -> list[Json]:
    if url is not None:
        with open_bank(url, key) as bank:
            return list(bank.list_models()["models"])
    settings = read_settings()
    with errors_told(), closing(units_over(settings.database_url)) as units:
        # Typing must neither make a database nor bring one to this release.
        if units.database.path is not None and not units.database.path.exists():
            return []
        return list(LocalBank(units, settings).list_models()["models"])


def _beginning(names: Iterable[str], incomplete: str) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]
