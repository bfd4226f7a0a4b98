"""The command that segments the people of a file."""

from typing import Annotated

import typer

from customer_segmentation.cli.console import ExitCode, errors, errors_told, open_database
from customer_segmentation.cli.tables import (
    DelimiterOption,
    EncodingOption,
    FileArgument,
    FormatOption,
    MappingOption,
    OutputFormatOption,
    OutputOption,
    RejectsOption,
    SheetOption,
    meaning_of,
    opened,
    output_format,
    output_target,
    progress_of,
    rejects_path,
)
from customer_segmentation.files.reading import Reading
from customer_segmentation.files.rejects import RejectsFile
from customer_segmentation.files.writing import open_writer
from customer_segmentation.services.scoring import ScoredTable


def score(
    file: FileArgument,
    output: OutputOption = None,
    to: OutputFormatOption = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Tell distances and what decided too.")
    ] = False,
    mapping: MappingOption = None,
    file_format: FormatOption = None,
    delimiter: DelimiterOption = None,
    encoding: EncodingOption = None,
    sheet: SheetOption = None,
    rejects: RejectsOption = None,
) -> None:
    """Segment the people of a file; nothing is stored. Exits with 7 where a row was not taken.

    Example: customer-segmentation score prospects.parquet -o segments.parquet --explain
    """
    reading = Reading(file_format, delimiter, encoding, sheet)
    target = rejects or rejects_path(file, None)
    with errors_told(), opened(file, reading, None) as source, open_database() as units:
        table = ScoredTable(units, source, meaning_of(source, mapping), explained=explain)
        rows = 0
        with (
            open_writer(output_target(output), table.schema, output_format(output, to)) as writer,
            RejectsFile(target, source.columns) as rejected,
            progress_of("scoring", source) as tell,
        ):
            for part in table.score():
                writer.write(part.batch)
                rejected.add(part.rejects)
                rows += part.batch.num_rows
                tell(part.position, rows)
    errors.print(f"{rows:,} people segmented")
    if rejected.count:
        errors.print(f"{rejected.count:,} rows are not: see {target}", style="yellow")
        raise typer.Exit(ExitCode.REJECTED)
