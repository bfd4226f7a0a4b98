"""Commands on the audit log: list, verify."""

from typing import Annotated

import typer
from rich.table import Table

from customer_segmentation.cli.console import FAILED, errors, open_database, output
from customer_segmentation.services.audit import list_entries, verify

audit = typer.Typer(no_args_is_help=True, help="Read and verify the audit log.")


@audit.command("list")
def show(
    kind: Annotated[
        str | None, typer.Option(help="Only entries about this kind, such as customer.")
    ] = None,
    subject: Annotated[
        str | None, typer.Option(help="Only entries about this id, number or name.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 50,
) -> None:
    """List who did what, the newest first.

    Example: customer-segmentation audit list --kind customer --subject 56
    """
    table = Table("id", "when", "who", "kind", "subject", "action")
    with open_database() as units:
        for entry, _ in list_entries(units.database, limit=limit, kind=kind, subject=subject):
            at = f"{entry.at:%Y-%m-%d %H:%M:%S} UTC"
            row = (str(entry.id), at, entry.actor, entry.kind, entry.subject, entry.action)
            table.add_row(*row)
    output.print(table)


@audit.command("verify")
def check(
    head: Annotated[
        str | None, typer.Option(help="A head that was kept elsewhere; it must be in the chain.")
    ] = None,
) -> None:
    """Compute the chain of hashes anew, and tell every entry that was changed, put in or removed.

    Exits with 1 where there is one. Keep the head that this prints where nobody who can write to
    the database can change it: given again later, it shows that nothing before it is gone.
    """
    with open_database() as units:
        found = verify(units.database, head)
    for fault in found.faults:
        errors.print(f"customer-segmentation: {fault}", style="red", markup=False)
    if found.holds_anchor is False:
        errors.print("customer-segmentation: the head given is not in the chain", style="red")
    if found.faults or found.holds_anchor is False:
        raise typer.Exit(FAILED)
    typer.echo(f"{found.entries} entries, nothing changed. Head: {found.head}")
