"""The command that makes up a bank."""

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from customer_segmentation.cli.console import (
    conclude,
    errors,
    errors_told,
    read_settings,
    require_local,
)
from customer_segmentation.cli.options import AsJson
from customer_segmentation.domain.features import LARGEST_INTEGER
from customer_segmentation.services.demo import load_bank, write_bank


def demo(
    customers: Annotated[int, typer.Argument(help="How many.", min=1, max=LARGEST_INTEGER)],
    to: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="File to write, .csv or .parquet.",
            dir_okay=False,
            show_default="the database, which must be empty",
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option(help="Another seed makes another bank.", min=0, max=2**63 - 1)
    ] = 2026,
    as_json: AsJson = False,
) -> None:
    """Make up a bank of any size: to a file, or into an empty database with its first model.

    The same seed makes the same customers each time, and a smaller bank is the beginning of a
    bigger one.

    Example: customer-segmentation demo 1000000 -o customers.parquet
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(elapsed_when_finished=True),
    )
    if to is None:
        require_local()
    with errors_told(), Progress(*columns, console=errors) as progress:
        task = progress.add_task("drawing customers", total=customers)

        def drawn(done: int, _: int) -> None:
            what = (
                "loading and training" if to is None and done == customers else "drawing customers"
            )
            progress.update(task, completed=done, description=what)

        if to is None:
            load_bank(read_settings(), customers, seed, drawn)
        else:
            write_bank(to, customers, seed, drawn)
    if to is None:
        done = f"{customers:,} customers are loaded, and the first model serves"
        conclude(done, as_json, customers=customers)
    else:
        size = to.stat().st_size
        done = f"{to}: {customers:,} customers, {size:,} bytes"
        conclude(done, as_json, customers=customers, file=str(to), bytes=size)
