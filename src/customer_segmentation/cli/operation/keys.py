"""Commands on API keys: create, list, revoke."""

from typing import Annotated

import typer

from customer_segmentation.cli.console.options import AsJson, Key, Url, complete_roles
from customer_segmentation.cli.console.output import (
    conclude,
    errors,
    moment,
    print_json,
    print_table,
)
from customer_segmentation.cli.console.service import open_service
from customer_segmentation.domain.access import Role

keys = typer.Typer(
    no_args_is_help=True,
    help="Create, list and revoke API keys: with an admin's, or where the database is with none.",
)

_ROLES = [role.label for role in Role]


def _role(text: str) -> str:
    if text not in _ROLES:
        raise typer.BadParameter(f"must be one of {', '.join(_ROLES)}")
    return text


@keys.command("create")
def create(
    name: Annotated[str, typer.Argument(help="Whose it is, or what it is for.")],
    role: Annotated[
        str,
        typer.Option(
            metavar="reader|writer|admin",
            help="What it may do.",
            autocompletion=complete_roles,
            callback=_role,
        ),
    ] = Role.READER.label,
    days: Annotated[
        int | None,
        typer.Option(
            min=1, max=36_500, help="After how many days it expires; unless given, never."
        ),
    ] = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Make a key and print it: it is shown this once, and only a hash of it is stored.

    Example: customer-segmentation keys create crm --role writer --days 90
    """
    with open_service(url, key) as service:
        made = service.create_key(name, role, days)
    errors.print(f"The key {name}, {role}. Keep it: it is not shown again.", markup=False)
    if as_json:
        print_json(made)
    else:
        typer.echo(made["key"])


@keys.command("list")
def show(url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """List the keys, the oldest first; revoked ones too.

    Example: customer-segmentation keys list
    """
    with open_service(url, key) as service:
        found = service.list_keys()
    if as_json:
        print_json(found)
        return
    rows = [
        (
            each["id"],
            each["name"],
            each["role"],
            moment(each["created_at"]),
            *(moment(each[end]) if each[end] else "" for end in ("expires_at", "revoked_at")),
        )
        for each in found["keys"]
    ]
    print_table(("id", "name", "role", "created", "expires", "revoked"), rows)


@keys.command("revoke")
def revoke(
    name: Annotated[str, typer.Argument(help="The key's name.")],
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Refuse a key from now on; running servers do so within a second.

    Example: customer-segmentation keys revoke crm
    """
    with open_service(url, key) as service:
        service.revoke_key(name)
    conclude(f"The key {name} is revoked", as_json, name=name)
