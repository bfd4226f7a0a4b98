"""What the commands on files share: options, opening, meaning, progress."""

import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, BinaryIO

import typer
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from customer_segmentation.cli.console import errors
from customer_segmentation.domain.errors import DataFileError
from customer_segmentation.files.formats import Format, format_of
from customer_segmentation.files.inference import Guess, Sureness, infer, mapping_of
from customer_segmentation.files.mapping import ColumnMapping, Entry
from customer_segmentation.files.mapping_file import read_mapping
from customer_segmentation.files.reading import Query, Reading, Source, open_table

FilesArgument = Annotated[
    list[Path],
    typer.Argument(
        metavar="FILE…",
        help="CSV, Parquet, Arrow, NDJSON or Excel; gzip "
        "and zstd are unpacked; - is standard input.",
    ),
]
MappingOption = Annotated[
    Path | None,
    typer.Option(help="What the columns mean, as import --infer writes it.", dir_okay=False),
]
FormatOption = Annotated[Format | None, typer.Option(help="Of the file (found out).")]


def _one_character(text: str | None) -> str | None:
    if text is not None and (len(text) != 1 or text in '"\r\n'):
        raise typer.BadParameter("must be one character, and neither a quote nor a line's end")
    return text


DelimiterOption = Annotated[
    str | None, typer.Option(help="Between CSV fields (found out).", callback=_one_character)
]
EncodingOption = Annotated[str | None, typer.Option(help="Of text, such as latin-1 (found out).")]
SheetOption = Annotated[str | None, typer.Option(help="Of an Excel file (the first).")]
RejectsOption = Annotated[
    Path | None,
    typer.Option(help="File for the rows that are not taken (NAME.rejects.csv).", dir_okay=False),
]
OutputOption = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="File; its ending names the format (standard output)."),
]
OutputFormatOption = Annotated[
    Format | None, typer.Option("--to", help="Format of the output (by its name, else csv).")
]
STANDARD = Path("-")


@contextmanager
def opened(file: Path, reading: Reading, url: str | None) -> Iterator[Source]:
    if url is not None:
        with open_table(Query(url, str(file))) as source:
            yield source
    else:
        with open_table(sys.stdin.buffer if file == STANDARD else file, reading) as source:
            yield source


def meaning_of(source: Source, path: Path | None, elsewhere: Collection[str] = ()) -> ColumnMapping:
    """Return what a table's columns mean: as a file says, or as a person confirms.

    Args:
        source: the table.
        path: of the file.
        elsewhere: attributes that come from elsewhere.

    Raises:
        DataFileError: nobody is there to confirm a guess.
        MappingError: the file is not as it must be.
    """
    if path is not None:
        return read_mapping(path, elsewhere)
    others = dict.fromkeys(elsewhere, Entry(None, default=0))
    for known in (ColumnMapping.by_record_names(), ColumnMapping.by_request_names()):
        entries = {**known.entries, **others}
        if all(e.column is None or e.column in source.columns for e in entries.values()):
            return ColumnMapping(entries)
    guesses = infer(source.columns, source.sample()) | {
        name: Guess(Sureness.CERTAIN, entry) for name, entry in others.items()
    }
    for name, guess in guesses.items():
        column = guess.entry.column if guess.entry else None
        errors.print(f"{name}: {column or '?'} ({guess.sureness})", markup=False)
    if any(guess.sureness is Sureness.MISSING for guess in guesses.values()):
        raise DataFileError(
            f"{source.name} lacks attributes. Write a mapping with "
            "customer-segmentation import --infer FILE > mapping.toml, complete it, and give it "
            "with --mapping mapping.toml"
        )
    if not sys.stdin.isatty() or not typer.confirm("Is this what the columns mean?", err=True):
        raise DataFileError(
            f"What the columns of {source.name} mean is a guess. Write it with "
            "customer-segmentation import --infer FILE > mapping.toml, look at it, and give it "
            "with --mapping mapping.toml"
        )
    return mapping_of(guesses)


@contextmanager
def progress_of(what: str, source: Source) -> Iterator[Callable[[int, int], None]]:
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


def rejects_path(file: Path, url: str | None) -> Path:
    """Return where rejects go: into the working directory, under the name of what they are of."""
    name = "query" if url is not None else file.name.split(".")[0]
    return Path(f"{'standard-input' if name == str(STANDARD) else name}.rejects.csv")


def output_format(output: Path | None, form: Format | None) -> Format:
    if form is not None:
        return form
    return Format.CSV if output is None else format_of(output)


def output_target(output: Path | None) -> Path | BinaryIO:
    return sys.stdout.buffer if output is None else output
