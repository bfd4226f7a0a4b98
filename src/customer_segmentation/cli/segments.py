"""Commands on segments: list, sizes, show, edit, transitions."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from customer_segmentation.cli.console.options import AsJson, By, Key, Url
from customer_segmentation.cli.console.output import (
    amount,
    percent,
    print_json,
    print_table,
    say,
    this_person,
)
from customer_segmentation.cli.console.service import Json, open_service
from customer_segmentation.domain.attributes import NOT_KNOWN
from customer_segmentation.domain.errors import SegmentNotFoundError
from customer_segmentation.domain.numbers import readable
from customer_segmentation.domain.paging import LARGEST_VERSION
from customer_segmentation.domain.plurals import counted
from customer_segmentation.domain.segments import ANY_CHANNEL, NO_STRATEGY

if TYPE_CHECKING:
    from customer_segmentation.client import Client

segments = typer.Typer(
    no_args_is_help=True, help="Look at the segments, change their words, see who moved."
)

_FIGURES = ("mean", "trimmed_mean", "lower_quartile", "median", "upper_quartile")

_Number = Annotated[int, typer.Argument(help="The segment's number.", min=0)]


def _within(longest: int, least: int = 1) -> Callable[[str | None], str | None]:
    def check(text: str | None) -> str | None:
        if text is not None and not least <= len(text) <= longest:
            raise typer.BadParameter(f"must have {least} to {longest} characters")
        return text

    return check


def _strategies(texts: list[str] | None) -> list[str] | None:
    for text in texts or ():
        words, at, _ = text.rpartition("@")
        _within(500)(words if at else text)
    return texts


def _strategy(text: str) -> Json:
    words, at, channel = text.rpartition("@")
    return {"text": words, "channel": channel} if at else {"text": text, "channel": ANY_CHANNEL}


@segments.command("list")
def list_segments(url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """List the segments of the active model, and how many customers each has.

    Example: customer-segmentation segments list
    """
    with open_service(url, key) as service:
        found = service.list_segments()
    if as_json:
        print_json(found)
        return
    rows = [
        (
            str(segment["number"]),
            segment["name"],
            amount(segment["size"]),
            percent(segment["share"]),
            next((s["text"] for s in segment["strategies"]), NO_STRATEGY),
        )
        for segment in found["segments"]
    ]
    print_table(("segment", "name", "customers", "share", "business strategy"), rows)


@segments.command("sizes")
def list_sizes(
    weeks: Annotated[int, typer.Option(help="How many weeks back.", min=1, max=104)] = 12,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """List how many customers each segment had before each of the last weeks, and has now.

    Example: customer-segmentation segments sizes --weeks 4
    """
    with open_service(url, key) as service:
        found = service.get_segment_sizes(weeks)
    if as_json:
        print_json(found)
        return
    numbers = sorted({int(number) for one in found["sizes"] for number in one["customers"]})
    rows = [
        (one["at"][:10], *(amount(one["customers"][str(number)]) for number in numbers))
        for one in found["sizes"]
    ]
    print_table(("date", *(f"segment {number}" for number in numbers)), rows)


@segments.command("show")
def show_segment(
    number: _Number, url: Url = None, key: Key = None, as_json: AsJson = False
) -> None:
    """Tell what a segment's customers are like now, and what to do about them.

    Example: customer-segmentation segments show 2
    """
    with open_service(url, key) as service:
        segment = _find(service, number)
    if as_json:
        print_json(segment)
        return
    say(f"{number}: {segment['name']}")
    for text in (segment["description"], segment["summary"]):
        if text:
            say(text)
    print_table(
        ("business strategy", "channel"),
        [(strategy["text"], strategy["channel"]) for strategy in segment["strategies"]]
        or [(NO_STRATEGY, "")],
    )
    figures = (name.replace("_", " ") for name in _FIGURES)
    columns = ["attribute", *figures, "vs. everybody"]
    rows = [_measured(attribute) for attribute in segment["profile"]]
    if any(attribute["missing"] != 0.0 for attribute in segment["profile"]):
        columns.append(NOT_KNOWN)
        for row, attribute in zip(rows, segment["profile"], strict=True):
            row.append(percent(attribute["missing"]))
    print_table(columns, rows)
    for attribute in segment["profile"]:
        if attribute["mean"] is None and attribute["shares"]:
            shares = (f"{label} {percent(share)}" for label, share in attribute["shares"].items())
            say(f"{attribute['attribute']}: {', '.join(shares)}")


def _measured(attribute: Json) -> list[str]:
    """Return an attribute's figures; a category has none, nor has what is not known of anybody."""
    if attribute["mean"] is None:
        return [attribute["attribute"], *([""] * (len(_FIGURES) + 1))]
    figures = (readable(attribute[name]) for name in _FIGURES)
    return [attribute["attribute"], *figures, f"{attribute['deviations']:+z.2f}"]


@segments.command("edit")
def edit_segment(
    number: _Number,
    name: Annotated[
        str | None, typer.Option(help="What to call it.", callback=_within(200))
    ] = None,
    description: Annotated[
        str | None, typer.Option(help="What to say of it.", callback=_within(2000, 0))
    ] = None,
    strategy: Annotated[
        list[str] | None,
        typer.Option(
            help="What to do about its customers, as TEXT or TEXT@CHANNEL; repeatable, the main "
            "one first, and they replace those of before.",
            callback=_strategies,
        ),
    ] = None,
    by: By = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Change a segment's name, description or strategies; they stay over every retrain.

    Example: customer-segmentation segments edit 2 --name "Quiet Wealth" --strategy
    "Invite to a talk@e-mail"
    """
    if name is None and description is None and not strategy:
        raise typer.BadParameter("give --name, --description or --strategy")
    with open_service(url, key) as service:
        segment = service.edit_segment(
            number,
            name=name,
            description=description,
            strategies=[_strategy(text) for text in strategy] if strategy else None,
            by=this_person() if by is None else by,
        )
    if as_json:
        print_json(segment)
        return
    print_table(
        ("segment", "name", "description", "strategies"),
        [
            (
                str(number),
                segment["name"],
                segment["description"],
                "; ".join(f"{s['text']} ({s['channel']})" for s in segment["strategies"]),
            )
        ],
    )


@segments.command("transitions")
def count_transitions(
    since: Annotated[datetime | None, typer.Option(help="The first moment, in UTC.")] = None,
    until: Annotated[
        datetime | None, typer.Option(help="The second moment, in UTC.", show_default="now")
    ] = None,
    before: Annotated[
        int | None, typer.Option(help="A model version.", min=1, max=LARGEST_VERSION)
    ] = None,
    after: Annotated[
        int | None, typer.Option(help="Another model version.", min=1, max=LARGEST_VERSION)
    ] = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Count who moved from which segment to which between two moments or two model versions.

    Example: customer-segmentation segments transitions --since 2026-11-01
    """
    moments = [given for given in (since, until) if given is not None]
    versions = [given for given in (before, after) if given is not None]
    if bool(moments) == bool(versions) or (since is None and moments) or len(versions) == 1:
        raise typer.BadParameter("give --since, or --before and --after")
    with open_service(url, key) as service:
        if since is not None:
            last = datetime.now(UTC) if until is None else until.replace(tzinfo=UTC)
            found = service.get_transitions(since.replace(tzinfo=UTC), last)
        else:
            found = service.get_moves(before or 0, after or 0)
    if as_json:
        print_json(found)
        return
    say(f"{counted(found['moved'], 'customer')} moved")
    matrix = found["matrix"]
    columns = list(next(iter(matrix.values()), {}))
    rows = [(_place(left), *map(amount, row.values())) for left, row in matrix.items()]
    print_table(("from / to", *map(_place, columns)), rows)


def _place(segment: str) -> str:
    return "not there" if segment == "none" else segment


def _find(service: "Client", number: int) -> Json:
    """Return a segment of the active model.

    Raises:
        SegmentNotFoundError: there is none of this number.
    """
    for segment in service.list_segments()["segments"]:
        if segment["number"] == number:
            return dict(segment)
    raise SegmentNotFoundError(number)
