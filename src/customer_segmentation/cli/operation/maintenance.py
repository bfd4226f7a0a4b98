"""Commands of operators: backup, restore, doctor, config."""

import os
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress

from customer_segmentation.cli.console.options import AsJson, Key, Url
from customer_segmentation.cli.console.output import (
    ExitCode,
    complain,
    conclude,
    errors,
    errors_told,
    open_database,
    print_json,
    print_table,
    read_settings,
    require_local,
)
from customer_segmentation.cli.console.service import open_service
from customer_segmentation.domain.plurals import counted

config = typer.Typer(no_args_is_help=True, help="Look at the settings.")


def backup(
    target: Annotated[Path, typer.Argument(help="The new file.")], as_json: AsJson = False
) -> None:
    """Copy the SQLite database to a new file while the service goes on.

    The copy is made page by page where the database is, so this takes no --url.

    Example: customer-segmentation backup customers-2026-11-23.db
    """
    from customer_segmentation.services.operation.maintenance import back_up

    with open_database() as units, Progress(console=errors) as progress:
        task = progress.add_task("copying", total=None)
        back_up(units, target, lambda done, n: progress.update(task, completed=done, total=n))
    size = target.stat().st_size
    conclude(f"{target}: {counted(size, 'byte')}", as_json, file=str(target), bytes=size)


def restore(
    source: Annotated[Path, typer.Argument(help="A file that backup has made.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Replace the SQLite database by a backup: what was written since is lost.

    Customers who were erased since are erased again. The file takes the database's place, which a
    service that holds it open cannot do, so this takes no --url.

    Example: customer-segmentation restore customers-2026-11-23.db --yes
    """
    from customer_segmentation.services.operation.maintenance import restore as restore_database

    require_local()
    settings = read_settings()
    if not yes:
        typer.confirm(f"Replace {settings.database_url} by {source}?", abort=True, err=True)
    with errors_told(), Progress(console=errors) as progress:
        task = progress.add_task("restoring", total=None)
        restored = restore_database(
            settings, source, lambda done, n: progress.update(task, completed=done, total=n)
        )
    done = f"{source} is restored; restart the servers that use the database"
    if restored.erased:
        done += f". {restored.erased:,} erased since the backup were erased again"
    if restored.set_aside:
        done += f". The damaged file that was there is now {restored.set_aside}"
    if not restored.knew_erased:
        complain(
            "the database that was replaced could not tell who was erased since the backup: "
            "erase them again"
        )
    conclude(done, as_json, file=str(source), **asdict(restored))


def doctor(
    recount: Annotated[
        bool, typer.Option("--recount", help="Count all customers anew, and repair the counts.")
    ] = False,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Look whether database, model, counts, jobs and disk are well; exit with 1 where not.

    Example: customer-segmentation doctor --recount
    """
    with open_service(url, key, untouched=True) as service:
        found = service.recount_customers() if recount else service.get_diagnosis()
    findings = found["findings"]
    if as_json:
        print_json(found)
    else:
        print_table(
            ("what", "well", "found"),
            [(f["subject"], "yes" if f["is_well"] else "no", f["detail"]) for f in findings],
        )
    if not all(finding["is_well"] for finding in findings):
        raise typer.Exit(ExitCode.FAILED)


@config.command("check")
def check(as_json: AsJson = False) -> None:
    """Name each setting that is wrong or unknown, and exit with 2 if there is one.

    Example: customer-segmentation config check
    """
    from customer_segmentation.services.operation.setting_faults import find_faults
    from customer_segmentation.services.runtime.settings import read_origin

    faults = find_faults(os.environ)
    for fault in faults:
        complain(fault)
    if faults:
        raise typer.Exit(ExitCode.USAGE)
    settings = read_settings()
    found = [
        {
            "setting": name,
            "value": "(hidden)" if _is_secret(name, value) else value,
            "from": read_origin(name, os.environ),
        }
        for name, value in settings.model_dump(mode="json").items()
    ]
    if as_json:
        print_json({"settings": found})
        return
    print_table(
        ("setting", "value", "from"), [[str(cell) for cell in row.values()] for row in found]
    )


def _is_secret(name: str, value: object) -> bool:
    if name == "database_url":
        return "@" in str(value)
    return bool(value) and name in {"jdbc_password", "spark_conf", "audience_salt"}
