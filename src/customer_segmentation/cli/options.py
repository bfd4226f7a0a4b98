"""Options that several commands share, and what the shell completes for them."""

from collections.abc import Iterable
from typing import Annotated

import typer

from customer_segmentation.cli.bank import open_bank
from customer_segmentation.cli.console import URL_VARIABLE
from customer_segmentation.domain.access import Role
from customer_segmentation.domain.features import FEATURE_NAMES
from customer_segmentation.services.sql_export import DIALECTS


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
    return _beginning(DIALECTS, incomplete)


def complete_roles(incomplete: str) -> list[str]:
    """Return the roles that begin so."""
    return _beginning([role.label for role in Role], incomplete)


def complete_attributes(incomplete: str) -> list[str]:
    """Return the attributes that begin so."""
    return _beginning(FEATURE_NAMES, incomplete)


def complete_versions(context: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Return the model versions that begin so, each with a word on it."""
    with open_bank(context.params.get("url"), context.params.get("key")) as bank:
        found = bank.list_models()["models"]
    return [
        (
            str(model["version"]),
            "serves" if model["is_active"] else f"trained {model['created_at']}",
        )
        for model in found
        if str(model["version"]).startswith(incomplete)
    ]


def _beginning(names: Iterable[str], incomplete: str) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]
