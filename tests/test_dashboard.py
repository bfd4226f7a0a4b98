"""The dashboard, in a browser, over a running service: each page and each action."""

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter
from playwright.sync_api import Browser, FilePayload, Page, expect

from customer_segmentation.client import Client
from customer_segmentation.domain.features import FEATURE_NAMES
from customer_segmentation.files.reading import open_table
from tests.dashboards import (
    PICTURES,
    TABS,
    choose,
    dashboard,
    go,
    picture,
    put,
    serious_findings,
    settled,
)
from tests.servers import Server, running

CLIENTS = """CLIENTNUM,Customer_Age,Sex,Annual_Income,Balance,Mortgage_Loan
30001,33,F,36000,1200.5,yes
900,61,M,24000,-3,no
30002,x,M,24000,0,no
"""
SCHEMES: tuple[Literal["dark", "light"], ...] = ("dark", "light")
GROUNDS = {"dark": "rgb(18, 23, 29)", "light": "rgb(255, 255, 255)"}
"""The colour behind a page, once it is drawn in a scheme."""

PICTURED = {
    ("Overview", "", 1440, "light"): "overview",
    ("Overview", "", 1440, "dark"): "dark",
    ("Overview", "", 390, "light"): "phone",
    ("Segments", "Profile", 1440, "light"): "segments",
    ("Segments", "Distributions", 1440, "light"): "distributions",
    ("Segments", "Compare", 1440, "dark"): "compare",
    ("Segments", "Map", 1440, "light"): "map",
    ("Customer", "Card", 1440, "light"): "customer",
    ("What if", "", 1440, "dark"): "what-if",
    ("What if", "", 390, "dark"): "what-if-phone",
}
"""What the documentation shows, by page, tab, width and scheme."""

# A page is run anew for each click, which may take long on a machine with other work.
expect.set_options(timeout=30_000)


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


@pytest.fixture(scope="module")
def window(browser: Browser, address: str) -> Iterator[Page]:
    """The dashboard in a window that the tests of this module share."""
    opened = browser.new_page(viewport={"width": 1440, "height": 1000})
    opened.goto(address)
    settled(opened)
    yield opened
    opened.close()


@pytest.fixture
def page(window: Page) -> Iterator[Page]:
    """That window, in which nothing may go wrong meanwhile."""
    faults = watch(window)
    go(window, "Overview")
    yield window
    assert faults == []


def watch(page: Page) -> list[str]:
    """Return a list to which the browser's complaints are added as they come."""
    faults: list[str] = []
    page.on("console", lambda told: faults.append(told.text) if told.type == "error" else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    return faults


def test_the_overview_tells_sizes_shares_changes_and_strategies(page: Page, bank: Server) -> None:
    told = bank.client.get("/v1/segments").json()

    expect(page.get_by_text(f"{told['customers']:,} customers in 4 segments")).to_be_visible()
    for segment in told["segments"]:
        expect(
            page.get_by_text(f"{segment['size']:,}{segment['share']:.1%} of all")
        ).to_be_visible()
        expect(page.get_by_text(segment["strategies"][0]["text"])).to_be_visible()
    expect(page.get_by_text("in seven days", exact=True)).to_have_count(4)
    expect(page.get_by_text("Trainings on samples find the same segments.")).to_be_visible()
    expect(page.get_by_text("The segments overlap, as habits do.")).to_be_visible()

    page.get_by_role("link", name="Look closer").nth(2).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Segments")
    settled(page)
    expect(page.get_by_text(f"{told['segments'][2]['size']:,} customers (")).to_be_visible()


@pytest.mark.parametrize("width", [390, 1440])
def test_every_page_fits_the_screen_and_keeps_nobody_out(
    browser: Browser, address: str, width: int
) -> None:
    opened = browser.new_page(viewport={"width": width, "height": 900})
    faults, found = watch(opened), {}
    opened.goto(address)
    settled(opened)
    for name, tabs in TABS.items():
        for tab in tabs or [""]:
            go(opened, name, tab)
            if (name, tab) == ("Customer", "Card"):
                put(opened, "Customer id", "56")
            expect(opened.get_by_test_id("stException")).to_have_count(0)
            assert opened.evaluate("document.documentElement.scrollWidth") <= width, (name, tab)
            for scheme in SCHEMES:
                opened.emulate_media(color_scheme=scheme)
                expect(opened.get_by_test_id("stApp")).to_have_css(
                    "background-color", GROUNDS[scheme]
                )
                picture(opened, PICTURED.get((name, tab, width, scheme)))
                # Colours differ by scheme and layout by width: on each tab either is looked at.
                if tab in ("", *tabs[:1]) or (width == 1440) == (scheme == "dark"):
                    found[name, tab, scheme] = serious_findings(opened)
    opened.close()

    assert {where: what for where, what in found.items() if what} == {}
    assert faults == []


def test_the_keyboard_is_enough(page: Page) -> None:
    page.get_by_test_id("stSidebarNavLink").filter(has_text="Segments").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Segments")
    settled(page)

    page.get_by_role("tab", name="Profile").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")

    expect(page.get_by_role("tab", name="Distributions")).to_have_attribute("aria-selected", "true")
    expect(page.get_by_label("Attribute", exact=True)).to_be_visible()


def test_an_audience_is_downloaded(page: Page, bank: Server) -> None:
    go(page, "Segments", "Profile")
    page.get_by_role("radio", name="0: High-Value Power Users").click()
    settled(page)
    with page.expect_download() as started:
        page.get_by_role("button", name="Download the audience").click()

    rows = list(csv.DictReader(started.value.path().read_text().splitlines()))
    told = bank.client.get("/v1/segments").json()["segments"][0]
    assert len(rows) == told["size"]
    assert {row["segment"] for row in rows} == {told["name"]}


def test_segments_are_compared_and_seen_on_a_map(page: Page) -> None:
    go(page, "Segments", "Compare")
    table = page.get_by_role("table")
    expect(table.get_by_role("columnheader")).to_have_count(5)
    page.get_by_role("button", name="3: Budget-Conscious Occasionals").last.click()
    expect(table.get_by_role("columnheader")).to_have_count(4)

    go(page, "Segments", "Map")
    expect(page.get_by_text("1,500 customers drawn by chance")).to_be_visible()
    expect(page.get_by_test_id("stPlotlyChart")).to_be_visible()


def test_words_are_edited(page: Page, bank: Server) -> None:
    go(page, "Segments", "Strategies")
    page.get_by_role("radio", name="2: Affluent Inactives").click()
    settled(page)
    put(page, "Name", " ")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("A segment needs a name.")).to_be_visible()

    put(page, "Name", "Affluent Inactives")
    put(page, "Description", "Rich, and rarely seen.")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved; every server shows it")).to_be_visible()
    told = bank.client.get("/v1/segments").json()["segments"][2]
    assert (told["name"], told["description"]) == ("Affluent Inactives", "Rich, and rarely seen.")


def test_a_customer_is_found_by_what_it_is_like(page: Page, bank: Server) -> None:
    go(page, "Customer", "Search")
    choose(page, "In segment", "2: Affluent Inactives")
    page.get_by_text("With values between").click()
    put(page, "Age (years), from", "90")
    query = "/v1/customers?segment=2&age_min=90&sort=-monthly_income"
    wanted = bank.client.get(query).json()["customers"]
    assert len(wanted) > 1
    expect(page.get_by_text(f"{len(wanted)} customers. Choose a row")).to_be_visible()

    table = page.get_by_test_id("stDataFrame")
    table.scroll_into_view_if_needed()
    table.click(position={"x": 20, "y": 55})
    expect(page.get_by_label("Customer id")).to_have_value(str(wanted[0]["customer_id"]))
    expect(page.get_by_role("heading", name="2: Affluent Inactives")).to_be_visible()


def test_a_customer_is_shown_changed_and_deleted(page: Page, bank: Server) -> None:
    go(page, "Customer", "Card")
    put(page, "Customer id", "7287")
    expect(page).to_have_url(re.compile("id=7287$"))
    settled(page)
    expect(page.get_by_role("heading", name="What would move it")).to_be_visible()
    page.get_by_role("tab", name="Change").click()
    settled(page)
    put(page, "Total deposit amount", "a lot")
    page.get_by_role("button", name="Save and segment anew").click()
    fault = "Total deposit amount must be a finite number of at least 0, not a text"
    expect(page.get_by_role("alert").filter(has_text=fault)).to_be_visible()
    assert bank.client.get("/v1/customers/7287").json()["total_deposit_amount"] != 9876

    put(page, "Total deposit amount", "9,876")
    put(page, "Transaction count", "3")
    page.get_by_role("button", name="Save and segment anew").click()
    done = "Customer 7,287 is saved, and in 3: Budget-Conscious Occasionals."
    expect(page.get_by_text(done)).to_be_visible()
    stored = bank.client.get("/v1/customers/7287").json()
    assert (stored["total_deposit_amount"], stored["transaction_count"]) == (9876, 3)
    page.get_by_role("tab", name="History").click()
    expect(page.get_by_text("Added, ")).to_be_visible()

    put(page, "Customer id", "787")
    expect(page).to_have_url(re.compile("id=787$"))
    settled(page)
    page.get_by_role("tab", name="Delete").click()
    expect(page.get_by_role("button", name="Delete")).to_be_disabled()
    page.get_by_text("I want customer 787 to be deleted").click()
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("Customer 787 is deleted.")).to_be_visible()
    assert bank.client.get("/v1/customers/787").status_code == 404


def test_a_customer_is_added_once_and_faults_are_told_at_the_field(
    page: Page, bank: Server
) -> None:
    go(page, "Customer", "Add")
    put(page, "Age (years)", "131")
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_text("Age must be an integer from 0 to 130")).to_be_visible()
    expect(page.get_by_text("Customer id must be an integer of at least 1")).to_be_visible()

    put(page, "Age (years)", "45")
    put(page, "New customer id", "20001")
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_text("Customer 20,001 is added, and in segment 0")).to_be_visible()
    assert bank.client.get("/v1/customers/20001").status_code == 200

    page.get_by_role("button", name="Add").click()
    expect(page.get_by_text("A customer with id 20001 already exists")).to_be_visible()


def test_what_if_follows_sliders_and_inputs_from_an_existing_customer(page: Page) -> None:
    go(page, "What if")
    put(page, "Start from a customer", "56")
    heading = page.get_by_role("heading", level=2)
    expect(heading.first).to_have_text("0: High-Value Power Users")
    expect(page.get_by_label("Loyalty score, exactly")).to_have_value("725")

    slider = page.get_by_role("slider", name="Loyalty score")
    slider.press("ArrowLeft")
    expect(page.get_by_label("Loyalty score, exactly")).to_have_value("724")
    put(page, "Transaction count, exactly", "0")
    put(page, "Loyalty score, exactly", "900")
    put(page, "Monthly income, exactly", "30000")
    put(page, "Account balance, exactly", "90000")

    expect(heading.first).to_have_text("2: Affluent Inactives")
    expect(slider).to_have_value("900")


def test_a_file_is_looked_at_mapped_tried_and_imported(
    page: Page, bank: Server, tmp_path: Path
) -> None:
    table = tmp_path / "clients.csv"
    table.write_text(CLIENTS)
    go(page, "Data", "Import")
    page.locator("input[type=file]").set_input_files(table)
    expect(page.get_by_text("The mapping above cannot be used")).to_be_visible()
    settled(page)

    mapping = page.get_by_role("textbox", name="Mapping")
    completed = mapping.input_value().replace('# column = "…"\n# default = …', "default = 0")
    mapping.fill(completed)
    mapping.press("Tab")
    expect(page.get_by_text("Rows that are not imported")).to_be_visible()
    page.get_by_role("button", name="Dry run").click()
    told = page.get_by_text("Dry run: 1 customers would be added and 1 would be changed.")
    expect(told).to_be_visible()
    assert bank.client.get("/v1/customers/30001").status_code == 404
    picture(page, "data")

    page.get_by_text("Add new customers only").click()
    expect(page.get_by_role("radio", name="Add new customers only")).to_be_checked()
    settled(page)
    page.get_by_role("button", name="Dry run").click()
    expect(page.get_by_text("1 would be refused.")).to_be_visible()
    page.get_by_text("change those who are there").click()
    settled(page)
    page.get_by_role("button", name="Import", exact=True).click()

    expect(page.get_by_text("1 customers are added and 1 are changed.")).to_be_visible()
    added = bank.client.get("/v1/customers/30001").json()
    assert (added["gender"], added["monthly_income"], added["has_loan"]) == (1, 3000, 1)
    assert bank.client.get("/v1/customers/900").json()["age"] == 61


def test_parquet_and_excel_are_looked_at_and_a_file_that_is_neither_is_told(
    page: Page, bank: Server, tmp_path: Path
) -> None:
    with Client(bank.url) as client:
        some: list[dict[str, Any]] = client.list_customers(limit=50)["customers"]
    names = ["customer_id", *FEATURE_NAMES]
    parquet, excel = tmp_path / "some.parquet", tmp_path / "some.xlsx"
    pq.write_table(pa.Table.from_pylist([{n: one[n] for n in names} for one in some]), parquet)
    with xlsxwriter.Workbook(excel) as book:
        sheet = book.add_worksheet()
        for place, row in enumerate([names, *([one[n] for n in names] for one in some[:40])]):
            sheet.write_row(place, 0, row)
    go(page, "Data", "Import")
    for path, count in ((parquet, 50), (excel, 40)):
        page.locator("input[type=file]").set_input_files(path)
        expect(page.get_by_text(str(count), exact=True)).to_be_visible()
        settled(page)
        page.get_by_role("button", name="Dry run").click()
        told = f"Dry run: 0 customers would be added and {count} would be changed."
        expect(page.get_by_text(told)).to_be_visible()

    broken = FilePayload(name="x.xlsx", mimeType="text/plain", buffer=b"PK\x03\x04 and no more")
    page.locator("input[type=file]").set_input_files(broken)
    expect(page.get_by_text("x.xlsx").first).to_be_visible()
    expect(page.get_by_test_id("stAlertContentError")).to_be_visible()


def test_customers_are_exported_to_excel(page: Page, bank: Server) -> None:
    go(page, "Data", "Export")
    choose(page, "Who", "3: Budget-Conscious Occasionals")
    page.get_by_text("Excel", exact=True).click()
    button = page.get_by_role("button", name="Export 3: Budget-Conscious Occasionals as Excel")
    expect(button).to_be_visible()
    settled(page)
    with page.expect_download() as started:
        button.click()

    with open_table(started.value.path()) as source:
        found = sum(len(block.lines) for block in source.blocks())
    assert found == bank.client.get("/v1/segments").json()["segments"][3]["size"]


def test_a_model_is_trained_compared_and_rolled_back(page: Page, bank: Server) -> None:
    go(page, "Model", "Train")
    page.get_by_role("button", name="Retrain").click()
    expect(page.get_by_role("progressbar")).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("It is cancelled; the model that served goes on.")).to_be_visible()

    put(page, "Number of segments", "6")
    page.get_by_role("button", name="Retrain").click()
    held_back = page.get_by_text("Version 2 is trained, but held back as a candidate")
    expect(held_back).to_be_visible(timeout=90_000)
    expect(page.get_by_text("The silhouette would fall")).to_be_visible()

    go(page, "Model", "Compare")
    expect(page.get_by_text("Would move")).to_be_visible()
    expect(page.get_by_test_id("stPlotlyChart")).to_be_visible()
    picture(page, "model")
    for version in (2, 1):
        go(page, "Model", "Versions")
        sure = f"Every customer is to be segmented by version {version} at once"
        page.get_by_text(sure).click()
        page.get_by_role("button", name="Activate").click()
        expect(page.get_by_text(f"Version {version} serves.")).to_be_visible()
        assert bank.client.get(f"/v1/models/{version}").json()["is_active"]


def test_a_study_advises_a_number_of_segments(page: Page) -> None:
    go(page, "Model", "Study")
    # Few are enough to see that it works, and make a poor picture.
    most = 8 if PICTURES else 3
    for _ in range(8 - most):
        page.get_by_role("slider").last.press("ArrowLeft")
    settled(page)
    page.get_by_role("button", name=f"Study 2 to {most} segments").click()

    expect(page.get_by_text("The higher, the better")).to_be_visible(timeout=120_000)
    expect(page.get_by_test_id("stPlotlyChart")).to_have_count(2)
    expect(page.get_by_role("row")).to_have_count(1 + 3 * (most - 1))
    picture(page, "study")
