"""Commands on the schema: show, plan, apply."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from customer_segmentation.cli.console.options import AsJson, By, Key, Url
from customer_segmentation.cli.console.output import (
    ExitCode,
    print_json,
    print_table,
    say,
    this_person,
    warn,
)
from customer_segmentation.cli.console.service import Json, open_service
from customer_segmentation.domain.plurals import counted
from customer_segmentation.domain.schema import make_attribute

schema = typer.Typer(
    no_args_is_help=True, help="What a customer is made of: show it, change it while all goes on."
)

_Renames = Annotated[
    list[str] | None,
    typer.Option(
        "--rename", metavar="OLD=NEW", help="An attribute that has another name; repeatable."
    ),
]
_DiscardDemo = Annotated[
    bool,
    typer.Option(
        "--discard-demo",
        help="The demonstration goes first, with all its customers; then import your own.",
    ),
]
_File = Annotated[Path, typer.Argument(help="Schema file, as `init` writes it.", dir_okay=False)]


class Form(StrEnum):
    """How a schema is written."""

    TOML = "toml"
    TABLE_SCHEMA = "table-schema"
    JSON_SCHEMA = "json-schema"


@schema.command("show")
def show(
    form: Annotated[
        Form | None,
        typer.Option("--format", help="Write it so, for a file or another tool."),
    ] = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Show what a customer is made of.

    Example: customer-segmentation schema show --format toml
    """
    with open_service(url, key) as service:
        if form is not None:
            typer.echo(service.get_schema_text(form), nl=False)
            return
        found = service.get_schema()
    if as_json:
        print_json(found)
        return
    say(f"Schema {found['number']}; the id is {found['id']['name']}, {found['id']['type']}")
    names = ("name", "title", "kind", "unit", "missing")
    rows: list[tuple[str, ...]] = [tuple(a[n] for n in names) for a in found["attributes"]]
    columns: tuple[str, ...] = ("attribute", *names[1:])
    if found["transactions"] is not None:
        following = [make_attribute(a).derivation for a in found["attributes"]]
        rows = [
            (*row, one.summary if one else "") for row, one in zip(rows, following, strict=True)
        ]
        columns = (*columns, "from transactions")
    print_table(columns, rows)


@schema.command("plan")
def plan(
    file: _File,
    rename: _Renames = None,
    discard_demo: _DiscardDemo = False,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Tell what a schema would change, and what it costs; nothing is changed.

    Exits with 3 where it cannot be applied.

    Example: customer-segmentation schema plan schema.toml --rename income=monthly_income
    """
    text, renames = _read(file), _renames(rename)
    with open_service(url, key) as service:
        found = service.plan_schema(text, renames, discard_demo=discard_demo)
    _tell(found, as_json)
    if found["steps"] and not as_json:
        say(f"It is planned for schema {found['number']}: apply it with --number {found['number']}")
    if found["refusals"]:
        for reason in found["refusals"]:
            warn(reason)
        raise typer.Exit(ExitCode.HELD_BACK)


@schema.command("apply")
def apply(
    file: _File,
    rename: _Renames = None,
    discard_demo: _DiscardDemo = False,
    number: Annotated[
        int | None,
        typer.Option(
            min=1, help="Only if this schema still holds, by the number that `plan` tells."
        ),
    ] = None,
    by: By = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Let a schema hold from now on, in one transaction, while the service goes on.

    Example: customer-segmentation schema apply schema.toml --number 1
    """
    text, renames = _read(file), _renames(rename)
    with open_service(url, key) as service:
        who = this_person() if by is None else by
        done = service.apply_schema(text, renames, who, number, discard_demo=discard_demo)
    _tell(done, as_json)


def _tell(found: Json, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    if not found["steps"]:
        say("Nothing differs")
        return
    print_table(
        ("what", "of", "how"),
        [(step["kind"], step["subject"], step["detail"]) for step in found["steps"]],
    )
    cost = "is written anew" if found["is_rewritten"] else "stays as it is"
    say(f"The table of {counted(found['customers'], 'customer')} {cost}")


def _read(file: Path) -> str:
    """Return the text of a schema file, which may be of any size."""
    from customer_segmentation.files.schema_file import read_text

    return read_text(file)


def _renames(given: list[str] | None) -> dict[str, str]:
    renames: dict[str, str] = {}
    for text in given or ():
        old, equals, new = text.partition("=")
        if not (old and equals and new):
            raise typer.BadParameter("must be OLD=NEW", param_hint="--rename")
        renames[old] = new
    return renames
