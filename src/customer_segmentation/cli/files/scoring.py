"""The command that segments the people of a file, or of a table too large for this machine."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from customer_segmentation.cli.console.commands import refuse_given
from customer_segmentation.cli.console.output import ExitCode, errors, open_database, warn
from customer_segmentation.cli.files.outputs import (
    STANDARD,
    OutputFormatOption,
    check_outputs,
    output_format,
    output_target,
)
from customer_segmentation.cli.files.tables import (
    DelimiterOption,
    EncodingOption,
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
from customer_segmentation.cli.models.spark import (
    ConfOption,
    EngineName,
    EngineOption,
    MasterOption,
    TableOption,
    external_table,
    spark_settings,
    tell_refusals,
)
from customer_segmentation.domain.plurals import counted

if TYPE_CHECKING:
    from customer_segmentation.services.runtime.settings import Settings
    from customer_segmentation.services.training.external import ExternalTable


def score(
    context: typer.Context,
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
            help="File; its ending names the format. - is standard output. With spark: a folder "
            "of Parquet, to be made.",
            show_default="standard output",
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
    from customer_segmentation.files.check.rejects import RejectsFile
    from customer_segmentation.files.read.tables import Reading
    from customer_segmentation.files.write.tables import open_writer
    from customer_segmentation.services.transfer.scoring import ScoredTable

    if engine is EngineName.SPARK:
        refuse_given(context, "is not for --engine spark", *_OF_FILES)
        if output is None or output == str(STANDARD):
            raise typer.BadParameter("--output must name the folder to be made")
        external = external_table(file, table, mapping)
        _score_on_spark(spark_settings(master, conf), external, output, explained=explain)
        return
    refuse_given(context, "is for --engine spark", "table", "master", "conf")
    reading = Reading(file_format, delimiter, encoding, sheet)
    path = Path(file)
    if path.is_dir():
        raise typer.BadParameter(f"{path} is a folder", param_hint="FILE")
    written = None if output is None else Path(output)
    form = output_format(written, to)
    target = rejects or rejects_target(path)
    check_outputs([written, target], [path, mapping])
    with (
        open_database() as units,
        opened(path, reading, None, units.current_schema.source) as source,
    ):
        scored = ScoredTable(
            units, source, meaning_of(units.current_schema, source, mapping), explained=explain
        )
        rows = 0
        with (
            open_writer(output_target(written), scored.schema, form) as writer,
            RejectsFile(target, source.columns) as rejected,
            progress_of("scoring", source) as tell,
        ):
            for part in scored.score():
                writer.write(part.batch)
                rejected.add(part.rejects)
                rows += part.batch.num_rows
                tell(part.position, rows)
    errors.print(f"{counted(rows, 'person', 'people')} segmented")
    warn_of_differing(path.name, scored.differing)
    for attribute, count in scored.filled.items():
        warn(f"{counted(count, 'empty value')} of {attribute} taken as the mapping's default")
    if rejected.count:
        warn(f"{counted(rejected.count, 'row')} not segmented: see {target}")
        raise typer.Exit(ExitCode.REJECTED)


_OF_FILES = ("to", "file_format", "delimiter", "encoding", "sheet", "rejects")


def _score_on_spark(
    settings: "Settings", external: "ExternalTable", output: str, *, explained: bool
) -> None:
    from customer_segmentation.services.training.external import score_external

    with open_database(settings) as units:
        model = units.require_model().model
        written = score_external(
            settings, units.schema, model, external, output, explained=explained
        )
    errors.print(f"{counted(written.people, 'person', 'people')} segmented")
    tell_refusals(written.refusals)
    if written.refusals:
        raise typer.Exit(ExitCode.REJECTED)
