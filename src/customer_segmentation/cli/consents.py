"""Commands on consents: show, set, import; and all that is kept about a customer."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from customer_segmentation.cli.console.options import AsJson, By, Key, Url
from customer_segmentation.cli.console.output import (
    moment,
    print_json,
    print_table,
    this_person,
)
from customer_segmentation.cli.console.service import Json, open_service
from customer_segmentation.cli.files.customer_rows import conclude_rows, send_rows
from customer_segmentation.cli.files.outputs import check_outputs, open_output
from customer_segmentation.cli.files.tables import (
    DelimiterOption,
    EncodingOption,
    FormatOption,
    RejectsOption,
    SheetOption,
)
from customer_segmentation.domain.consents import ConsentState

consents = typer.Typer(
    no_args_is_help=True, help="Keep what customers have agreed to, and show what is kept of one."
)

_AT_ONCE = 5_000
_Customer = Annotated[str, typer.Argument(help="The customer's id.")]


@consents.command("show")
def show_consents(
    customer_id: _Customer, url: Url = None, key: Key = None, as_json: AsJson = False
) -> None:
    """Show what a customer has agreed to.

    Example: customer-segmentation consents show 56
    """
    with open_service(url, key) as service:
        found = service.get_consents(customer_id)
    if as_json:
        print_json(found)
        return
    _show(found)


@consents.command("set")
def set_consent(
    customer_id: _Customer,
    purpose: Annotated[str, typer.Argument(help="For what, such as marketing.")],
    channel: Annotated[str, typer.Argument(help="On which channel, such as e-mail.")],
    state: Annotated[ConsentState, typer.Argument(help="What was said.")],
    source: Annotated[str, typer.Option(help="Where that comes from, such as a web form.")] = "",
    at: Annotated[
        datetime | None, typer.Option(help="When it was said, in UTC.", show_default="now")
    ] = None,
    by: By = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Keep what a customer has said; what it said later before stays.

    Example: customer-segmentation consents set 56 marketing e-mail granted --source "web form"
    """
    said: Json = {"purpose": purpose, "channel": channel, "state": str(state), "source": source}
    if at is not None:
        said["at"] = at.replace(tzinfo=UTC).isoformat()
    who = this_person() if by is None else by
    with open_service(url, key) as service:
        found = service.set_consents(customer_id, [said], who)
    if as_json:
        print_json(found)
        return
    _show(found)


def _show(found: Json) -> None:
    rows = [
        (one["purpose"], one["channel"], one["state"], one["source"], moment(one["at"]))
        for one in found["consents"]
    ]
    print_table(("purpose", "channel", "state", "source", "at"), rows)


@consents.command("import")
def import_consents(
    file: Annotated[
        Path,
        typer.Argument(
            help="CSV, Parquet, Arrow, NDJSON or Excel with columns of ids, `purpose`, `channel`, "
            "`state` and, if known, `source` and `at`.",
            dir_okay=False,
        ),
    ],
    file_format: FormatOption = None,
    delimiter: DelimiterOption = None,
    encoding: EncodingOption = None,
    sheet: SheetOption = None,
    rejects: RejectsOption = None,
    by: By = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Keep what the customers of a file have said.

    Run again it changes nothing. Exits with 7 where a row was not taken, or is of nobody.

    Example: customer-segmentation consents import consents.csv
    """
    from customer_segmentation.files.customer_rows import find_consent_columns, read_consents
    from customer_segmentation.files.read.tables import Reading

    who = this_person() if by is None else by
    counts = {"kept": 0, "others": 0}
    reading = Reading(file_format, delimiter, encoding, sheet)
    with open_service(url, key) as service:

        def send(rows: list[Json]) -> None:
            told = service.set_many_consents(rows, who)
            for what in counts:
                counts[what] += told[what]

        rejected = send_rows(
            service, file, reading, rejects, find_consent_columns, read_consents, send, _AT_ONCE
        )
    kept, others = (f"{count:,}" for count in counts.values())
    told = f"{kept} kept, {others} customers not there, {rejected:,} rejected"
    conclude_rows({**counts, "rejected": rejected}, told, as_json)


@consents.command("dossier")
def make_dossier(
    customer_id: _Customer,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File; standard output unless given.")
    ] = None,
    page: Annotated[
        bool, typer.Option("--html", help="Write a page to be read, not JSON.")
    ] = False,
    url: Url = None,
    key: Key = None,
) -> None:
    """Write all that is kept about a customer, for who asks what that is.

    Example: customer-segmentation consents dossier 56 --html -o customer-56.html
    """
    check_outputs([output])
    with open_service(url, key) as service:
        text = (
            service.get_dossier_page(customer_id)
            if page
            else json.dumps(service.get_dossier(customer_id), indent=2, ensure_ascii=False)
        )
    with open_output(output) as file:
        file.write(text.encode())
        file.write(b"\n")
