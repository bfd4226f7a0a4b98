"""What the commands that write share: where to, in which format, and in the place of what."""

import sys
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from customer_segmentation.cli.console.output import read_settings
from customer_segmentation.files.formats import Format, format_named, format_of

STANDARD = Path("-")
"""Standard input, or standard output."""

OutputOption = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        help="File; its ending names the format. - is standard output.",
        dir_okay=False,
        show_default="standard output",
    ),
]
OutputFormatOption = Annotated[
    Format | None, typer.Option("--to", help="Format of the output (by its name, else csv).")
]


def output_format(output: Path | None, form: Format | None) -> Format:
    """Return the format to write.

    Raises:
        InvalidInputError: the output's name ends in none that is known.
    """
    if output is None or output == STANDARD:
        return form or Format.CSV
    named = format_named(output)
    if form is not None and named not in {None, form}:
        raise typer.BadParameter(f"--to {form} and {output} name two formats: give one")
    return form or format_of(output)


def output_target(output: Path | None) -> Path | BinaryIO:
    """Return the file to write, or standard output."""
    return sys.stdout.buffer if output is None or output == STANDARD else output


def open_output(output: Path | None) -> AbstractContextManager[BinaryIO]:
    """Open the file to write, which is there whole or not at all, or standard output."""
    from customer_segmentation.files.write.atomic import whole_file

    target = output_target(output)
    return whole_file(target) if isinstance(target, Path) else nullcontext(target)


def check_outputs(outputs: Iterable[Path | None], inputs: Iterable[Path | None] = ()) -> None:
    """See that no output takes the place of an input, of another one or of the service's files.

    Raises:
        InvalidInputError: one would.
    """
    from customer_segmentation.files.write.atomic import keep_apart
    from customer_segmentation.services.operation.maintenance import files_of_service

    read = [*inputs, *files_of_service(read_settings())]
    keep_apart(
        *(
            [path for path in paths if path is not None and path != STANDARD]
            for paths in (outputs, read)
        )
    )
