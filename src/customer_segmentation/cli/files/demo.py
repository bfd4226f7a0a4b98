"""The command that makes up a bank."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from customer_segmentation.cli.console.options import AsJson
from customer_segmentation.cli.console.output import (
    conclude,
    errors,
    read_settings,
    require_local,
    warn,
)
from customer_segmentation.cli.files.outputs import (
    STANDARD,
    check_outputs,
    output_format,
    output_target,
)
from customer_segmentation.domain.numbers import LARGEST_INTEGER
from customer_segmentation.domain.plurals import counted


def demo(
    customers: Annotated[int, typer.Argument(help="How many.", min=1, max=LARGEST_INTEGER)],
    to: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="File to write; its ending names the format. - is standard output, as CSV.",
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
    from customer_segmentation.services.transfer.demo import load_bank, write_bank

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(elapsed_when_finished=True),
    )
    if to is None:
        require_local()
    if to == STANDARD and as_json:
        raise typer.BadParameter(
            "is not for --output -: the customers go there", param_hint="--json"
        )
    output_format(to, None)
    check_outputs([to])
    with Progress(*columns, console=errors) as progress:
        task = progress.add_task("drawing customers", total=customers)

        def drawn(done: int, _: int) -> None:
            what = (
                "loading and training" if to is None and done == customers else "drawing customers"
            )
            progress.update(task, completed=done, description=what)

        if to is None:
            with _whole_told():
                load_bank(read_settings(), customers, seed, drawn)
        else:
            write_bank(output_target(to), customers, seed, drawn)
    if to is None:
        done = f"{counted(customers, 'customer')} loaded, and the first model is active"
        conclude(done, as_json, customers=customers)
    elif to != STANDARD:
        size = to.stat().st_size
        done = f"{to}: {counted(customers, 'customer')}, {counted(size, 'byte')}"
        conclude(done, as_json, customers=customers, file=str(to), bytes=size)


@contextmanager
def _whole_told() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        warn("The bank is stored whole or not at all: see customer-segmentation doctor")
        raise
