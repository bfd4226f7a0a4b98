"""What the commands share that send what a file tells of customers, row by row."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from customer_segmentation.cli.console.output import ExitCode, conclude, warn
from customer_segmentation.cli.files.outputs import check_outputs
from customer_segmentation.cli.files.tables import opened, progress_of, rejects_target

if TYPE_CHECKING:
    from customer_segmentation.client import Client
    from customer_segmentation.domain.attributes import Id
    from customer_segmentation.files.blocks import Block
    from customer_segmentation.files.customer_rows import Columns, Rows
    from customer_segmentation.files.read.tables import Reading

Json = dict[str, Any]


def send_rows(
    service: "Client",
    file: Path,
    reading: "Reading",
    rejects: Path | None,
    find: "Callable[[Sequence[str], Id], Columns]",
    read: "Callable[[Block, Columns, Id], Rows]",
    send: Callable[[list[Json]], None],
    at_once: int,
) -> int:
    """Send the rows of a file to a service, and write those that cannot be read to a file.

    Args:
        service: which.
        file: of the rows.
        reading: what is said of the file.
        rejects: where rows go that cannot be read; None is beside the file.
        find: finds the columns by their names.
        read: reads the rows of a block.
        send: sends some rows.
        at_once: how many at most.

    Returns:
        how many rows cannot be read.
    """
    from customer_segmentation.files.check.rejects import RejectsFile
    from customer_segmentation.files.schema_file import parse_schema_file

    target = rejects or rejects_target(file)
    check_outputs([target], [file])
    schema, known = parse_schema_file(service.get_schema_text(), "of the service")
    sent = 0
    with (
        opened(file, reading, None, known) as source,
        RejectsFile(target, source.columns) as refused,
        progress_of("Sending", source) as tell,
    ):
        columns = find(source.columns, schema.id)
        for block in source.blocks():
            rows, faults = read(block, columns, schema.id)
            refused.add(block.refuse(faults))
            for start in range(0, len(rows), at_once):
                send(rows[start : start + at_once])
            sent += len(rows)
            tell(block.position, sent)
    if refused.count:
        warn(f"{refused.count:,} rows were not taken: see {target}")
    return refused.count


def conclude_rows(counts: dict[str, int], told: str, as_json: bool) -> None:
    """Tell what came of rows; exit with 7 where one was not taken, or is of nobody.

    Args:
        counts: with `others`, how many are of nobody, and `rejected`, how many were not taken.
        told: the same for people.
        as_json: whether to write JSON.
    """
    conclude(told, as_json, **counts)
    if counts["rejected"] or counts["others"]:
        raise typer.Exit(ExitCode.REJECTED)
