"""The command that stores customers from files."""

import gc
import json
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from customer_segmentation.cli.console import ExitCode, errors, errors_told, open_database
from customer_segmentation.cli.tables import (
    DelimiterOption,
    EncodingOption,
    FilesArgument,
    FormatOption,
    MappingOption,
    RejectsOption,
    SheetOption,
    meaning_of,
    opened,
    progress_of,
    rejects_path,
)
from customer_segmentation.files.inference import infer
from customer_segmentation.files.mapping_file import format_guesses, read_rules
from customer_segmentation.files.reading import Reading
from customer_segmentation.files.rejects import RejectsFile
from customer_segmentation.files.transactions import DERIVED, Totals, Transactions
from customer_segmentation.services.importing import Import, Mode, Outcome, import_customers

_OBJECTS = 200_000
"""How many more there must be before Python looks for cycles."""

_DAY = "%Y-%m-%d"


def import_files(
    files: FilesArgument,
    mode: Annotated[
        Mode,
        typer.Option(
            help="insert changes nobody who is there; upsert does; replace also removes "
            "everybody whom the file has not."
        ),
    ] = Mode.UPSERT,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Tell what would be done, and do nothing.")
    ] = False,
    mapping: MappingOption = None,
    write_mapping: Annotated[
        bool,
        typer.Option("--infer", help="Write what the columns seem to mean, for review; no import."),
    ] = False,
    transactions: Annotated[
        Path | None,
        typer.Option(help="Table to add up withdrawals, deposits and their count from."),
    ] = None,
    since: Annotated[
        datetime | None, typer.Option(help="First day of transactions that counts.", formats=[_DAY])
    ] = None,
    until: Annotated[
        datetime | None,
        typer.Option(help="First day of transactions that counts no more.", formats=[_DAY]),
    ] = None,
    query_of: Annotated[
        str | None,
        typer.Option("--from", metavar="URL", help="FILE is a SQL query on this database."),
    ] = None,
    file_format: FormatOption = None,
    delimiter: DelimiterOption = None,
    encoding: EncodingOption = None,
    sheet: SheetOption = None,
    rejects: RejectsOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Tell the outcome as JSON.")] = False,
) -> None:
    """Store customers from files, segmented as they come in.

    Rows that are not taken go to a file with line, column and reason; mend them there and import
    that file. An import that was cut off can be run again: the result is the same. Exits with 7
    where a row was not taken.

    Example: customer-segmentation import clients.xlsx --mapping mapping.toml --dry-run
    """
    reading = Reading(file_format, delimiter, encoding, sheet)
    totals = None if transactions is None else _add_up(transactions, mapping, since, until)
    if mode is Mode.REPLACE and len(files) > 1:
        raise typer.BadParameter("replace takes one file, which has everybody")
    # Rows by the million are made and dropped, and none refers to another: looking for cycles among
    # them as often as Python does takes a twentieth of the time.
    gc.set_threshold(_OBJECTS)
    outcomes: dict[str, Outcome] = {}
    for file in files:
        with errors_told(), opened(file, reading, query_of) as source:
            if write_mapping:
                guesses = infer(source.columns, source.sample())
                typer.echo(format_guesses(guesses, source.name, source.columns))
                continue
            meaning = meaning_of(source, mapping, () if totals is None else DERIVED)
            how = Import(source.name, mode, dry_run, totals)
            target = rejects or rejects_path(file, query_of)
            with (
                open_database() as units,
                RejectsFile(target, source.columns) as rejected,
                progress_of("looking" if dry_run else "importing", source) as tell,
            ):
                outcomes[source.name] = import_customers(
                    units, source, meaning, how, rejected.add, tell
                )
            _tell(source.name, outcomes[source.name], how, target, quiet=as_json)
    if as_json and not write_mapping:
        typer.echo(json.dumps({name: asdict(outcome) for name, outcome in outcomes.items()}))
    if any(outcome.rejected for outcome in outcomes.values()):
        raise typer.Exit(ExitCode.REJECTED)


def _add_up(
    file: Path, mapping: Path | None, since: datetime | None, until: datetime | None
) -> Totals:
    """Return what a table of transactions adds up to for each customer."""
    target = rejects_path(file, None)
    with errors_told(), opened(file, Reading(), None) as source:
        rules = replace(
            read_rules(mapping, source.columns),
            since=None if since is None else since.date(),
            until=None if until is None else until.date(),
        )
        adding = Transactions(source, rules)
        with (
            RejectsFile(target, source.columns) as rejected,
            progress_of("adding up", source) as tell,
        ):
            rows = 0
            for block in source.blocks(adding.wanted):
                rejected.add(adding.add(block))
                rows += len(block.lines)
                tell(block.position, rows)
        if rejected.count:
            told = f"{rejected.count:,} transactions do not count: see {target}"
            errors.print(told, style="yellow", markup=False)
        return adding.totals()


def _tell(name: str, outcome: Outcome, how: Import, rejects: Path, *, quiet: bool) -> None:
    if outcome.rejected:
        told = f"{outcome.rejected:,} rows of {name} are not taken: see {rejects}"
        errors.print(told, style="yellow", markup=False)
        if how.mode is Mode.REPLACE:
            errors.print("So nobody is removed; mend the rows and import again", style="yellow")
    if not quiet:
        would = "would be " if how.dry_run else ""
        typer.echo(
            f"{name}: {outcome.added:,} {would}added, {outcome.changed:,} {would}changed, "
            f"{outcome.unchanged:,} unchanged, {outcome.removed:,} {would}removed"
        )
