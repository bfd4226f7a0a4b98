"""What the commands on files share: options, opening, meaning, progress."""

import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from customer_segmentation.cli.console.output import errors, visible, warn
from customer_segmentation.cli.files.outputs import STANDARD
from customer_segmentation.domain.errors import DataFileError
from customer_segmentation.files.formats import Format

if TYPE_CHECKING:
    from customer_segmentation.files.map.mapping import ColumnMapping
    from customer_segmentation.files.read.tables import Reading, Source
    from customer_segmentation.files.table_source import TableSource
    from customer_segmentation.services.runtime.current_schema import CurrentSchema

FilesArgument = Annotated[
    list[Path],
    typer.Argument(
        metavar="FILE…",
        help="CSV, Parquet, Arrow, NDJSON or Excel; gzip "
        "and zstd are unpacked; - is standard input.",
        dir_okay=False,
    ),
]
MappingOption = Annotated[
    Path | None,
    typer.Option(help="What the columns mean, as import --infer writes it.", dir_okay=False),
]
FormatOption = Annotated[Format | None, typer.Option(help="Of the file (found out).")]


def _one_character(text: str | None) -> str | None:
    if text is not None and (len(text) != 1 or not text.isascii() or text in '"\r\n'):
        raise typer.BadParameter(
            "must be one character of ASCII, and neither a quote nor a line's end"
        )
    return text


DelimiterOption = Annotated[
    str | None, typer.Option(help="Between CSV fields (found out).", callback=_one_character)
]
EncodingOption = Annotated[str | None, typer.Option(help="Of text, such as latin-1 (found out).")]
SheetOption = Annotated[str | None, typer.Option(help="Of an Excel file (the first).")]
RejectsOption = Annotated[
    Path | None,
    typer.Option(
        help="File for the rows that are not taken (NAME.rejects.csv beside it).", dir_okay=False
    ),
]


@contextmanager
def opened(
    file: Path, reading: "Reading", url: str | None, known: "TableSource | None" = None
) -> Iterator["Source"]:
    """Open a file, standard input, or a query on a database; tell of a guessed encoding.

    Args:
        file: the file, or that with the query.
        reading: what is said of it.
        url: of the database.
        known: how the table is read that the schema was made from.
    """
    from customer_segmentation.files.read.tables import Query, open_table

    if url is not None:
        with open_table(Query(url, str(file))) as source:
            yield source
    else:
        reading = reading if known is None else known.known(reading)
        with open_table(sys.stdin.buffer if file == STANDARD else file, reading) as source:
            if source.guessed_encoding is not None:
                warn(
                    f"The text of {source.name} is taken for {source.guessed_encoding}, which is a "
                    "guess: name another with --encoding where letters are wrong"
                )
            yield source


def meaning_of(
    current: "CurrentSchema", source: "Source", path: Path | None, elsewhere: Collection[str] = ()
) -> "ColumnMapping":
    """Return what a table's columns mean: as a file says, or as a person confirms.

    Args:
        current: the schema of the customers.
        source: the table.
        path: of the file.
        elsewhere: attributes that come from elsewhere.

    Raises:
        DataFileError: nobody is there to confirm a guess.
        MappingError: the file is not as it must be.
    """
    from customer_segmentation.files.map.inference import Confidence, Guess, infer, mapping_of
    from customer_segmentation.files.map.mapping import Entry
    from customer_segmentation.files.map.mapping_file import read_mapping
    from customer_segmentation.files.table_source import find_mapping

    schema = current.schema
    if path is not None:
        return read_mapping(schema, path, elsewhere)
    others = dict.fromkeys(elsewhere, Entry(None, default=0))
    known = find_mapping(schema, source.columns, current.source, others)
    if known is not None:
        return known
    guesses = infer(schema, source.columns, source.sample()) | {
        name: Guess(Confidence.CERTAIN, entry) for name, entry in others.items()
    }
    for name, guess in guesses.items():
        column = guess.entry.column if guess.entry else None
        errors.print(visible(f"{name}: {column or '?'} ({guess.confidence})"), markup=False)
    if any(not guess.is_complete for guess in guesses.values()):
        raise DataFileError(
            f"{source.name} lacks attributes, or its numbers can be read in two ways. Write a "
            "mapping with customer-segmentation import --infer FILE > mapping.toml, complete it, "
            "and give it with --mapping mapping.toml"
        )
    if not sys.stdin.isatty() or not typer.confirm("Is this what the columns mean?", err=True):
        raise DataFileError(
            f"What the columns of {source.name} mean is a guess. Write it with "
            "customer-segmentation import --infer FILE > mapping.toml, look at it, and give it "
            "with --mapping mapping.toml"
        )
    return mapping_of(guesses)


def warn_of_differing(name: str, attributes: list[str]) -> None:
    """Tell where customers are unlike those that the model was trained on."""
    if attributes:
        warn(
            f"{name} is unlike what the active model was trained on: {', '.join(attributes)}. Its "
            "segments may say little of these customers; train on them, or see drift"
        )


@contextmanager
def progress_of(what: str, source: "Source") -> Iterator[Callable[[int, int], None]]:
    """Show how far a table has been read, at which rate, and how long it takes still."""
    columns = (
        TextColumn(what),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[rows]:,} rows"),
        TextColumn("{task.fields[rate]:,.0f}/s"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=errors, transient=True) as bar:
        task = bar.add_task(what, total=source.total, rows=0, rate=0.0)

        def tell(position: int, rows: int) -> None:
            elapsed = bar.tasks[0].elapsed or 0.0
            rate = rows / elapsed if elapsed else 0.0
            bar.update(task, completed=position, rows=rows, rate=rate)

        yield tell


def rejects_target(file: Path, url: str | None = None) -> Path:
    """Return where the rejects of a file, of standard input or of a query go unless told."""
    from customer_segmentation.files.check.rejects import rejects_path

    if url is not None:
        return rejects_path(None, "query")
    return rejects_path(None, "standard-input") if file == STANDARD else rejects_path(file)
