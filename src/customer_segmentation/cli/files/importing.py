"""The command that stores customers from files."""

import gc
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from customer_segmentation.cli.console.commands import is_given, refuse_given
from customer_segmentation.cli.console.options import Key, Url
from customer_segmentation.cli.console.output import (
    ExitCode,
    errors,
    open_database,
    read_settings,
    this_person,
    warn,
)
from customer_segmentation.cli.console.service import open_service
from customer_segmentation.cli.files.outputs import STANDARD, check_outputs
from customer_segmentation.cli.files.tables import (
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
    rejects_target,
    warn_of_differing,
)
from customer_segmentation.domain.errors import DataFileError, SegmentationError
from customer_segmentation.domain.imports import Mode
from customer_segmentation.domain.plurals import counted

if TYPE_CHECKING:
    from customer_segmentation.files.map.mapping import ColumnMapping
    from customer_segmentation.files.read.tables import Reading
    from customer_segmentation.files.transactions.totals import Totals
    from customer_segmentation.services.runtime.settings import Settings
    from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork
    from customer_segmentation.services.transfer.first_import import Beginning
    from customer_segmentation.services.transfer.importing import Import
    from customer_segmentation.services.transfer.records import Outcome

_OBJECTS = 200_000
"""How many more there must be before Python looks for cycles."""

_DAY = "%Y-%m-%d"


def import_files(
    context: typer.Context,
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
        typer.Option(
            help="Table to add up withdrawals, deposits and their count from.", dir_okay=False
        ),
    ] = None,
    since: Annotated[
        datetime | None, typer.Option(help="First day of transactions that counts.", formats=[_DAY])
    ] = None,
    until: Annotated[
        datetime | None,
        typer.Option(help="End date of the transactions (exclusive).", formats=[_DAY]),
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
    url: Url = None,
    key: Key = None,
    as_json: Annotated[bool, typer.Option("--json", help="Tell the outcome as JSON.")] = False,
) -> None:
    """Store customers from files, segmented as they come in.

    Rows that are not taken go to a file with line, column and reason; mend them there and import
    that file. An import that was cut off can be run again: the result is the same. Exits with 7
    where a row was not taken, or a transaction counts for nobody.

    Example: customer-segmentation import clients.xlsx --mapping mapping.toml --dry-run
    """
    from customer_segmentation.files.check.rejects import RejectsFile
    from customer_segmentation.files.read.tables import Reading
    from customer_segmentation.files.transactions.totals import DERIVED
    from customer_segmentation.services.transfer.first_import import begin_bank, holds_demo
    from customer_segmentation.services.transfer.importing import Import, import_customers

    reading = Reading(file_format, delimiter, encoding, sheet)
    _check_options(context, files, mode, transactions)
    if write_mapping:
        _write_guesses(files[0], reading, query_of)
        return
    targets = [rejects or rejects_target(file, query_of) for file in files]
    if url is not None:
        paths = dict(zip(files, targets, strict=True))
        _import_at((url, key), paths, (mode, dry_run, mapping, reading), as_json)
        return
    more = [] if transactions is None else [rejects_target(transactions)]
    read = [*(files if query_of is None else []), mapping, transactions]
    check_outputs([*targets, *more], read)
    # Rows by the million are made and dropped, and none refers to another: looking for cycles among
    # them as often as Python does takes a twentieth of the time.
    gc.set_threshold(_OBJECTS)
    totals, refused = None, 0
    if transactions is not None:
        totals, refused = _add_up(transactions, mapping, since, until, more[0])
    outcomes: dict[str, Outcome] = {}
    settings = read_settings()
    with _database(settings, dry_run) as units:
        current, beginning = units.current_schema, begin_bank(units, settings, mode)
        if beginning is None and holds_demo(units):
            warn(_DEMO_STAYS)
        for file, target in zip(files, targets, strict=True):
            with opened(file, reading, query_of, current.source) as source:
                meaning = meaning_of(current, source, mapping, () if totals is None else DERIVED)
                how = Import(source.name, mode, dry_run, totals)
                with (
                    RejectsFile(target, source.columns) as rejected,
                    progress_of("looking" if dry_run else "importing", source) as tell,
                    _stored_told(how, tell, beginning is not None) as tell_stored,
                ):
                    outcome = import_customers(
                        units, source, meaning, how, rejected.add, tell_stored, beginning
                    )
            outcomes[source.name] = outcome
            _warn_of(source.name, outcome, how, meaning, target, beginning)
            if beginning is None:
                _tell(outcomes, [source.name], dry_run, quiet=as_json)
        if beginning is not None:
            _begin(beginning, dry_run, as_json)
            _tell(outcomes, [*outcomes], dry_run, quiet=as_json)
    told: dict[str, object] = {name: asdict(outcome) for name, outcome in outcomes.items()}
    unused = 0 if totals is None else totals.unused
    if totals is not None:
        told[str(transactions)] = {"rejected": refused, "unused": unused}
    if unused:
        warn(f"{counted(unused, 'transaction')} of {transactions} for nobody who was imported")
    if as_json:
        typer.echo(json.dumps(told))
    if refused or unused or any(outcome.rejected for outcome in outcomes.values()):
        raise typer.Exit(ExitCode.REJECTED)


def _write_guesses(file: Path, reading: "Reading", query_of: str | None) -> None:
    """Write what the columns of a table seem to mean, and what makes a guess doubtful."""
    from customer_segmentation.files.map.inference import doubts_about, infer
    from customer_segmentation.files.map.mapping_file import format_guesses

    with _database(read_settings(), dry_run=True) as units:
        schema = units.schema
    with opened(file, reading, query_of) as source:
        guesses = infer(schema, source.columns, source.sample())
        doubts = doubts_about(source.columns, source.sample())
        for doubt in doubts:
            warn(f"{source.name}: {doubt}")
        typer.echo(format_guesses(schema, guesses, source.name, source.columns, doubts))


_DEMO_STAYS = (
    "The database holds the demonstration: its customers, segments and strategies stay beside "
    "yours. To begin your own bank with none of them, import with --mode replace"
)


def _import_at(
    where: tuple[str, str | None],
    files: dict[Path, Path],
    how: "tuple[Mode, bool, Path | None, Reading]",
    as_json: bool,
) -> None:
    """Import files, each with the file for its rejects, at a service's address, by a key."""
    from customer_segmentation.cli.files.remote import import_at

    check_outputs(files.values(), [*files, how[2]])
    outcomes: dict[str, Outcome] = {}
    url, key = where
    with open_service(url, key) as service:
        for file, target in files.items():
            outcome, told = import_at(service, file, how, target, this_person())
            outcomes[str(file)] = outcome
            for warning in (told["result"] or {}).get("warnings", ()):
                warn(f"The first model is active, as there is no other, but: {warning}")
            if outcome.rejected:
                warn(f"{counted(outcome.rejected, 'row')} of {file} not taken: see {target}")
            _tell(outcomes, [str(file)], how[1], quiet=as_json)
    if as_json:
        typer.echo(json.dumps({name: asdict(outcome) for name, outcome in outcomes.items()}))
    if any(outcome.rejected for outcome in outcomes.values()):
        raise typer.Exit(ExitCode.REJECTED)


@contextmanager
def _database(settings: "Settings", dry_run: bool) -> Iterator["UnitsOfWork"]:
    """Open the database; where there is none, a trial looks at an empty one that it drops."""
    from customer_segmentation.services.operation.startup import database_exists

    with ExitStack() as stack:
        if dry_run and not database_exists(settings):
            folder = stack.enter_context(TemporaryDirectory(prefix="dry-run-"))
            settings = settings.model_copy(update={"database_url": f"sqlite:///{folder}/empty.db"})
            dry_run = False
        yield stack.enter_context(open_database(settings, makes=not dry_run))


def _begin(beginning: "Beginning", dry_run: bool, quiet: bool) -> None:
    """Train the first model and store it with the customers; a trial sees that there are enough."""
    if dry_run:
        beginning.check()
        return
    weaknesses: list[str] = []
    try:
        with errors.status("training the first model"):
            version = beginning.store(this_person(), weaknesses.append)
    except (SegmentationError, KeyboardInterrupt):
        warn("Nothing is stored")
        raise
    for weakness in weaknesses:
        warn(f"The first model is active, as there is no other, but: {weakness}")
    if not quiet:
        typer.echo(f"Model version {version} is trained on them and is active")


def _check_options(
    context: typer.Context, files: list[Path], mode: Mode, transactions: Path | None
) -> None:
    """See that every option that is given has an effect, and that none contradicts another."""
    if is_given(context, "write_mapping"):
        refuse_given(context, "is not for --infer, which only looks", *_OF_IMPORTS)
    if len(files) > 1:
        if mode is Mode.REPLACE:
            raise typer.BadParameter("replace takes one file, which has everybody")
        why = "is for one file, and there are several"
        refuse_given(context, why, "rejects", "write_mapping", "query_of")
    if is_given(context, "query_of"):
        refuse_given(context, "is for files, not for --from", *_OF_FILES)
    if context.params["url"] is not None:
        refuse_given(context, "is not for --url: the service has no such table", *_OF_DATABASES)
    if transactions is None:
        refuse_given(context, "is for --transactions", "since", "until")
    if [*files, transactions].count(STANDARD) > 1:
        raise typer.BadParameter("standard input can be read once")


_OF_DATABASES = ("transactions", "since", "until", "query_of")
_OF_FILES = ("file_format", "delimiter", "encoding", "sheet")
_OF_IMPORTS = ("mode", "dry_run", "mapping", "transactions", "since", "until", "rejects", "as_json")


def _add_up(
    file: Path,
    mapping: Path | None,
    since: datetime | None,
    until: datetime | None,
    target: Path,
) -> "tuple[Totals, int]":
    """Return what transactions add up to for each customer, and how many are refused."""
    from customer_segmentation.files.check.rejects import RejectsFile
    from customer_segmentation.files.map.mapping_file import read_rules
    from customer_segmentation.files.read.tables import Reading
    from customer_segmentation.files.transactions.totals import Transactions

    with _database(read_settings(), dry_run=True) as units:
        schema = units.schema
    with opened(file, Reading(), None) as source:
        rules = replace(
            read_rules(mapping, source.columns),
            since=None if since is None else since.date(),
            until=None if until is None else until.date(),
        )
        adding = Transactions(schema, source, rules)
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
            warn(f"{counted(rejected.count, 'transaction')} not counted: see {target}")
        return adding.totals(), rejected.count


@contextmanager
def _stored_told(
    how: "Import", tell: Callable[[int, int], None], begins: bool
) -> Iterator[Callable[[int, int], None]]:
    """Tell, where an import ends before its time, what it has stored."""
    stored = 0

    def tell_stored(position: int, rows: int) -> None:
        nonlocal stored
        stored = rows
        tell(position, rows)

    try:
        yield tell_stored
    except (SegmentationError, KeyboardInterrupt) as end:
        if begins:
            warn("Nothing is stored")
        elif stored and not how.dry_run:
            again = (
                "Fix it and import it whole again"
                if isinstance(end, DataFileError)
                else "Import it again: the result is the same as without this interruption"
            )
            warn(
                f"{how.source}: {counted(stored, 'customer')} stored, the others are as before. "
                f"{again}"
            )
        elif not how.dry_run:
            warn(f"{how.source}: nothing is stored")
        raise


def _warn_of(
    name: str,
    outcome: "Outcome",
    how: "Import",
    meaning: "ColumnMapping",
    rejects: Path,
    beginning: "Beginning | None",
) -> None:
    """Tell what was done with a file's rows otherwise than one might think."""
    from customer_segmentation.files.transactions.totals import DERIVED

    if outcome.rejected:
        warn(f"{counted(outcome.rejected, 'row')} of {name} not taken: see {rejects}")
        if how.mode is Mode.REPLACE and beginning is None:
            warn("So nobody is removed; mend the rows and import again")
    if outcome.refused_transactions:
        warn(
            f"{counted(outcome.refused_transactions, 'customer')} among them, as a transaction of "
            "the customer is refused, so that the totals are not known"
        )
    warn_of_differing(name, outcome.differing)
    if outcome.erased:
        warn(
            f"{counted(outcome.erased, 'row')} of {name} passed over, of customers who were erased"
        )
    for attribute, count in outcome.filled.items():
        default = meaning.entries[attribute].default
        warn(f"{counted(count, 'empty value')} of {attribute} taken as {default}, the default")
    derived = DERIVED if how.totals else ()
    for attribute, entry in meaning.entries.items():
        if entry.column is None and attribute not in derived:
            warn(
                f"No column tells {attribute}: who is new has {entry.default}, the default; who "
                "is there keeps what is stored"
            )
    if outcome.without_transactions:
        warn(
            f"{counted(outcome.without_transactions, 'customer')} without transactions: who is new "
            "has 0, who is there keeps the totals that are stored"
        )


def _tell(outcomes: "dict[str, Outcome]", names: list[str], dry_run: bool, *, quiet: bool) -> None:
    """Tell how many customers of some files were added, changed and so on."""
    would = "would be " if dry_run else ""
    for name in [] if quiet else names:
        outcome = outcomes[name]
        typer.echo(
            f"{name}: {outcome.added:,} {would}added, {outcome.changed:,} {would}changed, "
            f"{outcome.unchanged:,} unchanged, {outcome.removed:,} {would}removed"
        )
