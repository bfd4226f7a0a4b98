"""The command that segments the people of a file, or of a table too large for this machine."""

from pathlib import Path
from typing import Annotated

import typer

from customer_segmentation.cli.console import ExitCode, errors, errors_told, open_database
from customer_segmentation.cli.spark import (
    ConfOption,
    EngineName,
    EngineOption,
    MasterOption,
    TableOption,
    external_table,
    refuse_with_spark,
    require_spark,
    spark_settings,
    tell_refusals,
)
from customer_segmentation.cli.tables import (
    DelimiterOption,
    EncodingOption,
    FormatOption,
    MappingOption,
    OutputFormatOption,
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
from customer_segmentation.services.external import ExternalTable, score_external
from customer_segmentation.services.scoring import ScoredTable
from customer_segmentation.services.settings import Settings


def score(
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE",
            help="As for import; - is standard input. With spark: Parquet, such as "
            "s3a://bank/people/*.parquet, or a JDBC URL.",
        ),
    ],
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            help="File; its ending names the format (standard output). With spark: a folder of "
            "Parquet, to be made.",
        ),
    ] = None,
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
    engine: EngineOption = EngineName.LOCAL,
    table: TableOption = None,
    master: MasterOption = None,
    conf: ConfOption = None,
) -> None:
    """Segment the people of a file; nothing is stored. Exits with 7 where a row was not taken.

    Example: customer-segmentation score prospects.parquet -o segments.parquet --explain
    """
    require_spark(engine, {"--table": table, "--spark-master": master, "--spark-conf": conf})
    of_files: dict[str, object] = {"--to": to, "--format": file_format, "--delimiter": delimiter}
    of_files |= {"--encoding": encoding, "--sheet": sheet, "--rejects": rejects}
    refuse_with_spark(engine, of_files)
    if engine is EngineName.SPARK:
        if output is None:
            raise typer.BadParameter("--output must name the folder to be made")
        with errors_told():
            external = external_table(file, table, mapping)
        _score_on_spark(spark_settings(master, conf), external, output, explained=explain)
        return
    reading = Reading(file_format, delimiter, encoding, sheet)
    path = Path(file)
    written = None if output is None else Path(output)
    target = rejects or rejects_path(path, None)
    with errors_told(), opened(path, reading, None) as source, open_database() as units:
        scored = ScoredTable(units, source, meaning_of(source, mapping), explained=explain)
        rows = 0
        with (
            open_writer(
                output_target(written), scored.schema, output_format(written, to)
            ) as writer,
            RejectsFile(target, source.columns) as rejected,
            progress_of("scoring", source) as tell,
        ):
            for part in scored.score():
                writer.write(part.batch)
                rejected.add(part.rejects)
                rows += part.batch.num_rows
                tell(part.position, rows)
    errors.print(f"{rows:,} people segmented")
    if rejected.count:
        errors.print(f"{rejected.count:,} rows are not: see {target}", style="yellow")
        raise typer.Exit(ExitCode.REJECTED)


def _score_on_spark(
    settings: Settings, external: ExternalTable, output: str, *, explained: bool
) -> None:
    with open_database(settings) as units:
        model = units.require_model().model
        written = score_external(settings, model, external, output, explained=explained)
    errors.print(f"{written.people:,} people segmented")
    tell_refusals(written.refusals)
    if written.refusals:
        raise typer.Exit(ExitCode.REJECTED)
