"""The dashboard's pages on audiences, on campaigns and on trends, in a browser."""

import csv
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import select, update

from customer_segmentation.domain.history import Cause
from customer_segmentation.store.database import Database
from customer_segmentation.store.queries import history
from customer_segmentation.store.tables import segment_changes
from tests.support.dashboards import (
    choose,
    dashboard,
    go,
    picture,
    put,
    serious_findings,
    settled,
)
from tests.support.servers import Server, running, until

expect.set_options(timeout=90_000)

RULE = "segment = 2\nAND age >= 60\nAND gender = 'Female'"


@pytest.fixture(scope="module")
def bank(loaded_sqlite: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A service that the tests of this module change."""
    directory = tmp_path_factory.mktemp("bank")
    (directory / "bank.db").write_bytes(loaded_sqlite.read_bytes())
    _give_a_past(directory / "bank.db")
    with running(f"sqlite:///{directory / 'bank.db'}", directory) as server:
        others = {
            "Older people": "age >= 70",
            "Borrowers": "has_loan AND segment IN (1, 2)",
            "Short-lived": "age < 20",
        }
        for name, rule in others.items():
            body = {"name": name, "rule": rule, "owner": "Ada"}
            server.client.post("/v1/audiences", json=body).raise_for_status()
        yield server


def _give_a_past(path: Path) -> None:
    """Let customers have come over half a year, and some have moved within four weeks."""
    database = Database(f"sqlite:///{path}")
    number = segment_changes.c.customer_id
    today = datetime.now(UTC)
    with database.write() as connection:
        for part in range(12):
            moment = today - timedelta(days=29 + 13 * part)
            connection.execute(
                update(segment_changes).where(number % 12 == part).values(changed_at=moment)
            )
        for place in range(4):
            some = (number % 97 == place) & (segment_changes.c.to_segment == place)
            ids = np.array(connection.scalars(select(number).where(some)).all())
            others = np.resize(np.array([n for n in range(4) if n != place]), len(ids))
            for other in range(4):
                chosen = number.in_(ids[others == other].tolist())
                connection.execute(update(segment_changes).where(chosen).values(to_segment=other))
            sides = (others, np.full(len(ids), place))
            moment = today - timedelta(days=3 + 7 * place)
            history.add_many(connection, ids, moment, Cause.UPDATED, sides, 1)
    database.close()


@pytest.fixture(scope="module")
def address(bank: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The dashboard's address."""
    with dashboard(bank.url, tmp_path_factory.mktemp("dashboard")) as found:
        yield found


@pytest.fixture(scope="module")
def page(browser: Browser, address: str) -> Iterator[Page]:
    """The dashboard in a window that the tests of this module share."""
    opened = browser.new_page(viewport={"width": 1440, "height": 1000})
    faults: list[str] = []
    opened.on("console", lambda told: faults.append(told.text) if told.type == "error" else None)
    opened.goto(address)
    settled(opened)
    yield opened
    assert faults == []
    opened.close()


def pick(page: Page, label: str, option: str) -> None:
    """Choose one more option of a list of several."""
    field = page.get_by_role("combobox", name=label, exact=True).locator("visible=true")
    field.fill(option)
    page.get_by_role("option", name=option, exact=True).click()
    page.keyboard.press("Escape")
    settled(page)


def test_an_audience_is_built_by_fields_and_text_and_saved(page: Page, bank: Server) -> None:
    go(page, "Audiences", "Build")
    expect(page.get_by_text("Choose at least one condition")).to_be_visible()
    pick(page, "In segments", "2: Affluent Inactives")
    pick(page, "Attributes", "Age")
    put(page, "Age (years), from", "60")
    pick(page, "Attributes", "Gender")
    pick(page, "Gender", "Female")
    rule = page.get_by_label("Rule", exact=True)
    expect(rule).to_have_value(RULE)
    told = bank.client.post("/v1/audiences:count", json={"rule": RULE}).json()
    expect(page.get_by_text(f"{told['customers']:,}", exact=True).first).to_be_visible()
    picture(page, "audiences-build")

    rule.fill(f"{RULE} AND (has_loan OR email_interaction)")
    rule.press("Control+Enter")
    whole = f"{RULE}\nAND (has_loan OR email_interaction)"
    told = bank.client.post("/v1/audiences:count", json={"rule": whole}).json()
    expect(page.get_by_text(f"{told['customers']:,}", exact=True).first).to_be_visible()
    expect(page.get_by_role("spinbutton", name="Age (years), from")).to_have_value("60")
    put(page, "Age (years), from", "65")
    expect(rule).to_have_value(whole.replace("60", "65"))
    assert serious_findings(page) == {}

    page.get_by_role("button", name="Save the audience").click()
    expect(page.get_by_text("The audience needs a name.")).to_be_visible()
    put(page, "Name", "older people")
    page.get_by_role("button", name="Save the audience").click()
    expect(page.get_by_text("already")).to_be_visible()
    put(page, "Name", "Older *affluent*")
    page.get_by_role("button", name="Save the audience").click()
    expect(page.get_by_text("Older *affluent* is saved.")).to_be_visible()
    made = bank.client.get("/v1/audiences").json()["audiences"][-1]
    assert (made["name"], made["is_frozen"]) == ("Older *affluent*", False)
    assert made["rule"] == whole.replace("60", "65")


def test_a_rule_that_is_none_is_told_where_it_is_written(page: Page) -> None:
    go(page, "Audiences", "Build")
    rule = page.get_by_label("Rule", exact=True)
    rule.fill("segment = 2 AND height > 3")
    rule.press("Control+Enter")

    expect(page.get_by_role("alert").filter(has_text="height")).to_be_visible()
    expect(page.get_by_role("button", name="Save the audience")).to_have_count(0)


def test_the_address_and_back_lead_to_the_rule_and_the_audience(
    browser: Browser, address: str
) -> None:
    window = browser.new_page(viewport={"width": 1440, "height": 1000})
    window.goto(f"{address}/audiences?view=one&audience=2")
    settled(window)
    expect(window.get_by_text("has_loan AND segment IN (1, 2)").first).to_be_visible()
    window.get_by_role("button", name="Build another from this rule").click()
    rule = window.get_by_label("Rule", exact=True)
    expect(rule).to_have_value("has_loan AND segment IN (1, 2)")
    settled(window)
    expect(window).to_have_url(re.compile("view=build"))
    window.go_back()
    expect(window.get_by_role("tab", name="Audience", exact=True)).to_have_attribute(
        "aria-selected", "true"
    )
    settled(window)

    window.goto(f"{address}/audiences?view=one&audience=99")
    expect(window.get_by_text("There is no such audience.")).to_be_visible()
    window.close()


def test_an_audience_is_looked_at(page: Page, bank: Server) -> None:
    go(page, "Audiences", "All")
    expect(page.get_by_text("audiences. Choose a row to look closer.")).to_be_visible()
    go(page, "Audiences", "Audience")
    choose(page, "Which audience", "Older people")
    expect(page.get_by_role("row").filter(has_text="Age (years)")).to_be_visible()
    picture(page, "audiences")
    assert serious_findings(page) == {}
    page.get_by_role("tab", name="Overlap").click()
    shared = bank.client.get("/v1/audiences/1/overlaps").json()["overlaps"][0]["customers"]
    expect(page.get_by_text(f"{shared:,}, ")).to_be_visible()
    page.get_by_role("tab", name="Size").click()
    expect(page.get_by_role("figure", name="Customers of Older people by day")).to_be_visible()
    settled(page)
    with page.expect_download() as started:
        page.get_by_role("button", name="Download as CSV").click()
    rows = list(csv.DictReader(started.value.path().read_text().splitlines()))
    assert int(rows[-1]["customers"]) == bank.client.get("/v1/audiences/1").json()["size"]


def test_an_audience_is_exported_with_a_holdout(page: Page, bank: Server) -> None:
    go(page, "Audiences", "Audience")
    choose(page, "Which audience", "Borrowers")
    page.get_by_role("tab", name="Export").click()
    settled(page)
    put(page, "Hold out, in percent", "10")
    expect(page.get_by_text("Name the campaign")).to_be_visible()
    put(page, "Campaign", "spring")
    with page.expect_download(timeout=90_000) as started:
        page.get_by_role("button", name="Export Borrowers as CSV").click()

    rows = list(csv.DictReader(started.value.path().read_text().splitlines()))
    assert len(rows) == bank.client.get("/v1/audiences/2").json()["size"]
    held_out = sum(row["group"] == "holdout" for row in rows) / len(rows)
    assert held_out == pytest.approx(0.1, abs=0.03)


def test_who_changes_an_audience_undoes_nothing_that_another_changed_meanwhile(
    page: Page, bank: Server
) -> None:
    go(page, "Audiences", "Audience")
    choose(page, "Which audience", "Borrowers")
    page.get_by_role("tab", name="Change").click()
    settled(page)
    put(page, "Description", "Who owe us something.")
    bank.client.patch("/v1/audiences/2", json={"owner": "Bob"}).raise_for_status()
    page.get_by_role("button", name="Save changes").click()

    expect(page.get_by_text("What you wrote is still in the form")).to_be_visible()
    settled(page)
    expect(page.get_by_label("Description", exact=True)).to_have_value("Who owe us something.")
    assert bank.client.get("/v1/audiences/2").json()["description"] == ""

    page.get_by_role("button", name="Show the current values").click()
    expect(page.locator("input[aria-label='Owner'][value='Bob']")).to_be_visible()
    settled(page)
    put(page, "Description", "Who owe us something.")
    page.get_by_role("button", name="Save changes").click()
    expect(page.get_by_text("Borrowers is saved.")).to_be_visible()
    found = bank.client.get("/v1/audiences/2").json()
    assert (found["description"], found["owner"]) == ("Who owe us something.", "Bob")


def test_a_campaign_is_planned_and_started(page: Page, bank: Server) -> None:
    go(page, "Campaigns", "Plan")
    choose(page, "Audience", "Older people")
    put(page, "Number of arms", "2")
    fields = {"Name": "spring", "Arm 1": "Cashback", "Arm 2": "Call"}
    fields |= {"What it is to bring": "renewals", "Hold out, in percent": "20"}
    for label, value in fields.items():
        put(page, label, value)
    told = page.get_by_role("row").filter(has_text="Cashback")
    expect(told).to_contain_text("points")
    page.get_by_role("heading", level=1).click()
    page.mouse.move(0, 0)
    picture(page, "campaigns-plan")
    assert serious_findings(page) == {}
    page.get_by_role("button", name="Plan the campaign").click()
    expect(page.get_by_text("spring is planned.")).to_be_visible()
    expect(page.get_by_role("heading", name="Start")).to_be_visible()
    settled(page)

    page.get_by_text("I want to start spring").click()
    page.get_by_role("button", name="Start the campaign").click()
    expect(page.get_by_text("spring is running.")).to_be_visible()
    found = bank.client.get("/v1/campaigns").json()["campaigns"][-1]
    assert (found["name"], found["state"]) == ("spring", "running")
    assert [arm["name"] for arm in found["plan"]["arms"]] == ["Cashback", "Call"]
    assert found["plan"]["holdout_percent"] == 20


def test_a_campaign_is_exported_reported_read_out_and_ended(
    page: Page, bank: Server, tmp_path: Path
) -> None:
    arms = [{"name": "Voucher"}, {"name": "Letter", "cost": 0.5}]
    plan = {"outcome": {"what": "renewals", "value": 40}, "arms": arms, "holdout_percent": 20}
    body = {"name": "autumn", "audience_id": 2, **plan}
    number = bank.client.post("/v1/campaigns", json=body).json()["id"]
    bank.client.post(f"/v1/campaigns/{number}:start").raise_for_status()
    go(page, "Audiences")
    until(lambda: _has_campaign(page, "autumn"))

    page.get_by_role("tab", name="Export").click()
    with page.expect_download(timeout=90_000) as started:
        page.get_by_role("button", name="Export the arms as CSV").click()
    drawn = list(csv.DictReader(started.value.path().read_text().splitlines()))
    assert {row["group"] for row in drawn} == {"holdout", "Voucher", "Letter"}
    table = tmp_path / "renewals.csv"
    table.write_text("\n".join(_outcomes_of(drawn)))
    page.get_by_role("tab", name="Outcomes").click()
    page.locator("input[type=file]").set_input_files(table)
    expect(page.get_by_text("1 row would not be taken")).to_be_visible()
    settled(page)
    page.get_by_role("button", name=f"Report {len(drawn):,} customers").click()
    done = f"{len(drawn):,} customers noted, 0 not in the campaign, 1 rejected."
    expect(page.get_by_text(done)).to_be_visible()
    settled(page)

    page.get_by_role("tab", name="Read-out").click()
    for arm in bank.client.get(f"/v1/campaigns/{number}/read-out").json()["arms"]:
        expect(page.get_by_text(arm["overall"]["sentence"], exact=True).first).to_be_visible()
    expect(page.get_by_role("figure", name="Voucher brought")).to_be_visible()
    picture(page, "campaigns")
    assert serious_findings(page) == {}
    page.get_by_role("tab", name="End or delete").click()
    settled(page)
    page.get_by_text("I want to end autumn").click()
    page.get_by_role("button", name="End the campaign").click()
    expect(page.get_by_text("autumn has ended.")).to_be_visible()
    assert bank.client.get(f"/v1/campaigns/{number}").json()["state"] == "ended"


def _has_campaign(page: Page, name: str) -> bool:
    """Choose a campaign, which the dashboard may not have heard of for some seconds."""
    go(page, "Campaigns", "All")
    go(page, "Campaigns", "Campaign")
    field = page.get_by_label("Which campaign")
    if not field.count():
        return False
    field.click()
    option = page.get_by_role("option", name=name, exact=True)
    found = option.count() == 1
    option.click() if found else page.keyboard.press("Escape")
    settled(page)
    return found


def _outcomes_of(drawn: list[dict[str, str]]) -> list[str]:
    """Return the lines of a table in which one arm brings more than no arm; one is none."""
    lines = ["customer id;outcome;addressed", "no id;1;yes"]
    for row in drawn:
        number, arm = int(row["customer id"]), row["group"]
        renewed = number % 100 < (33 if arm == "Voucher" else 22)
        lines.append(f"{number};{'yes' if renewed else 'no'};{int(arm != 'holdout')}")
    return lines


def test_an_audience_is_deleted_by_who_is_sure(page: Page, bank: Server) -> None:
    go(page, "Audiences", "Audience")
    choose(page, "Which audience", "Short-lived")
    page.get_by_role("tab", name="Delete").click()
    expect(page.get_by_role("button", name="Delete")).to_be_disabled()
    page.get_by_text("I want Short-lived to be deleted").click()
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("Short-lived is deleted.")).to_be_visible()
    names = [one["name"] for one in bank.client.get("/v1/audiences").json()["audiences"]]
    assert "Short-lived" not in names
    expect(page).not_to_have_url(re.compile("audience="))


def test_trends_show_sizes_flows_and_audiences_and_download_them(page: Page, bank: Server) -> None:
    go(page, "Trends")
    page.get_by_role("radio", name="26 weeks").click()
    expect(page).to_have_url(re.compile("weeks=26$"))
    page.get_by_role("radio", name="12 weeks").click()
    expect(page).not_to_have_url(re.compile("weeks="))
    expect(page.get_by_role("figure", name="Customers by segment and week")).to_be_visible()
    settled(page)
    picture(page, "trends")
    with page.expect_download() as started:
        page.get_by_role("button", name="Download as CSV").click()
    rows = list(csv.DictReader(started.value.path().read_text().splitlines()))
    told = bank.client.get("/v1/segments/sizes?weeks=12").json()["sizes"]
    assert [int(row["2: Affluent Inactives"]) for row in rows] == [
        one["customers"]["2"] for one in told[-len(rows) :]
    ]
    assert len(rows) > 10

    go(page, "Trends", "Flows")
    expect(page.get_by_role("figure", name="Customers who moved")).to_be_visible()
    picture(page, "flows")
    go(page, "Trends", "Audiences")
    expect(page.get_by_role("figure", name="Customers by audience and day")).to_be_visible()
    page.get_by_role("figure", name="Customers by audience and day").hover()
    with page.expect_download() as started:
        page.locator("[data-title^='Download plot as']").locator("visible=true").click()
    assert started.value.suggested_filename == "audience-sizes.png"
    assert serious_findings(page) == {}


@pytest.mark.long
def test_every_tab_fits_a_phone(browser: Browser, address: str) -> None:
    opened = browser.new_page(viewport={"width": 390, "height": 900})
    for view in (
        "audiences",
        "audiences?view=one&audience=1",
        "audiences?view=build&rule=segment%20%3D%202",
        "campaigns?view=one",
        "campaigns?view=plan",
        "trends",
        "trends?view=flows&weeks=26",
    ):
        opened.goto(f"{address}/{view}")
        settled(opened)
        expect(opened.get_by_test_id("stException")).to_have_count(0)
        assert opened.evaluate("document.documentElement.scrollWidth") <= 390, view
    opened.close()
