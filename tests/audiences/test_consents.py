"""Who has not agreed is left out, and all that is kept about a person is told."""

import csv
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from customer_segmentation.api.app import create_local_app
from customer_segmentation.cli.console.in_process import InProcessTransport
from customer_segmentation.client import Client, ServiceError
from customer_segmentation.domain.consents import Consent, ConsentState
from customer_segmentation.services.customers.consents import get_consents, set_consents
from customer_segmentation.services.runtime.audit import list_entries
from customer_segmentation.services.runtime.clock import now
from customer_segmentation.services.runtime.settings import Settings
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork
from customer_segmentation.store.queries import campaigns
from tests.support.commands import run
from tests.support.shop import TEXT, first_ids, open_shop

SCHEMA = f'channels = ["e-mail", "letter"]\n{TEXT}'


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shop") / "shop.db"


@pytest.fixture(scope="module")
def shop(path: Path) -> Iterator[UnitsOfWork]:
    with closing(open_shop(f"sqlite:///{path}", SCHEMA)) as units:
        yield units


def client_of(units: UnitsOfWork, **settings: Any) -> Client:  # noqa: ANN401
    transport = InProcessTransport(create_local_app(units, Settings(**settings)))
    return Client("http://localhost", transport=transport, tries=1)


def said(state: str, channel: str = "e-mail", **others: object) -> dict[str, object]:
    return {"purpose": "marketing", "channel": channel, "state": state, **others}


@pytest.mark.both_databases
def test_what_was_said_later_holds_in_whatever_order_it_comes(empty_database_url: str) -> None:
    with closing(open_shop(empty_database_url)) as units:
        (one, *_) = first_ids()
        moment = now()

        def say(state: ConsentState, days: int) -> None:
            at = moment - timedelta(days=days)
            units.run(set_consents, one, [Consent("marketing", "e-mail", state, "form", at)], "Ada")

        say(ConsentState.GRANTED, 5)
        say(ConsentState.DENIED, 2)
        say(ConsentState.GRANTED, 3)
        say(ConsentState.GRANTED, 5)

        (held,) = get_consents(units, one)
        assert (held.state, held.at) == (ConsentState.DENIED, moment - timedelta(days=2))
        entries = list_entries(units.database, kind="customer", subject=str(one))
        assert [entry.action for entry, _ in entries][:2] == ["granted: marketing e-mail"] * 2


def test_consents_are_kept_by_api_and_command_and_file(
    shop: UnitsOfWork, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    first, second, third, *_ = first_ids()
    environment = {"DATABASE_URL": f"sqlite:///{path}"}
    with client_of(shop) as client:
        told = client.set_consents(first, [said("granted", source="web form")], by="Ada")
        assert [(c["state"], c["source"]) for c in told["consents"]] == [("granted", "web form")]
        many = [{"customer_id": one, **said("granted")} for one in (second, "nobody")]
        taken = client.set_many_consents(many)
        assert taken == {"kept": 1, "unknown": ["nobody"], "others": 1}
        with pytest.raises(ServiceError) as gone:
            client.get_consents("nobody")
        assert gone.value.status == 404
        with pytest.raises(ServiceError) as refused:
            client.set_consents(first, [said("granted", at="2999-01-01T00:00:00Z")])
        assert refused.value.problem["errors"][0]["field"] == "consents.0.at"
        for at in (0, 1.5, True, "5", "2026-01-01T00:00:00"):
            with pytest.raises(ServiceError) as refused:
                client.set_consents(first, [said("granted", at=at)])
            assert refused.value.problem["errors"][0]["field"] == "consents.0.at"
        result = run("consents", "set", third, "marketing", "letter", "denied", env=environment)
        assert "denied" in result.stdout
        Path("said.csv").write_text(
            "Customer,purpose,channel,state\n"
            f"{third},marketing,e-mail,granted\n{third},marketing,e-mail,perhaps\n"
        )
        result = run("consents", "import", "said.csv", env=environment)
        assert result.exit_code == 7
        assert "1 kept, 0 customers not there, 1 rejected" in result.stdout
        states = {c["channel"]: c["state"] for c in client.get_consents(third)["consents"]}
        assert states == {"letter": "denied", "e-mail": "granted"}


def test_an_export_for_a_channel_leaves_out_who_has_not_agreed(
    shop: UnitsOfWork, path: Path, tmp_path: Path
) -> None:
    everyone = first_ids()
    with client_of(shop) as client:
        client.set_many_consents(
            [{"customer_id": one, **said("granted", "post")} for one in everyone[:7]]
            + [{"customer_id": one, **said("denied", "post")} for one in everyone[7:10]]
        )
        audience = client.create_audience("Post", "consent('marketing', 'post')")
        assert audience["size"] == 7
        client.set_consents(everyone[0], [said("denied", "post")])
        assert client.get_audience(audience["id"])["size"] == 6

    for unknown, expected in (("denied", 6), ("granted", 56)):
        output = tmp_path / f"{unknown}.csv"
        result = run(
            *("export", "--consent", "marketing@post", "-o", str(output)),
            env={
                "DATABASE_URL": f"sqlite:///{path}",
                "CUSTOMER_SEGMENTATION_UNKNOWN_CONSENT": unknown,
            },
        )
        assert result.exit_code == 0, result.stderr
        with output.open() as file:
            assert len([*csv.DictReader(file)]) == expected
        assert f"{60 - expected} customers left out, who have not agreed" in result.stderr
    entries = list_entries(shop.database, kind="consent")
    assert [entry.action for entry, _ in entries][:2] == [
        "4 left out of an export",
        "54 left out of an export",
    ]


def test_a_campaign_draws_nobody_who_has_not_agreed_on_every_channel(shop: UnitsOfWork) -> None:
    everyone = first_ids()
    arms = [{"name": "Mail", "channel": "mail"}, {"name": "Call", "channel": "phone"}]
    with client_of(shop) as client:
        rows = [{"customer_id": one, **said("granted", "mail")} for one in everyone[:40]]
        rows += [{"customer_id": one, **said("granted", "phone")} for one in everyone[20:]]
        client.set_many_consents(rows)
        audience = client.create_audience("All", "spent >= 0")
        outcome = {"what": "visits"}
        made = client.create_campaign("Mail", audience["id"], arms, outcome, purpose="marketing")

        started = client.start_campaign(made["id"])

    assert (started["customers"], started["left_out"]) == (20, 40)


def test_the_next_best_action_says_why_and_keeps_off_closed_channels(shop: UnitsOfWork) -> None:
    *_, one, _ = first_ids()
    with client_of(shop) as client:
        segment = client.get_customer(one)["segment"]
        strategies = [
            {"text": "Write a mail", "channel": "e-mail"},
            {"text": "Write a letter", "channel": "letter"},
            {"text": "Put up a poster", "channel": "any"},
        ]
        client.edit_segment(segment, strategies=strategies)
        client.set_consents(one, [said("granted", "letter")])
        plain = client.get_customer(one)["next_best_action"]
        assert plain == {
            "text": "Put up a poster",
            "channel": "any",
            "reason": "It comes first of those for any channel",
        }
    with client_of(shop, consent_purpose="marketing") as client:
        assert client.get_customer(one)["next_best_action"]["text"] == "Put up a poster"
        client.edit_segment(segment, strategies=strategies[:2])
        assert client.get_customer(one)["next_best_action"]["text"] == "Write a letter"
        assert client.explain_customer(one)["next_best_action"]["text"] == "Write a letter"
        client.set_consents(one, [said("denied", "letter")])
        assert client.get_customer(one)["next_best_action"] is None


def test_what_worked_stays_with_its_segment_and_is_preferred(shop: UnitsOfWork) -> None:
    one = first_ids()[3]
    arms = [{"name": "Letter", "strategy": "Write a letter", "channel": "letter"}]
    with client_of(shop, prefer_measured=True) as client:
        segment = client.get_customer(one)["segment"]
        client.edit_segment(
            segment,
            strategies=[
                {"text": "Put up a poster", "channel": "any"},
                {"text": "Write a letter", "channel": "letter"},
            ],
        )
        audience = client.create_audience("Everyone", "spent >= 0")
        made = client.create_campaign(
            "Letters", audience["id"], arms, {"what": "visits"}, holdout_percent=50
        )
        assert client.get_customer(one)["next_best_action"]["text"] == "Put up a poster"
        client.start_campaign(made["id"])
        with shop.database.read() as connection:
            members = campaigns.read_members(connection, made["id"])
            ids = shop.ids.ids_of(connection, members.numbers.tolist())
        outcomes = [
            {"customer_id": who, "outcome": int(arm > 0)}
            for who, arm in zip(ids, members.arms.tolist(), strict=True)
        ]
        client.report_outcomes(made["id"], outcomes)
        client.end_campaign(made["id"])

        (result,) = client.list_results(segment)["results"]
        assert (result["strategy"], result["lift"], result["is_clear"]) == (
            "Write a letter",
            1,
            True,
        )
        chosen = client.get_customer(one)["next_best_action"]
        assert chosen["text"] == "Write a letter"
        assert chosen["reason"].startswith("It worked: Letter brought 100")
    with client_of(shop) as client:
        assert client.get_customer(one)["next_best_action"]["text"] == "Put up a poster"


def test_a_dossier_tells_all_that_is_kept(shop: UnitsOfWork, path: Path, tmp_path: Path) -> None:
    one = first_ids()[5]
    page = tmp_path / "dossier.html"
    with client_of(shop) as client:
        client.set_consents(one, [said("granted", source="<b>form</b>")])
        audience = client.create_audience("Seen", "spent >= 0")
        campaign = client.create_campaign("Seen", audience["id"], [{"name": "A"}], {"what": "x"})
        client.start_campaign(campaign["id"])

        told = client.get_dossier(one)

        customer = client.get_customer(one)
        values = {a["name"]: a["value"] for a in told["attributes"]}
        assert values == {name: customer[name] for name in values}
        assert told["segment"]["number"] == customer["segment"]
        assert told["segment_changes"][0]["cause"] == "added"
        assert {"Seen"} <= {*told["audiences"]}
        assert told["campaigns"][-1]["campaign"] == "Seen"
        assert "<b>form</b>" in {consent["source"] for consent in told["consents"]}
        assert told["audit_log"]
        with pytest.raises(ServiceError) as gone:
            client.get_dossier("nobody")
        assert gone.value.status == 404
        client.erase_customer(one)
        with pytest.raises(ServiceError) as gone:
            client.get_dossier(one)
        assert gone.value.status == 404
        other = first_ids()[6]
        client.set_consents(other, [said("granted", source="<b>form</b>")])
    result = run(
        *("consents", "dossier", other, "--html", "-o", str(page)),
        env={"DATABASE_URL": f"sqlite:///{path}"},
    )
    assert result.exit_code == 0, result.stderr
    assert "&lt;b&gt;form&lt;/b&gt;" in page.read_text()
    assert "<b>form" not in page.read_text()
