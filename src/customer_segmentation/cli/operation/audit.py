"""Commands on the audit log: list, verify."""

from typing import Annotated

import typer

from customer_segmentation.cli.console.options import AsJson, Key, Url, check_name
from customer_segmentation.cli.console.output import (
    ExitCode,
    complain,
    moment,
    print_json,
    print_table,
    say,
)
from customer_segmentation.cli.console.service import open_service
from customer_segmentation.domain.plurals import counted

audit = typer.Typer(no_args_is_help=True, help="Read and verify the audit log.")


@audit.command("list")
def list_entries(
    kind: Annotated[
        str | None,
        typer.Option(help="Only entries about this kind, such as customer.", callback=check_name),
    ] = None,
    subject: Annotated[
        str | None,
        typer.Option(help="Only entries about this id, number or name.", callback=check_name),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many at most.")] = 50,
    before: Annotated[
        int | None,
        typer.Option(
            min=1, max=2**63 - 1, help="Only entries of lower ids, to go on after a page."
        ),
    ] = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """List who did what, the newest first.

    Example: customer-segmentation audit list --kind segment --subject 2
    """
    with open_service(url, key) as service:
        found = service.list_audit_entries(before, limit=limit, kind=kind, subject=subject)
    if as_json:
        print_json(found)
        return
    names = ("actor", "kind", "subject", "action")
    rows = [
        (str(entry["id"]), moment(entry["at"]), *(entry[name] for name in names))
        for entry in found["entries"]
    ]
    print_table(("id", "when", "who", "kind", "subject", "action"), rows)


@audit.command("verify")
def check(
    head: Annotated[
        str | None, typer.Option(help="A head that was kept elsewhere; it must be in the chain.")
    ] = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Compute the chain of hashes anew, and tell every entry that was changed, put in or removed.

    Exits with 1 where there is one. Keep the head that this prints where nobody who can write to
    the database can change it: given again later, it shows that nothing before it is gone.

    Example: customer-segmentation audit verify
    """
    with open_service(url, key) as service:
        found = service.verify_audit_log(head)
    for fault in found["faults"]:
        complain(fault)
    if found["holds_anchor"] is False:
        complain("the head given is not in the chain")
    if as_json:
        print_json(found)
    if found["faults"] or found["holds_anchor"] is False:
        raise typer.Exit(ExitCode.FAILED)
    if not as_json:
        entries = counted(found["entries"], "entry", "entries")
        say(f"{entries}, nothing changed. Head: {found['head']}")
