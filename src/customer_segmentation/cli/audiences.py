"""Commands on audiences: create, list, show, count, change, delete."""

from typing import TYPE_CHECKING, Annotated

import typer

from customer_segmentation.cli.console.options import AsJson, By, Key, Url
from customer_segmentation.cli.console.output import (
    amount,
    conclude,
    percent,
    print_json,
    print_table,
    say,
    this_person,
)
from customer_segmentation.cli.console.service import Json, open_service
from customer_segmentation.domain.errors import AudienceNotFoundError
from customer_segmentation.domain.names import find_id
from customer_segmentation.domain.numbers import readable
from customer_segmentation.domain.plurals import counted

if TYPE_CHECKING:
    from customer_segmentation.client import Client

audiences = typer.Typer(
    no_args_is_help=True, help="Save rules that say whom to address, and see whom they select."
)

_Name = Annotated[str, typer.Argument(help="The audience's name, or its id.")]
_Rule = Annotated[
    str, typer.Argument(help='Such as "segment IN (1, 2) AND days_in_segment >= 30".')
]


@audiences.command("create")
def create_audience(
    name: Annotated[str, typer.Argument(help="What to call it.")],
    rule: _Rule,
    description: Annotated[str, typer.Option(help="What to say of it.")] = "",
    owner: Annotated[str, typer.Option(help="Whose it is.")] = "",
    frozen: Annotated[
        bool, typer.Option("--frozen", help="Keep who meets the rule now, whatever comes.")
    ] = False,
    by: By = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Save an audience: a rule under a name, always current or frozen.

    Example: customer-segmentation audiences create "Regulars" "segment = 2"
    """
    with open_service(url, key) as service:
        made = service.create_audience(
            name,
            rule,
            description=description,
            owner=owner,
            frozen=frozen,
            by=this_person() if by is None else by,
        )
    conclude(f"Audience {made['id']}, {name}: {counted(made['size'], 'customer')}", as_json, **made)


@audiences.command("list")
def list_audiences(url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """List the audiences, and how many customers each has.

    Example: customer-segmentation audiences list
    """
    with open_service(url, key) as service:
        found = service.list_audiences()
    if as_json:
        print_json(found)
        return
    rows = [
        (
            str(one["id"]),
            one["name"],
            amount(one["size"]),
            "frozen" if one["is_frozen"] else one["fault"] or "current",
            one["rule"],
            one["owner"],
        )
        for one in found["audiences"]
    ]
    print_table(("id", "name", "customers", "state", "rule", "owner"), rows)


@audiences.command("show")
def show_audience(name: _Name, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Tell what an audience's customers are like, and how many it shares with others.

    Example: customer-segmentation audiences show "Regulars"
    """
    with open_service(url, key) as service:
        audience = find_audience(service, name)
        profile = service.get_audience_profile(audience["id"])
        overlaps = service.get_audience_overlaps(audience["id"])["overlaps"]
    if as_json:
        print_json({**audience, "profile": profile, "overlaps": overlaps})
        return
    say(f"{audience['id']}: {audience['name']}")
    for text in (audience["description"], audience["rule"], audience["fault"]):
        if text:
            say(text)
    _show_count(profile["count"])
    rows = [_figures(one) for one in profile["attributes"]]
    print_table(("attribute", "here", "everybody"), rows)
    if overlaps:
        rows = [(o["name"], amount(o["customers"]), percent(o["share"])) for o in overlaps]
        print_table(("other audience", "in both", "share"), rows)


def _figures(attribute: Json) -> tuple[str, str, str]:
    if attribute["mean"] is not None:
        means = (readable(attribute["mean"]), readable(attribute["mean_of_all"]))
        return (attribute["attribute"], *means)
    shares = (_shares(attribute["shares"]), _shares(attribute["shares_of_all"]))
    return (attribute["attribute"], *shares)


def _shares(shares: dict[str, float]) -> str:
    return ", ".join(f"{label} {percent(share)}" for label, share in shares.items())


@audiences.command("count")
def count_audience(rule: _Rule, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Count the customers who meet a rule, without saving it.

    Example: customer-segmentation audiences count "segment = 2 AND age >= 60"
    """
    with open_service(url, key) as service:
        found = service.count_audience(rule)
    if as_json:
        print_json(found)
        return
    _show_count(found)


@audiences.command("change")
def change_audience(
    name: _Name,
    new_name: Annotated[str | None, typer.Option("--name", help="What to call it.")] = None,
    rule: Annotated[str | None, typer.Option(help="Who is to be in it.")] = None,
    description: Annotated[str | None, typer.Option(help="What to say of it.")] = None,
    owner: Annotated[str | None, typer.Option(help="Whose it is.")] = None,
    by: By = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Change an audience's name, rule, description or owner.

    Example: customer-segmentation audiences change "Regulars" --rule "segment IN (1, 2)"
    """
    options = {"name": new_name, "rule": rule, "description": description, "owner": owner}
    given = {field: text for field, text in options.items() if text is not None}
    if not given:
        raise typer.BadParameter("give --name, --rule, --description or --owner")
    who = this_person() if by is None else by
    with open_service(url, key) as service:
        found = find_audience(service, name)
        changed = service.change_audience(found["id"], found["tag"], by=who, **given)
    told = f"Audience {changed['id']}, {changed['name']}: {counted(changed['size'], 'customer')}"
    conclude(told, as_json, **changed)


@audiences.command("delete")
def delete_audience(name: _Name, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Delete an audience; its customers stay.

    Example: customer-segmentation audiences delete "Regulars"
    """
    with open_service(url, key) as service:
        found = find_audience(service, name)
        service.delete_audience(found["id"])
    conclude(f"Deleted audience {found['id']}, {found['name']}", as_json, deleted=found["id"])


def find_audience(service: "Client", name: str) -> Json:
    """Return the audience of a name, or where none has it, of an id.

    Raises:
        AudienceNotFoundError: there is none.
    """
    by_id: dict[int, Json] = {one["id"]: one for one in service.list_audiences()["audiences"]}
    found = find_id({number: one["name"] for number, one in by_id.items()}, name)
    if found is None:
        raise AudienceNotFoundError(name)
    return by_id[found]


def _show_count(count: Json) -> None:
    share = "" if count["share"] is None else f", {percent(count['share'])} of all"
    say(f"{counted(count['customers'], 'customer')}{share}")
    rows = [(str(one["segment"]), amount(one["customers"])) for one in count["segments"]]
    print_table(("segment", "customers"), rows)
