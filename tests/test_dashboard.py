"""The dashboard, in a browser, over a running service: each page and each action."""

import csv
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, FilePayload, Page, expect

from customer_segmentation.files.reading import open_table
from tests.servers import Server, free_port, running

PAGES = ["Overview", "Segments", "Customer", "What if", "Model", "Data"]
CLIENTS = """CLIENTNUM,Customer_Age,Sex,Annual_Income,Balance,Mortgage_Loan
30001,33,F,36000,1200.5,yes
900,61,M,24000,-3,no
30002,x,M,24000,0,no
"""

# A page is run anew for each click, which may take long on a machine with other work.
expect.set_options(timeout=30_000)
IMAGES = os.environ.get("DASHBOARD_SCREENSHOTS")


@contextmanager
def dashboard(url: str, directory: Path, **environment: str) -> Iterator[str]:
    """Serve the dashboard of a service; yield its address."""
    port = free_port()
    command = [sys.executable, "-m", "customer_segmentation", "dashboard"]
    with (directory / "dashboard.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--url", url, "--port", str(port)],
            cwd=directory,
            env=os.environ | environment,
            stdout=log,
            stderr=log,
        )
        try:
            address = f"http://127.0.0.1:{port}"
            deadline = time.monotonic() + 60.0
            while not answers(f"{address}/_stcore/health"):
                assert time.monotonic() < deadline
                time.sleep(0.1)
            yield address
        finally:
            process.terminate()
            process.wait()


def answers(url: str) -> bool:
    """Whether something answers there."""
    try:
        return httpx.get(url).status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture(scope="module")
def bank(loaded_sqlite: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A service that the tests of this module change."""
    directory = tmp_path_factory.mktemp("bank")
    (directory / "bank.db").write_bytes(loaded_sqlite.read_bytes())
    with running(f"sqlite:///{directory / 'bank.db'}", directory) as server:
        yield server


@pytest.fixture(scope="module")
def address(bank: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The dashboard's address."""
    with dashboard(bank.url, tmp_path_factory.mktemp("dashboard")) as found:
        yield found


@pytest.fixture
def faults() -> list[str]:
    """What the browser complains of."""
    return []


@pytest.fixture
def page(browser: Browser, address: str, faults: list[str]) -> Iterator[Page]:
    """The dashboard's first page."""
    opened = browser.new_page(viewport={"width": 1440, "height": 1000})
    opened.on("console", lambda told: faults.append(told.text) if told.type == "error" else None)
    opened.goto(address)
    settled(opened)
    yield opened
    opened.close()


def settled(page: Page) -> None:
    """Wait until the page is whole."""
    expect(page.get_by_role("heading", level=1)).to_be_visible(timeout=20_000)
    expect(page.get_by_test_id("stApp")).to_have_attribute(
        "data-test-script-state", "notRunning", timeout=20_000
    )


def go(page: Page, name: str) -> None:
    """Open a page from the menu."""
    page.get_by_test_id("stSidebarNavLink").filter(has_text=name).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(name)
    settled(page)


def put(page: Page, label: str, value: str) -> None:
    """Fill an input and leave it."""
    field = page.get_by_label(label, exact=True).locator("visible=true")
    field.fill(value)
    field.press("Tab")
    settled(page)


def test_every_page_shows_what_the_service_says(page: Page, faults: list[str]) -> None:
    for name in PAGES:
        if name != "Overview":
            go(page, name)
        expect(page.get_by_test_id("stException")).to_have_count(0)
        if IMAGES:
            page.wait_for_timeout(1500)
            file = f"dashboard-{name.lower().replace(' ', '-')}.png"
            page.screenshot(path=Path(IMAGES) / file)

    assert faults == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_is_accessible(
    browser: Browser, address: str, scheme: Literal["light", "dark"]
) -> None:
    opened = browser.new_page(viewport={"width": 1440, "height": 1000}, color_scheme=scheme)
    opened.goto(address)
    settled(opened)
    found = {}
    for name in PAGES:
        if name != "Overview":
            go(opened, name)
        if IMAGES and (name, scheme) == ("Overview", "dark"):
            opened.wait_for_timeout(1500)
            opened.screenshot(path=Path(IMAGES) / "dashboard-dark.png")
        for violation in Axe().run(opened).response["violations"]:
            if violation["impact"] in ("serious", "critical"):
                where = [node["html"][:200] for node in violation["nodes"]]
                found[name, violation["id"]] = where
    opened.close()

    assert not found


def test_an_audience_is_downloaded(page: Page, bank: Server) -> None:
    go(page, "Segments")
    with page.expect_download() as started:
        page.get_by_role("button", name="Download the audience").click()

    rows = list(csv.DictReader(started.value.path().read_text().splitlines()))
    told = bank.client.get("/v1/segments").json()["segments"][0]
    assert len(rows) == told["size"]
    assert {row["segment"] for row in rows} == {told["name"]}


def test_a_file_is_looked_at_mapped_and_imported(page: Page, bank: Server, tmp_path: Path) -> None:
    table = tmp_path / "clients.csv"
    table.write_text(CLIENTS)
    go(page, "Data")
    page.locator("input[type=file]").set_input_files(table)
    expect(page.get_by_text("The mapping above cannot be used")).to_be_visible()
    settled(page)

    mapping = page.get_by_role("textbox", name="Mapping")
    completed = mapping.input_value().replace('# column = "…"\n# default = …', "default = 0")
    mapping.fill(completed)
    mapping.press("Tab")
    expect(page.get_by_test_id("stMetricValue")).to_have_text(["2", "1"])
    page.get_by_role("button", name="Import", exact=True).click()

    expect(page.get_by_text("1 customers are added and 1 are changed.")).to_be_visible()
    added = bank.client.get("/v1/customers/30001").json()
    assert (added["gender"], added["monthly_income"], added["has_loan"]) == (1, 3000, 1)
    assert bank.client.get("/v1/customers/900").json()["age"] == 61


def test_a_file_that_is_none_is_told(page: Page) -> None:
    go(page, "Data")
    broken = FilePayload(name="x.xlsx", mimeType="text/plain", buffer=b"PK\x03\x04 and no more")
    page.locator("input[type=file]").set_input_files(broken)

    expect(page.get_by_text("x.xlsx")).to_be_visible()
    expect(page.get_by_test_id("stAlert")).to_be_visible()


def test_customers_are_exported_to_excel(page: Page, bank: Server) -> None:
    go(page, "Data")
    page.get_by_role("tab", name="Export").click()
    page.get_by_label("Who").click()
    page.get_by_role("option", name="3: Budget-Conscious Occasionals").click()
    page.get_by_text("Excel", exact=True).click()
    button = page.get_by_role("button", name="Export 3: Budget-Conscious Occasionals as Excel")
    expect(button).to_be_visible()
    settled(page)
    with page.expect_download() as started:
        button.click()

    with open_table(started.value.path()) as source:
        found = sum(len(block.lines) for block in source.blocks())
    assert found == bank.client.get("/v1/segments").json()["segments"][3]["size"]


def test_the_overview_tells_sizes_and_strategies(page: Page, bank: Server) -> None:
    told = bank.client.get("/v1/segments").json()

    expect(page.get_by_test_id("stMetricValue").first).to_have_text(f"{told['customers']:,}")
    for segment in told["segments"]:
        expect(page.get_by_text(f"{segment['size']:,} ({segment['share']:.1%})")).to_be_visible()
    expect(page.get_by_text("The segments are stable")).to_be_visible()
    expect(page.get_by_text("They overlap")).to_be_visible()


def test_a_customer_is_shown_changed_and_deleted(page: Page, bank: Server) -> None:
    go(page, "Customer")
    expect(page.get_by_role("heading", name="0: High-Value Power Users")).to_be_visible()
    put(page, "Customer id", "7287")
    page.get_by_role("tab", name="Change").click()
    put(page, "Total deposit amount", "9876")
    put(page, "Transaction count", "3")
    page.get_by_role("button", name="Save and segment anew").click()
    expect(page.get_by_text("Saved. The customer is in segment 3.")).to_be_visible()
    stored = bank.client.get("/v1/customers/7287").json()
    assert (stored["total_deposit_amount"], stored["transaction_count"]) == (9876, 3)

    put(page, "Customer id", "787")
    page.get_by_role("tab", name="Delete").click()
    expect(page.get_by_role("button", name="Delete")).to_be_disabled()
    page.get_by_text("I want customer 787 to be deleted").click()
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("Customer 787 is deleted.")).to_be_visible()
    assert bank.client.get("/v1/customers/787").status_code == 404


def test_a_customer_is_added_once(page: Page, bank: Server) -> None:
    go(page, "Customer")
    page.get_by_role("tab", name="Add").click()
    put(page, "New customer id", "20001")
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_text("Customer 20001 is added to segment 0")).to_be_visible()
    assert bank.client.get("/v1/customers/20001").status_code == 200

    page.get_by_role("button", name="Add").click()
    expect(page.get_by_text("A customer with id 20001 already exists")).to_be_visible()


def test_what_if_follows_the_inputs(page: Page) -> None:
    go(page, "What if")
    expect(page.get_by_role("heading", name="0: High-Value Power Users")).to_be_visible()

    put(page, "Transaction count", "0")
    put(page, "Loyalty score", "900")
    put(page, "Monthly income", "30000")
    put(page, "Account balance", "90000")

    expect(page.get_by_role("heading", name="2: Affluent Inactives")).to_be_visible()


def test_words_are_edited(page: Page, bank: Server) -> None:
    go(page, "Segments")
    page.get_by_test_id("stRadio").get_by_text("2: Affluent Inactives").click()
    settled(page)
    page.get_by_text("Name, description and strategies").click()
    description = page.get_by_role("textbox", name="Description")
    expect(description).to_have_count(1)
    description.fill("Rich, and rarely seen.")
    page.get_by_role("button", name="Save").click()

    expect(page.get_by_text("Saved; every server shows it")).to_be_visible()
    told = bank.client.get("/v1/segments").json()["segments"][2]
    assert told["description"] == "Rich, and rarely seen."


def test_a_model_is_trained_compared_and_rolled_back(page: Page, bank: Server) -> None:
    go(page, "Model")
    page.get_by_role("tab", name="Train").click()
    page.get_by_role("button", name="Retrain").click()
    expect(page.get_by_text("Model version 2 serves.")).to_be_visible(timeout=60_000)

    page.reload()
    settled(page)
    page.get_by_role("tab", name="Compare").click()
    expect(page.get_by_text("Agreement")).to_be_visible()
    page.get_by_role("tab", name="Versions").click()
    page.get_by_text("Every customer is to be segmented by it at once").click()
    page.get_by_role("button", name="Activate").click()
    settled(page)

    deadline = time.monotonic() + 10.0
    while bank.client.get("/health/ready").json()["model_version"] != 1:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_study_advises_a_number_of_segments(page: Page) -> None:
    go(page, "Model")
    page.get_by_role("tab", name="Study").click()
    page.get_by_role("button", name="Study 2 to 8 segments").click()

    expect(page.get_by_text("number of segments")).to_be_visible(timeout=120_000)
    expect(page.get_by_test_id("stException")).to_have_count(0)


@pytest.mark.parametrize("width", [390, 1440])
def test_nothing_is_wider_than_the_screen(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.wait_for_timeout(500)

    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_it_is_told_that_the_service_is_away(browser: Browser, tmp_path: Path) -> None:
    with dashboard("http://127.0.0.1:9", tmp_path) as address:
        page = browser.new_page()
        page.goto(address)

        expect(page.get_by_text(re.compile("does not answer"))).to_be_visible(timeout=30_000)
        expect(page.get_by_text(re.compile("Start it with"))).to_be_visible()
        page.close()


def test_it_is_told_that_a_key_is_missing(
    browser: Browser, loaded_sqlite: Path, tmp_path: Path
) -> None:
    (tmp_path / "bank.db").write_bytes(loaded_sqlite.read_bytes())
    keys = {"CUSTOMER_SEGMENTATION_AUTH": "keys"}
    with (
        running(f"sqlite:///{tmp_path / 'bank.db'}", tmp_path, **keys) as server,
        dashboard(server.url, tmp_path) as address,
    ):
        page = browser.new_page()
        page.goto(address)

        expect(page.get_by_text(re.compile("keys create"))).to_be_visible(timeout=30_000)
        page.close()
