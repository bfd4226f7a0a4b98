"""The command that writes customers to files."""

from math import isfinite
from typing import Annotated

import typer

from customer_segmentation.cli.console import errors, errors_told, open_database
from customer_segmentation.cli.tables import (
    OutputFormatOption,
    OutputOption,
    output_format,
    output_target,
)
from customer_segmentation.domain.control_groups import ControlGroup
from customer_segmentation.domain.features import (
    FEATURE_BY_NAME,
    FEATURE_NAMES,
    Number,
)
from customer_segmentation.domain.paging import Selection
from customer_segmentation.files.writing import open_writer
from customer_segmentation.services.exporting import Export, export_customers


def export(
    output: OutputOption = None,
    to: OutputFormatOption = None,
    segment: Annotated[int | None, typer.Option(help="Only customers of this segment.")] = None,
    least: Annotated[
        list[str] | None,
        typer.Option("--min", metavar="NAME=NUMBER", help="Only from this value on; repeatable."),
    ] = None,
    most: Annotated[
        list[str] | None,
        typer.Option("--max", metavar="NAME=NUMBER", help="Only up to this value; repeatable."),
    ] = None,
    holdout: Annotated[
        float | None,
        typer.Option(help="Percent of the customers to hold out of a campaign.", min=0, max=100),
    ] = None,
    split: Annotated[
        str, typer.Option(help="Name of the campaign, which draws who is held out.")
    ] = "",
    audience_salt: Annotated[
        str | None,
        typer.Option(
            help="Write an audience file: hashed ids only, without who is held out.",
            envvar="CUSTOMER_SEGMENTATION_AUDIENCE_SALT",
        ),
    ] = None,
) -> None:
    """Write customers with segment, confidence and strategy to a file or standard output.

    Example: customer-segmentation export --segment 2 --holdout 10 --split spring -o spring.csv
    """
    selection = Selection(segment=segment, least=_bounds(least), most=_bounds(most))
    with errors_told():
        control = None if holdout is None else ControlGroup(split, holdout)
        form = output_format(output, to)
        wanted = Export(selection, control, audience_salt)
    rows = 0
    with open_database() as units:
        batches = export_customers(units, wanted)
        with open_writer(output_target(output), wanted.schema, form) as writer:
            for batch in batches:
                writer.write(batch)
                rows += batch.num_rows
    errors.print(f"{rows:,} customers written")


def _bounds(given: list[str] | None) -> dict[str, Number]:
    """Read bounds such as age=18."""
    bounds: dict[str, Number] = {}
    for text in given or []:
        name, _, number = text.partition("=")
        if name not in FEATURE_BY_NAME:
            raise typer.BadParameter(
                f"{name} is no attribute; there are {', '.join(FEATURE_NAMES)}"
            )
        try:
            bounds[name] = FEATURE_BY_NAME[name].read(number)
            if not isfinite(bounds[name]):
                raise ValueError
        except ValueError as unreadable:
            raise typer.BadParameter(f"{name} must be compared with a number") from unreadable
    return bounds
