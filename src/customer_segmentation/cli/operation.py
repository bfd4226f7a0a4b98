"""Commands of operators: backup, restore, doctor, config."""

import os
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress
from rich.table import Table

from customer_segmentation.cli.console import (
    BAD_SETTINGS,
    FAILED,
    errors,
    errors_told,
    open_database,
    output,
    read_settings,
)
from customer_segmentation.services.maintenance import back_up, examine
from customer_segmentation.services.maintenance import restore as restore_database
from customer_segmentation.services.settings import find_unknown, read_origin

config = typer.Typer(no_args_is_help=True, help="Look at the settings.")


def backup(target: Annotated[Path, typer.Argument(help="The new file.")]) -> None:
    """Copy the SQLite database to a new file while the service goes on.

    Example: customer-segmentation backup customers-2026-11-23.db
    """
    with open_database() as units, Progress(console=errors) as progress:
        task = progress.add_task("copying", total=None)
        back_up(units, target, lambda done, n: progress.update(task, completed=done, total=n))
    typer.echo(f"{target}: {target.stat().st_size:,} bytes")


def restore(
    source: Annotated[Path, typer.Argument(help="A file that backup has made.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Replace the SQLite database by a backup: what was written since is lost."""
    settings = read_settings()
    if not yes:
        typer.confirm(f"Replace {settings.database_url} by {source}?", abort=True)
    with errors_told(), Progress(console=errors) as progress:
        task = progress.add_task("restoring", total=None)
        restore_database(
            settings, source, lambda done, n: progress.update(task, completed=done, total=n)
        )
    typer.echo(f"{source} is restored; restart the servers that use the database")


def doctor() -> None:
    """Look whether database, model, counts, jobs and disk are well; exit with 1 where not."""
    findings = examine(read_settings())
    table = Table("what", "well", "found")
    for finding in findings:
        table.add_row(finding.subject, "yes" if finding.is_well else "no", finding.detail)
    output.print(table)
    if not all(finding.is_well for finding in findings):
        raise typer.Exit(FAILED)


@config.command("check")
def check() -> None:
    """Name each setting that is wrong or unknown, and exit with 2 if there is one."""
    settings = read_settings()
    unknown = find_unknown(os.environ)
    for name in unknown:
        errors.print(f"customer-segmentation: there is no setting {name}", markup=False)
    if unknown:
        raise typer.Exit(BAD_SETTINGS)
    table = Table("setting", "value", "from")
    for name, value in settings.model_dump(mode="json").items():
        shown = "(hidden)" if name == "database_url" and "@" in str(value) else str(value)
        table.add_row(name, shown, read_origin(name, os.environ))
    output.print(table)
