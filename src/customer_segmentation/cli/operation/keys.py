"""Commands on API keys: create, list, revoke."""

from datetime import timedelta
from typing import Annotated

import typer

from customer_segmentation.cli.console.options import AsJson, complete_roles
from customer_segmentation.cli.console.output import (
    conclude,
    errors,
    moment,
    open_database,
    print_json,
    print_table,
)
from customer_segmentation.domain.access import Role

keys = typer.Typer(
    no_args_is_help=True,
    help="Create, list and revoke API keys, on the database itself: who can do this needs no key.",
)

_ROLES = {role.label: role for role in Role}


def _role(text: str) -> Role:
    if text not in _ROLES:
        raise typer.BadParameter(f"--role must be one of {', '.join(_ROLES)}")
    return _ROLES[text]


@keys.command("create")
def create(
    name: Annotated[str, typer.Argument(help="Whose it is, or what it is for.")],
    role: Annotated[
        str,
        typer.Option(
            metavar="reader|writer|admin",
            help="What it may do.",
            autocompletion=complete_roles,
        ),
    ] = Role.READER.label,
    days: Annotated[
        int | None,
        typer.Option(
            min=1, max=36_500, help="After how many days it expires; unless given, never."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a key and print it: it is shown this once, and only a hash of it is stored.

    Example: customer-segmentation keys create crm --role writer --days 90
    """
    from customer_segmentation.services.operation.keys import create_key

    found = _role(role)
    life = None if days is None else timedelta(days=days)
    with open_database() as units:
        key = create_key(units, name, found, life)
    errors.print(f"The key {name}, {role}. Keep it: it is not shown again.", markup=False)
    if as_json:
        print_json({"name": name, "role": role, "key": key})
    else:
        typer.echo(key)


@keys.command("list")
def show(as_json: AsJson = False) -> None:
    """List the keys, the oldest first; revoked ones too.

    Example: customer-segmentation keys list
    """
    from pydantic_core import to_jsonable_python

    from customer_segmentation.services.operation.keys import list_keys

    with open_database() as units:
        found = [
            {
                "id": key.id,
                "name": key.name,
                "role": key.role.label,
                **to_jsonable_python(
                    {
                        "created_at": key.created_at,
                        "revoked_at": key.revoked_at,
                        "expires_at": key.expires_at,
                    }
                ),
            }
            for key in list_keys(units)
        ]
    if as_json:
        print_json({"keys": found})
        return
    rows = [
        (
            key["id"],
            key["name"],
            key["role"],
            moment(key["created_at"]),
            *(moment(key[end]) if key[end] else "" for end in ("expires_at", "revoked_at")),
        )
        for key in found
    ]
    print_table(("id", "name", "role", "created", "expires", "revoked"), rows)


@keys.command("revoke")
def revoke(
    name: Annotated[str, typer.Argument(help="The key's name.")], as_json: AsJson = False
) -> None:
    """Refuse a key from now on; running servers do so within a second.

    Example: customer-segmentation keys revoke crm
    """
    from customer_segmentation.services.operation.keys import revoke_key

    with open_database() as units:
        revoke_key(units, name)
    conclude(f"The key {name} is revoked", as_json, name=name)
