"""Commands on transactions: import, list, delete, begin a day."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from customer_segmentation.cli.console.commands import is_given
from customer_segmentation.cli.console.options import AsJson, Key, Url
from customer_segmentation.cli.console.output import ExitCode, print_json, print_table, say, warn
from customer_segmentation.cli.console.service import open_service
from customer_segmentation.cli.files.outputs import check_outputs
from customer_segmentation.cli.files.tables import (
    DelimiterOption,
    EncodingOption,
    FormatOption,
    RejectsOption,
    SheetOption,
    opened,
    progress_of,
    rejects_target,
)

if TYPE_CHECKING:
    from customer_segmentation.client import Client
    from customer_segmentation.domain.schema import Schema
    from customer_segmentation.files.blocks import Block, Reject
    from customer_segmentation.files.map.record_rules import RecordRules

transactions = typer.Typer(
    no_args_is_help=True, help="Take in, list and delete transactions, and begin a day."
)

Json = dict[str, Any]

_OF_COLUMNS = ("column", "date_form", "decimal")
_AT_ONCE = 10_000
"""Transactions of one request."""


def _columns(texts: list[str]) -> dict[str, str]:
    pairs = [text.partition("=") for text in texts]
    if any(not field or not mark or not column for field, mark, column in pairs):
        raise typer.BadParameter("must be FIELD=COLUMN, such as time=Day", param_hint="--column")
    return {field: column for field, _, column in pairs}


@transactions.command("import")
def import_transactions(
    context: typer.Context,
    file: Annotated[
        Path,
        typer.Argument(
            help="CSV, Parquet, Arrow, NDJSON or Excel; gzip and zstd are unpacked.", dir_okay=False
        ),
    ],
    column: Annotated[
        list[str] | None,
        typer.Option(
            help="Which column holds which field, as FIELD=COLUMN; else their names tell."
        ),
    ] = None,
    date_form: Annotated[
        str | None, typer.Option(help="Of dates as texts, such as %d.%m.%Y; else ISO 8601.")
    ] = None,
    decimal: Annotated[str, typer.Option(help="Decimal sign of amounts, a point or comma.")] = ".",
    file_format: FormatOption = None,
    delimiter: DelimiterOption = None,
    encoding: EncodingOption = None,
    sheet: SheetOption = None,
    rejects: RejectsOption = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Take in the transactions of a file; their customers' attributes follow.

    Run again it changes nothing, also after it was cut off. Without a column of ids, a row's id is
    the file's name and its line. Exits with 7 where a row was not taken.

    Example: customer-segmentation transactions import sales.csv --column time=Day
    """
    from customer_segmentation.files.check.rejects import RejectsFile
    from customer_segmentation.files.map.number_texts import NumberStyle
    from customer_segmentation.files.map.record_rules import RecordRules
    from customer_segmentation.files.read.tables import Reading
    from customer_segmentation.files.schema_file import parse_schema_file
    from customer_segmentation.files.transactions.records import find_columns

    if decimal not in {".", ","}:
        raise typer.BadParameter("must be a point or a comma", param_hint="--decimal")
    named = _columns(column or [])
    target = rejects or rejects_target(file)
    check_outputs([target], [file])
    counts = dict.fromkeys(("stored", "repeated", "kept", "failed"), 0)
    with open_service(url, key) as service:
        schema, known = parse_schema_file(service.get_schema_text(), "of the service")
        reading = Reading(file_format, delimiter, encoding, sheet)
        with (
            opened(file, reading, None, known) as source,
            RejectsFile(target, source.columns) as refused,
        ):
            rules = known.records
            is_like = rules is not None and {*rules.columns.values()} <= {*source.columns}
            if rules is None or not is_like or any(is_given(context, name) for name in _OF_COLUMNS):
                columns = find_columns(source.columns, schema, named)
                rules = RecordRules(columns, date_form, NumberStyle(decimal))
            rules = rules.of_file(file.name)
            with progress_of("Taking in", source) as tell:
                for block in source.blocks():
                    refused.add(_take(service, block, rules, schema, counts))
                    tell(block.position, sum(counts.values()))
    counts["failed"] = refused.count
    if as_json:
        print_json(counts | {"rejects": str(target) if refused.count else None})
    else:
        say(", ".join(f"{count:,} {what}" for what, count in counts.items()))
    if refused.count:
        warn(f"{refused.count:,} rows were not taken: see {target}")
        raise typer.Exit(ExitCode.REJECTED)


def _take(
    service: "Client",
    block: "Block",
    rules: "RecordRules",
    schema: "Schema",
    counts: dict[str, int],
) -> "list[Reject]":
    """Take in the transactions of a block; return the rows that are refused."""
    from customer_segmentation.files.transactions.records import read_records

    records: Iterator[Json] = read_records(block, rules, schema)
    faults: dict[int, tuple[str, str]] = {}
    row = 0
    while piece := list(islice(records, _AT_ONCE)):
        told = service.take_transactions(piece)
        for what in ("stored", "repeated", "kept"):
            counts[what] += told[what]
        for outcome in told["outcomes"]:
            if "problem" in outcome:
                problem = outcome["problem"]
                (first, *_) = problem.get("errors") or [{"field": "", "message": problem["detail"]}]
                column = rules.columns.get(first["field"], "")
                faults[row + outcome["row"]] = (column, first["message"])
        row += len(piece)
    return block.refuse(faults)


@transactions.command("list")
def list_transactions(
    customer_id: Annotated[str, typer.Argument(help="The customer's id.")],
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many at most.")] = 100,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """List a customer's transactions, the newest first.

    Example: customer-segmentation transactions list 56
    """
    with open_service(url, key) as service:
        found = service.list_transactions(customer_id, limit=limit)
    if as_json:
        print_json(found)
        return
    rows = [
        tuple("" if value is None else str(value) for value in one.values())
        for one in found["transactions"]
    ]
    names = tuple(found["transactions"][0]) if rows else ("transaction_id", "time", "amount")
    print_table(names, rows)


@transactions.command("delete")
def delete_transaction(
    transaction_id: Annotated[str, typer.Argument(help="The transaction's id.")],
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Take a transaction back; its customer's attributes and segment follow.

    Example: customer-segmentation transactions delete T-1001
    """
    with open_service(url, key) as service:
        customer = service.delete_transaction(transaction_id)
    if as_json:
        print_json(customer)
        return
    say(f"Transaction {transaction_id} deleted")


@transactions.command("begin-day")
def begin_day(url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Let attributes that change with time hold for today.

    The service does it by itself once a day. Run again it goes on with a pass that was cut off.

    Example: customer-segmentation transactions begin-day
    """
    with open_service(url, key) as service:
        found = service.begin_day()
    if as_json:
        print_json(found)
        return
    what = "has begun" if found["has_begun"] else "holds already"
    written = "every customer is written" if found["is_written"] else "customers are being written"
    say(f"{found['day']} {what}; {written}")
