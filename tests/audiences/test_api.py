"""Audiences over HTTP, by the client and by command."""

import asyncio
import csv
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from customer_segmentation.api.app import create_app, create_local_app
from customer_segmentation.cli.console.in_process import InProcessTransport
from customer_segmentation.client import Client, ServiceError
from customer_segmentation.domain.access import Role
from customer_segmentation.domain.campaigns import Arm, Outcome, Plan
from customer_segmentation.services.audiences.audiences import (
    NewAudience,
    create_audience,
    delete_audience,
)
from customer_segmentation.services.campaigns.campaigns import (
    delete_campaign,
    plan_campaign,
    start_campaign,
)
from customer_segmentation.services.campaigns.ending import end_campaign
from customer_segmentation.services.operation.keys import create_key
from customer_segmentation.services.runtime.settings import Settings
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork, units_over
from customer_segmentation.store.queries import audiences as stored
from tests.support.asgi import call
from tests.support.commands import run
from tests.support.shop import attributes, open_shop

RULE = "plan = 'Plus'"


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shop") / "shop.db"


@pytest.fixture(scope="module")
def shop(path: Path) -> Iterator[UnitsOfWork]:
    with closing(open_shop(f"sqlite:///{path}")) as units:
        yield units


@pytest.fixture(scope="module")
def client(shop: UnitsOfWork) -> Iterator[Client]:
    transport = InProcessTransport(create_local_app(shop, Settings()))
    with Client("http://localhost", transport=transport, tries=1) as client:
        yield client


def test_an_audience_is_saved_listed_changed_and_deleted(client: Client) -> None:
    made = client.create_audience("Regulars", RULE, owner="Ada", by="Ada")
    assert (made["name"], made["rule"], made["created_by"]) == ("Regulars", RULE, "Ada")
    assert not made["is_frozen"]
    assert client.get_audience(made["id"]) == made
    assert made in client.list_audiences()["audiences"]
    everyone = [*client.iterate_customers(audience=made["id"])]
    assert len(everyone) == made["size"] > 0
    assert {one["plan"] for one in everyone} == {"Plus"}
    few = [*client.iterate_customers(audience=made["id"], spent_min=100, sort="-spent", limit=3)]
    assert [one["spent"] for one in few] == sorted(
        (one["spent"] for one in everyone if one["spent"] >= 100), reverse=True
    )

    changed = client.change_audience(made["id"], made["tag"], description="Who come often")
    assert changed["description"] == "Who come often"
    with pytest.raises(ServiceError) as stale:
        client.change_audience(made["id"], made["tag"], name="Others")
    assert (stale.value.status, stale.value.problem["type"][-14:]) == (412, "stale-audience")

    client.delete_audience(made["id"])
    with pytest.raises(ServiceError) as gone:
        client.get_audience(made["id"])
    assert gone.value.status == 404
    with pytest.raises(ServiceError) as gone:
        client.list_customers(audience=made["id"])
    assert gone.value.status == 404


def test_a_rule_is_counted_without_being_saved(client: Client) -> None:
    counted = client.count_audience(RULE)
    assert counted["of"] >= 60
    assert counted["share"] == counted["customers"] / counted["of"]
    assert sum(one["customers"] for one in counted["segments"]) == counted["customers"]
    with pytest.raises(ServiceError) as refused:
        client.count_audience("colour = 1")
    assert refused.value.status == 422
    (error,) = refused.value.problem["errors"]
    assert error["field"] == "rule"
    assert "at character 1" in error["message"]


def test_who_comes_and_goes_is_in_the_feed(client: Client) -> None:
    made = client.create_audience("Feed", RULE)
    start = client.list_events("latest")["next"]

    client.add_customer("E1", attributes(plan="Plus"))
    client.update_customer("E1", {"plan": "Basic"})

    events = client.list_events(start)["events"]
    told = [e for e in events if e["audience_id"] == made["id"]]
    assert [(e["customer_id"], e["entered"]) for e in told] == [("E1", True), ("E1", False)]
    assert {(e["from_segment"], e["to_segment"]) for e in told} == {(told[0]["to_segment"],) * 2}
    assert [e["cause"] for e in events if e["audience_id"] is None] == ["added"]
    history = client.get_history("E1")["changes"]
    assert [change["cause"] for change in history] == ["added"]


def test_profile_overlaps_and_sizes_are_shown(client: Client) -> None:
    rich = client.create_audience("Rich", "spent >= 300")
    frozen = client.create_audience("Then", RULE, frozen=True)
    assert frozen["is_frozen"]

    profile = client.get_audience_profile(rich["id"])
    assert profile["count"]["customers"] == rich["size"]
    spent = next(one for one in profile["attributes"] if one["attribute"] == "spent")
    assert spent["mean"] > spent["mean_of_all"]
    overlaps = client.get_audience_overlaps(rich["id"])["overlaps"]
    assert {one["name"] for one in overlaps} >= {"Then"}
    assert client.get_audience_sizes(rich["id"])["sizes"][-1]["customers"] == rich["size"]


def test_commands_do_the_same(client: Client, path: Path, tmp_path: Path) -> None:
    def run_command(*words: str) -> str:
        result = run(*words, env={"DATABASE_URL": f"sqlite:///{path}"})
        assert result.exit_code == 0, result.stderr
        return result.stdout

    output = tmp_path / "out.csv"
    assert "Audience" in run_command("audiences", "create", "By hand", RULE, "--owner", "Bo")
    assert "By hand" in run_command("audiences", "list")
    assert "plan" in run_command("audiences", "show", "By hand")
    assert "customers" in run_command("audiences", "count", RULE)
    run_command("export", "--audience", "By hand", "-o", str(output))
    with output.open() as file:
        rows = [*csv.DictReader(file)]
    made = next(a for a in client.list_audiences()["audiences"] if a["name"] == "By hand")
    assert len(rows) == made["size"]
    run_command("audiences", "change", "By hand", "--name", "By foot")
    run_command("audiences", "delete", "By foot")
    assert made["id"] not in [one["id"] for one in client.list_audiences()["audiences"]]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": " ", "rule": RULE}, "name"),
        ({"name": "x"}, "rule"),
        ({"name": "x", "rule": RULE, "colour": 1}, "colour"),
        ({"name": "x" * 201, "rule": RULE}, "name"),
        ({"name": "x", "rule": RULE, "frozen": "yes"}, "frozen"),
    ],
)
def test_a_fault_names_its_field(shop: UnitsOfWork, body: dict[str, object], field: str) -> None:
    transport = InProcessTransport(create_local_app(shop, Settings()))
    with httpx.Client(base_url="http://localhost", transport=transport) as plain:
        answer = plain.post("/v1/audiences", json=body)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]


ARMS = [{"name": "Letter", "channel": "any", "cost": 2}]


def test_a_campaign_goes_from_plan_to_read_out(client: Client, path: Path, tmp_path: Path) -> None:
    audience = client.create_audience("Everybody", "spent >= 0")
    outcome = {"what": "renewals", "value": 40}
    told = client.forecast_campaign(audience["id"], ARMS, outcome, holdout_percent=50)
    assert told["customers"] == audience["size"]
    assert told["arms"][0]["name"] == "Letter"

    made = client.create_campaign("May", audience["id"], ARMS, outcome, holdout_percent=50)
    assert (made["state"], made["customers"], made["due_at"]) == ("planned", 0, None)
    plan = made["plan"] | {"description": "To all"}
    assert client.change_plan(made["id"], plan)["plan"]["description"] == "To all"
    started = client.start_campaign(made["id"], by="Ada")
    assert (started["state"], started["customers"]) == ("running", audience["size"])
    assert client.list_campaigns()["campaigns"] == [started]

    output = tmp_path / "arms.csv"
    environment = {"DATABASE_URL": f"sqlite:///{path}"}
    result = run("export", "--campaign", "May", "-o", str(output), env=environment)
    assert result.exit_code == 0, result.stderr
    with output.open() as file:
        rows = [*csv.DictReader(file)]
    assert {row["group"] for row in rows} == {"holdout", "Letter"}
    outcomes = [
        {
            "customer_id": row["Customer"],
            "outcome": place % 2,
            "addressed": row["group"] != "holdout",
        }
        for place, row in enumerate(rows)
    ]
    noted = client.report_outcomes(made["id"], [*outcomes, {"customer_id": "nobody", "outcome": 1}])
    assert noted == {"noted": len(rows), "not_in_campaign": ["nobody"], "others": 1}

    found = client.read_out_campaign(made["id"])
    (letter,) = found["arms"]
    arm = [row for row in rows if row["group"] == "Letter"]
    assert letter["overall"]["size"] == len(arm)
    assert letter["overall"]["effect"]["lift"] == pytest.approx(
        _rate(outcomes, rows, "Letter") - _rate(outcomes, rows, "holdout")
    )
    assert sum(one["size"] for one in letter["segments"]) == len(arm)
    assert client.end_campaign(made["id"])["state"] == "ended"
    with pytest.raises(ServiceError) as refused:
        client.report_outcomes(made["id"], outcomes)
    assert (refused.value.status, refused.value.problem["type"][-14:]) == (409, "campaign-state")
    client.delete_campaign(made["id"])
    with pytest.raises(ServiceError) as gone:
        client.get_campaign(made["id"])
    assert gone.value.status == 404


def _rate(outcomes: list[dict[str, Any]], rows: list[dict[str, Any]], group: str) -> float:
    of_group = [
        told["outcome"] for told, row in zip(outcomes, rows, strict=True) if row["group"] == group
    ]
    return sum(of_group) / len(of_group)


def test_a_file_of_outcomes_tells_which_rows_it_does_not_take(
    client: Client, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    audience = client.create_audience("All of them", "spent >= 0")
    made = client.create_campaign("June", audience["id"], ARMS, {"what": "visits"})
    client.start_campaign(made["id"])
    ids = [one["customer_id"] for one in client.list_customers(limit=4)["customers"]]
    told = ["yes", "0", "perhaps", ""]
    lines = [f"{one},{outcome}" for one, outcome in zip(ids, told, strict=True)]
    Path("june.csv").write_text("\n".join(["Customer,outcome", *lines, "nobody,1"]))

    result = run(
        "campaigns", "outcomes", "June", "june.csv", env={"DATABASE_URL": f"sqlite:///{path}"}
    )

    assert result.exit_code == 7
    assert "3 noted, 1 not in the campaign, 1 rejected" in result.stdout
    rejects = Path("june.rejects.csv").read_text()
    assert "outcome must be a number, or yes or no" in rejects


def test_only_what_has_changed_since_the_last_export_is_written(
    client: Client, path: Path, tmp_path: Path
) -> None:
    def changes() -> dict[str, str]:
        output = tmp_path / "changes.csv"
        words = ("export", "--audience", "Changing", "--changes", "-o", str(output))
        result = run(*words, env={"DATABASE_URL": f"sqlite:///{path}"})
        assert result.exit_code == 0, result.stderr
        with output.open() as file:
            return {row["Customer"]: row["change"] for row in csv.DictReader(file)}

    made = client.create_audience("Changing", "visits >= 100")
    assert changes() == {}
    for name in ("K1", "K2", "K3"):
        client.add_customer(name, attributes(visits=100))
    assert changes() == {"K1": "added", "K2": "added", "K3": "added"}
    client.update_customer("K1", {"visits": 1})
    client.delete_customer("K2")
    client.erase_customer("K3")
    client.add_customer("K4", attributes(visits=200))
    assert changes() == {"K1": "removed", "K2": "removed", "K4": "added"}
    assert changes() == {}
    client.delete_audience(made["id"])


def test_changes_need_an_audience_and_no_other_draw(client: Client) -> None:
    for asked in ({}, {"audience_id": 1, "holdout": 10, "split": "x"}):
        with pytest.raises(ServiceError) as refused:
            client.begin_export(changes=True, **asked)
        assert refused.value.problem["errors"][0]["field"] == "changes"


def test_a_key_that_sees_no_small_groups_sees_none_of_an_audience(path: Path) -> None:
    settings = Settings(database_url=f"sqlite:///{path}", auth="keys", min_group_size=20)
    with closing(units_over(settings.database_url)) as units:
        key = create_key(units, "reader", Role.READER)
        few = create_audience(units, NewAudience("Few", "visits >= 4 AND spent < 100"), "")
        plan = Plan((Arm("Letter", ""),), Outcome("visits"), 50)
        campaign = plan_campaign(units, "To few", few.id, plan, "")
        start_campaign(units, campaign.id, "")
        with units.database.write() as connection:
            stored.note_sizes(connection, 1, {few.id: 25})
            stored.note_sizes(connection, 2, {few.id: 30})
        assert 0 < few.size < 20
        asked = ("", "/profile", "/sizes", "/overlaps")
        planned = {"audience_id": few.id, "arms": ARMS, "outcome": {"what": "visits"}}

        async def ask() -> list[Any]:
            app, headers = create_app(settings), {"Authorization": f"Bearer {key}"}
            async with app.router.lifespan_context(app):
                body = msgspec.json.encode({"rule": few.rule})
                found = [await call(app, "POST", "/v1/audiences:count", headers, body=body)]
                paths = (f"/v1/audiences/{few.id}{within}" for within in asked)
                found += [await call(app, "GET", path, headers) for path in paths]
                found.append(await call(app, "GET", f"/v1/campaigns/{campaign.id}", headers))
                body = msgspec.json.encode(planned)
                found.append(await call(app, "POST", "/v1/campaigns:forecast", headers, body=body))
            return [msgspec.json.decode(answer.body) for answer in found]

        counted, audience, profile, sizes, overlaps, shown, forecast = asyncio.run(ask())
        end_campaign(units, campaign.id, "")
        delete_campaign(units, campaign.id, "")
        delete_audience(units, few.id, "")

    assert audience["size"] is counted["customers"] is counted["share"] is None
    assert {one["customers"] for one in counted["segments"]} == {None}
    assert profile["attributes"] == []
    assert [one["customers"] for one in sizes["sizes"]] == [None, 30, None]
    assert {one["customers"] for one in overlaps["overlaps"]} <= {None, 0}
    assert (shown["customers"], shown["left_out"]) == (None, 0)
    assert forecast["customers"] is forecast["held_out"] is None
    assert forecast["arms"] == [{"name": "Letter", "customers": None, "smallest_lift": None}]
    assert {one["customers"] for one in forecast["overlaps"]} == {None}
