"""Commands on API keys: create, list, revoke."""

from typing import Annotated

import typer
from rich.table import Table

from customer_segmentation.cli.console import errors, open_database, output
from customer_segmentation.domain.access import Role
from customer_segmentation.services.keys import create_key, list_keys, revoke_key

keys = typer.Typer(no_args_is_help=True, help="Create, list and revoke API keys.")

_ROLES = {role.label: role for role in Role}


def _role(text: str) -> Role:
    if text not in _ROLES:
        raise typer.BadParameter(f"must be one of {', '.join(_ROLES)}")
    return _ROLES[text]


@keys.command("create")
def create(
    name: Annotated[str, typer.Argument(help="Whose it is, or what it is for.")],
    role: Annotated[
        Role, typer.Option(parser=_role, metavar="reader|writer|admin", help="What it may do.")
    ] = Role.READER,
) -> None:
    """Make a key and print it: it is shown this once, and only a hash of it is stored.

    Example: customer-segmentation keys create dashboard --role reader
    """
    with open_database() as units:
        key = create_key(units, name, role)
    errors.print(f"The key {name}, {role.label}. Keep it: it is not shown again.", markup=False)
    typer.echo(key)


@keys.command("list")
def show() -> None:
    """List the keys, the oldest first; revoked ones too."""
    table = Table("id", "name", "role", "created", "revoked")
    with open_database() as units:
        for key in list_keys(units):
            revoked = f"{key.revoked_at:%Y-%m-%d %H:%M} UTC" if key.revoked_at else ""
            created = f"{key.created_at:%Y-%m-%d %H:%M} UTC"
            table.add_row(key.id, key.name, key.role.label, created, revoked)
    output.print(table)


@keys.command("revoke")
def revoke(name: Annotated[str, typer.Argument(help="The key's name.")]) -> None:
    """Refuse a key from now on; running servers do so within a second."""
    with open_database() as units:
        revoke_key(units, name)
    typer.echo(f"The key {name} is revoked")
