"""Commands on customers: get, explain, history."""

from typing import Annotated

import typer

from customer_segmentation.cli.console.options import AsJson, Key, Url
from customer_segmentation.cli.console.output import moment, print_json, print_table, say
from customer_segmentation.cli.console.service import open_service
from customer_segmentation.domain.attributes import NOT_KNOWN
from customer_segmentation.domain.numbers import readable
from customer_segmentation.domain.segments import NO_STRATEGY

customers = typer.Typer(no_args_is_help=True, help="Look at one customer.")

_CustomerId = Annotated[str, typer.Argument(help="The customer's id.")]


@customers.command("get")
def get_customer(
    customer_id: _CustomerId, url: Url = None, key: Key = None, as_json: AsJson = False
) -> None:
    """Show a customer, its segment and its next best action.

    Example: customer-segmentation customers get 56
    """
    with open_service(url, key) as service:
        found = service.get_customer(customer_id)
        attributes = service.get_schema()["attributes"]
    if as_json:
        print_json(found)
        return
    action = found["next_best_action"]
    say(f"Cluster {found['segment']}: {found['segment_name']}")
    if found["raw_segment"] != found["segment"]:
        say(f"Nearest is cluster {found['raw_segment']}, but not by enough to leave")
    if found["is_outlier"]:
        say("An outlier: far from every centroid, so treat the segment with caution")
    told = NO_STRATEGY if action is None else f"{action['text']} ({action['channel']})"
    say(f"Next best action: {told}")
    print_table(("attribute", "value"), [(a["name"], _told(found[a["name"]])) for a in attributes])


def _told(value: float | str | None) -> str:
    return NOT_KNOWN if value is None else str(value)


def _typical(value: float | str) -> str:
    return value if isinstance(value, str) else readable(value)


@customers.command("explain")
def explain_customer(
    customer_id: _CustomerId, url: Url = None, key: Key = None, as_json: AsJson = False
) -> None:
    """Tell why a customer is in its segment, and what would lead to another.

    Example: customer-segmentation customers explain 56
    """
    with open_service(url, key) as service:
        found = service.explain_customer(customer_id)
    if as_json:
        print_json(found)
        return
    why = found["explanation"]
    say(
        f"Nearest is cluster {why['segment']}, then {why['other']}: "
        f"confidence {why['confidence']:.2f}{', an outlier' if why['is_outlier'] else ''}"
    )
    columns = ("attribute", "value", f"typical of {why['segment']}", f"of {why['other']}", "pull")
    rows = [
        (
            c["attribute"],
            _told(c["value"]),
            _typical(c["typical"]),
            _typical(c["typical_other"]),
            f"{c['pull']:+.3f}",
        )
        for c in why["contributions"]
    ]
    print_table(columns, rows)
    leads = [
        (
            str(change["segment"]),
            change["attribute"],
            *map(_told, (change["value"], change["needed"])),
        )
        for change in why["changes"]
    ]
    print_table(("segment", "attribute", "current", "needed"), leads)


@customers.command("history")
def get_history(
    customer_id: _CustomerId, url: Url = None, key: Key = None, as_json: AsJson = False
) -> None:
    """Tell when a customer, also a deleted one, changed its segment, and why.

    Example: customer-segmentation customers history 56
    """
    with open_service(url, key) as service:
        found = service.get_history(customer_id)
    if as_json:
        print_json(found)
        return
    rows = [
        (
            moment(change["changed_at"]),
            change["cause"],
            "" if change["from_segment"] is None else str(change["from_segment"]),
            "" if change["to_segment"] is None else str(change["to_segment"]),
            str(change["model_version"]),
        )
        for change in found["changes"]
    ]
    print_table(("when", "because it was", "from", "to", "model version"), rows)
