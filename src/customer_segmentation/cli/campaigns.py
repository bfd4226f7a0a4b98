"""Commands on campaigns: plan, forecast, list, show, start, outcomes, read-out, end, delete."""

from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from customer_segmentation.cli.audiences import find_audience
from customer_segmentation.cli.console.options import AsJson, By, Key, Url
from customer_segmentation.cli.console.output import (
    amount,
    conclude,
    print_json,
    print_table,
    say,
    this_person,
    warn,
)
from customer_segmentation.cli.console.service import Json, open_service
from customer_segmentation.cli.files.customer_rows import conclude_rows, send_rows
from customer_segmentation.cli.files.tables import (
    DelimiterOption,
    EncodingOption,
    FormatOption,
    RejectsOption,
    SheetOption,
)
from customer_segmentation.domain.errors import CampaignNotFoundError
from customer_segmentation.domain.names import find_id
from customer_segmentation.domain.plurals import counted

if TYPE_CHECKING:
    from customer_segmentation.client import Client

campaigns = typer.Typer(
    no_args_is_help=True, help="Plan campaigns, draw who is held out, and see what they brought."
)

_AT_ONCE = 10_000


def _finite(number: float | None) -> float | None:
    if number is not None and not isfinite(number):
        raise typer.BadParameter("must be a finite number")
    return number


_Name = Annotated[str, typer.Argument(help="The campaign's name, or its id.")]
_Audience = Annotated[str, typer.Option(help="Whom it is for: an audience's name, or its id.")]
_Arms = Annotated[
    list[str],
    typer.Option(
        "--arm", help="What is done, as NAME or NAME@CHANNEL or NAME@CHANNEL=COST; repeatable."
    ),
]
_What = Annotated[str, typer.Option("--outcome", help="What it is to bring, such as renewals.")]
_Kind = Annotated[
    str,
    typer.Option(
        "--from", help="Where outcomes come from: reported, transactions, attribute or segment."
    ),
]
_Measure = Annotated[str, typer.Option(help="What counts of a customer: any, count or sum.")]
_Days = Annotated[int, typer.Option(help="For how many days after the start outcomes count.")]
_Holdout = Annotated[
    float, typer.Option(callback=_finite, help="Percent of the customers who are held out.")
]
_Value = Annotated[
    float | None, typer.Option(callback=_finite, help="What one outcome is worth in money.")
]
_Unit = Annotated[str, typer.Option(help="Of a sum, such as EUR.")]
_Attribute = Annotated[str | None, typer.Option(help="Whose change is the outcome.")]
_Segment = Annotated[list[int] | None, typer.Option(help="The segment to be entered; repeatable.")]
_Covariate = Annotated[
    str | None, typer.Option(help="An attribute that explains part of the outcome (CUPED).")
]
_Rate = Annotated[
    float,
    typer.Option(callback=_finite, help="The share with the outcome that is expected anyway."),
]
_Deviation = Annotated[
    float,
    typer.Option(
        callback=_finite, help="The standard deviation that is expected of counts and sums."
    ),
]
_Purpose = Annotated[
    str, typer.Option(help="For which customers must have agreed to be addressed.")
]


def _arm(text: str) -> Json:
    told, equals, cost = text.rpartition("=")
    name, at, channel = (told if equals else text).rpartition("@")
    arm: Json = {"name": name, "channel": channel} if at else {"name": channel}
    if equals:
        try:
            arm["cost"] = float(cost)
        except ValueError:
            raise typer.BadParameter("COST must be a number", param_hint="--arm") from None
        if not isfinite(arm["cost"]):
            raise typer.BadParameter("COST must be a finite number", param_hint="--arm")
    return arm


@campaigns.command("plan")
def plan_campaign(
    name: Annotated[str, typer.Argument(help="What to call it; it draws who is held out.")],
    audience: _Audience,
    arm: _Arms,
    what: _What,
    kind: _Kind = "reported",
    measure: _Measure = "any",
    days: _Days = 30,
    holdout: _Holdout = 10,
    value: _Value = None,
    unit: _Unit = "",
    attribute: _Attribute = None,
    segment: _Segment = None,
    covariate: _Covariate = None,
    rate: _Rate = 0.1,
    deviation: _Deviation = 1,
    purpose: _Purpose = "",
    by: By = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Plan a campaign, and tell what it could show; nothing is done before it is started.

    Example: customer-segmentation campaigns plan spring --audience "Older affluent"
    --arm "Cashback@e-mail=0.1" --outcome renewals --value 40
    """
    outcome = {
        "what": what,
        "kind": kind,
        "measure": measure,
        "days": days,
        "value": value,
        "unit": unit,
        "attribute": attribute,
        "segments": segment or [],
        "covariate": covariate,
    }
    plan: Json = {
        "holdout_percent": holdout,
        "expected_rate": rate,
        "expected_deviation": deviation,
        "purpose": purpose,
    }
    arms = [_arm(text) for text in arm]
    who = this_person() if by is None else by
    with open_service(url, key) as service:
        audience_id = find_audience(service, audience)["id"]
        made = service.create_campaign(name, audience_id, arms, outcome, by=who, **plan)
        told = service.forecast_campaign(audience_id, arms, outcome, **plan)
    if as_json:
        print_json({**made, "forecast": told})
        return
    say(f"Campaign {made['id']}, {name}, is planned for {counted(told['customers'], 'customer')}")
    _show_forecast(told, is_rate=measure == "any", unit=unit)


def _show_forecast(told: Json, *, is_rate: bool, unit: str) -> None:
    rows = [("held out", amount(told["held_out"]), "")]
    rows += [
        (one["name"], amount(one["customers"]), _lift(one["smallest_lift"], is_rate, unit))
        for one in told["arms"]
    ]
    print_table(("arm", "customers", "smallest lift that shows"), rows)
    for one in told["overlaps"]:
        warn(f"{counted(one['customers'], 'customer')} of them are in campaign {one['campaign']}")


def _lift(lift: float | None, is_rate: bool, unit: str) -> str:
    if lift is None:
        return "none"
    return f"{lift * 100:.2g} points" if is_rate else f"{lift:.3g} {unit}".strip()


@campaigns.command("list")
def list_campaigns(url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """List the campaigns and how far each is.

    Example: customer-segmentation campaigns list
    """
    with open_service(url, key) as service:
        found = service.list_campaigns()
    if as_json:
        print_json(found)
        return
    rows = [
        (
            str(one["id"]),
            one["name"],
            one["state"],
            amount(one["customers"]),
            ", ".join(arm["name"] for arm in one["plan"]["arms"]),
            one["plan"]["outcome"]["what"],
        )
        for one in found["campaigns"]
    ]
    print_table(("id", "name", "state", "customers", "arms", "outcome"), rows)


@campaigns.command("start")
def start_campaign(
    name: _Name, by: By = None, url: Url = None, key: Key = None, as_json: AsJson = False
) -> None:
    """Draw the audience's customers of now into the arms.

    Example: customer-segmentation campaigns start spring
    """
    who = this_person() if by is None else by
    with open_service(url, key) as service:
        found = service.start_campaign(find_campaign(service, name)["id"], who)
    told = f"Campaign {found['name']} has started with {counted(found['customers'], 'customer')}"
    conclude(told, as_json, **found)


@campaigns.command("end")
def end_campaign(
    name: _Name, by: By = None, url: Url = None, key: Key = None, as_json: AsJson = False
) -> None:
    """End a campaign: outcomes of later count no more.

    Example: customer-segmentation campaigns end spring
    """
    who = this_person() if by is None else by
    with open_service(url, key) as service:
        found = service.end_campaign(find_campaign(service, name)["id"], who)
    conclude(f"Campaign {found['name']} has ended", as_json, **found)


@campaigns.command("delete")
def delete_campaign(name: _Name, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Delete a campaign that is not running, with what was learnt from it.

    Example: customer-segmentation campaigns delete spring
    """
    with open_service(url, key) as service:
        found = find_campaign(service, name)
        service.delete_campaign(found["id"])
    conclude(f"Deleted campaign {found['id']}, {found['name']}", as_json, deleted=found["id"])


@campaigns.command("outcomes")
def report_outcomes(
    name: _Name,
    file: Annotated[
        Path,
        typer.Argument(
            help="CSV, Parquet, Arrow, NDJSON or Excel with a column of ids, `outcome` and, if "
            "known, `addressed`.",
            dir_okay=False,
        ),
    ],
    column: Annotated[
        str | None, typer.Option(help="The column of outcomes, where it is not `outcome`.")
    ] = None,
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
    """Report what came of a campaign's customers, and who was addressed.

    Run again it replaces what was reported. Exits with 7 where a row was not taken, or is of nobody
    in the campaign.

    Example: customer-segmentation campaigns outcomes spring renewals.csv
    """
    from functools import partial

    from customer_segmentation.files.customer_rows import find_outcome_columns, read_outcomes
    from customer_segmentation.files.read.tables import Reading

    who = this_person() if by is None else by
    counts = {"noted": 0, "others": 0}
    reading = Reading(file_format, delimiter, encoding, sheet)
    with open_service(url, key) as service:
        found = find_campaign(service, name)

        def send(rows: list[Json]) -> None:
            told = service.report_outcomes(found["id"], rows, who)
            for what in counts:
                counts[what] += told[what]

        find = partial(find_outcome_columns, outcome=column)
        rejected = send_rows(service, file, reading, rejects, find, read_outcomes, send, _AT_ONCE)
    noted, others = (f"{count:,}" for count in counts.values())
    told = f"{noted} noted, {others} not in the campaign, {rejected:,} rejected"
    conclude_rows({**counts, "rejected": rejected}, told, as_json)


@campaigns.command("read-out")
def read_out_campaign(
    name: _Name, url: Url = None, key: Key = None, as_json: AsJson = False
) -> None:
    """Tell what a campaign has brought, as known now.

    Example: customer-segmentation campaigns read-out spring
    """
    with open_service(url, key) as service:
        found = service.read_out_campaign(find_campaign(service, name)["id"])
    if as_json:
        print_json(found)
        return
    if found["split"]["is_mismatch"]:
        warn("The groups did not come out as drawn: trust no figure before it is known why.")
    if not found["is_complete"]:
        say("So far; outcomes are still coming.")
    for arm in found["arms"]:
        # Of one segment alone the figures are those of everybody.
        arm["segments"] = arm["segments"] if len(arm["segments"]) > 1 else []
        say(arm["overall"]["sentence"])
        if arm["overall"]["worth"] is not None:
            say(_money(arm["overall"]["worth"]))
        for within in arm["segments"]:
            say(f"  {within['sentence']}")
        if arm["contamination"] is not None:
            told = arm["contamination"]
            say(
                f"  {told['addressed_although_held_out']:,} were addressed although held out, and "
                f"{told['not_addressed']:,} of {told['to_address']:,} were not addressed."
            )
    rows = [
        _row(arm["name"], "everybody", arm["overall"], is_rate=found["is_rate"])
        for arm in found["arms"]
    ] + [
        _row(arm["name"], within["segment_name"], within, is_rate=found["is_rate"])
        for arm in found["arms"]
        for within in arm["segments"]
    ]
    print_table(("arm", "among", "customers", "held out", "lift", "95 % interval", "always"), rows)


def _money(worth: Json) -> str:
    low, high = worth["net_interval"]["low"], worth["net_interval"]["high"]
    return (
        f"  In money: {worth['value']:,.0f} for a cost of {worth['cost']:,.0f}; "
        f"{worth['net']:,.0f} net ({low:,.0f} to {high:,.0f})."
    )


def _row(arm: str, among: str, found: Json, *, is_rate: bool) -> tuple[str, ...]:
    effect = found["effect"]
    sizes = (amount(found["size"]), amount(found["control_size"]))
    if effect is None:
        return (arm, among, *sizes, "", "", "")
    lift = _points(effect["lift"], is_rate)
    return (
        arm,
        among,
        *sizes,
        lift,
        _interval(effect["interval"], is_rate),
        _interval(found["always"], is_rate),
    )


def _points(value: float, is_rate: bool) -> str:
    return f"{value * 100:+.2f} points" if is_rate else f"{value:+.4g}"


def _interval(found: Json | None, is_rate: bool) -> str:
    if found is None:
        return ""
    scale = 100 if is_rate else 1
    return f"{found['low'] * scale:+.4g} to {found['high'] * scale:+.4g}"


def find_campaign(service: "Client", name: str) -> Json:
    """Return the campaign of a name, or where none has it, of an id.

    Raises:
        CampaignNotFoundError: there is none.
    """
    by_id: dict[int, Json] = {one["id"]: one for one in service.list_campaigns()["campaigns"]}
    found = find_id({number: one["name"] for number, one in by_id.items()}, name)
    if found is None:
        raise CampaignNotFoundError(name)
    return by_id[found]
