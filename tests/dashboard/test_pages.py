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
from customer_segmentation.files.read.tables import open_table
from tests.support.dashboards import (
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
from tests.support.servers import Server, running, until
from tests.support.shipped import FEATURE_NAMES

CLIENTS = """CLIENTNUM,Customer_Age,Sex,Annual_Income,Balance,Mortgage_Loan
30001,33,F,36000,1200.5,yes
900,61,M,24000,-3,no
30002,x,M,24000,0,no
"""
ADDED = {
    "Age (years)": "45",
    "Monthly income": "8,283",
    "Account balance": "9723",
    "Loyalty score": "342",
    "Total withdrawals": "2839",
    "Total deposits": "778",
    "Number of transactions": "7",
}
ADDED_CODES = {
    "Gender": "Male",
    "Education level": "Postgrad",
    "Facebook": "yes",
    "Twitter": "no",
    "E-mail": "yes",
    "Instagram": "no",
    "Loan": "no",
}
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
expect.set_options(timeout=90_000)


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
    expect(page.get_by_text("Retraining on samples gives the same segments.")).to_be_visible()
    expect(
        page.get_by_text("Segments overlap somewhat, which is normal for behavioural data.")
    ).to_be_visible()

    page.get_by_role("link", name="Look closer").nth(2).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Segments")
    settled(page)
    expect(page.get_by_text(f"{told['segments'][2]['size']:,} customers (")).to_be_visible()


@pytest.mark.parametrize("width", [390, pytest.param(1440, marks=pytest.mark.long)])
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
    with page.expect_download(timeout=90_000) as started:
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
    expect(page.get_by_role("figure", name="Customers on a plane")).to_be_visible()


def test_words_are_edited(page: Page, bank: Server) -> None:
    go(page, "Segments", "Strategies")
    page.get_by_role("radio", name="2: Affluent Inactives").click()
    expect(page).to_have_url(re.compile("segment=2$"))
    settled(page)
    put(page, "Name", " ")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("The name must not be blank.")).to_be_visible()
    settled(page)
    put(page, "Name", "high-value power users")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("The name must differ from that of segment 0")).to_be_visible()
    settled(page)

    put(page, "Name", "Affluent Inactives")
    put(page, "Description", "Rich, and rarely seen.")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved.", exact=True)).to_be_visible()
    told = bank.client.get("/v1/segments").json()["segments"][2]
    assert (told["name"], told["description"]) == ("Affluent Inactives", "Rich, and rarely seen.")


def test_a_customer_is_found_by_what_it_is_like(page: Page, bank: Server) -> None:
    go(page, "Customer", "Search")
    choose(page, "In segment", "2: Affluent Inactives")
    page.get_by_text("Filters").click()
    put(page, "Age (years), from", "90")
    query = "/v1/customers?segment=2&age_min=90&sort=-monthly_income"
    wanted = bank.client.get(query).json()["customers"]
    assert len(wanted) > 1
    expect(page.get_by_text(f"{len(wanted)} customers. Choose a row")).to_be_visible()
    settled(page)
    with page.expect_download(timeout=90_000) as started:
        page.get_by_role("button", name="Download all as CSV").click()
    rows = csv.DictReader(started.value.path().read_text().splitlines())
    expected = sorted(one["customer_id"] for one in wanted)
    assert [int(row["customer id"]) for row in rows] == expected

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
    expect(
        page.get_by_role("heading", name="What would change this customer's segment")
    ).to_be_visible()
    page.get_by_role("tab", name="Change").click()
    settled(page)
    put(page, "Total deposits", "a lot")
    page.get_by_role("button", name="Save and re-segment").click()
    fault = "Total deposits must be a finite number of at least 0, not a text"
    expect(page.get_by_role("alert").filter(has_text=fault)).to_be_visible()
    assert bank.client.get("/v1/customers/7287").json()["total_deposit_amount"] != 9876

    put(page, "Total deposits", "9,876")
    put(page, "Number of transactions", "3")
    page.get_by_role("button", name="Save and re-segment").click()
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


def test_who_saves_a_customer_undoes_nothing_that_another_saved_meanwhile(
    browser: Browser, address: str, bank: Server
) -> None:
    before = bank.client.get("/v1/customers/1001").json()
    windows = [browser.new_page(viewport={"width": 1440, "height": 1000}) for _ in range(2)]
    for window in windows:
        window.goto(f"{address}/customer?id=1001")
        settled(window)
        window.get_by_role("tab", name="Change").click()
        settled(window)
    first, second = windows
    put(second, "Loyalty score", "900")
    second.get_by_role("button", name="Save and re-segment").click()
    expect(second.get_by_text("Customer 1,001 is saved")).to_be_visible()

    put(first, "Age (years)", "71")
    first.get_by_role("button", name="Save and re-segment").click()

    expect(first.get_by_text("The customer with id 1001 has changed")).to_be_visible()
    stored = bank.client.get("/v1/customers/1001").json()
    assert (stored["loyalty_score"], stored["age"]) == (900, before["age"])

    first.get_by_role("button", name="Show the current values").click()
    settled(first)
    # For a moment the form that was there and the new one are both on the page.
    expect(first.locator("input[aria-label='Loyalty score'][value='900']")).to_be_visible()
    put(first, "Age (years)", "71")
    first.get_by_role("button", name="Save and re-segment").click()
    expect(first.get_by_text("Customer 1,001 is saved")).to_be_visible()
    stored = bank.client.get("/v1/customers/1001").json()
    assert (stored["loyalty_score"], stored["age"]) == (900, 71)
    for window in windows:
        window.close()


def test_who_saves_a_segment_undoes_nothing_that_another_saved_meanwhile(
    browser: Browser, address: str, bank: Server
) -> None:
    windows = [browser.new_page(viewport={"width": 1440, "height": 1000}) for _ in range(2)]
    for window in windows:
        window.goto(f"{address}/segments?segment=1")
        settled(window)
        window.get_by_role("tab", name="Strategies").click()
        settled(window)
    first, second = windows
    put(second, "Description", "They compare prices.")
    second.get_by_role("button", name="Save").click()
    expect(second.get_by_text("Saved.", exact=True)).to_be_visible()

    put(first, "Name", "Bargain Hunters")
    first.get_by_role("button", name="Save").click()

    expect(first.get_by_text("Segment 1 has changed")).to_be_visible()
    told = bank.client.get("/v1/segments").json()["segments"][1]
    assert told["name"] == "Value-Driven Frequent Users"
    assert told["description"] == "They compare prices."
    for window in windows:
        window.close()


def test_back_and_the_address_lead_to_the_segment_that_they_name(
    browser: Browser, address: str
) -> None:
    window = browser.new_page(viewport={"width": 1440, "height": 1000})
    window.goto(f"{address}/segments")
    settled(window)
    expect(window).to_have_title("Segments · Customer Segmentation")
    for name in ("2: Affluent Inactives", "3: Budget-Conscious Occasionals"):
        window.get_by_role("radio", name=name).click()
        expect(window).to_have_url(re.compile(f"segment={name[0]}$"))
        settled(window)

    window.go_back()
    expect(window.get_by_role("radio", name="2: Affluent Inactives")).to_be_checked()
    window.go_back()
    expect(window.get_by_role("radio", name="0: High-Value Power Users")).to_be_checked()

    window.goto(f"{address}/segments?segment=2&view=map")
    expect(window.get_by_role("figure", name="Customers on a plane")).to_be_visible()
    settled(window)
    window.goto(f"{address}/segments?segment=99")
    expect(window.get_by_text("There is no such segment.")).to_be_visible()
    expect(window.get_by_role("radio", checked=True)).to_have_count(0)
    window.close()


def test_people_s_words_are_shown_as_they_are_and_fetch_nothing(
    browser: Browser, address: str, bank: Server
) -> None:
    name = "*VIP* $a$ <b>x</b> ![x](https://picture.example/a.png)"
    kept = bank.client.get("/v1/segments").json()["segments"][2]
    edit = {"name": name, "description": name}
    bank.client.patch("/v1/segments/2", json=edit).raise_for_status()
    window = browser.new_page(viewport={"width": 1440, "height": 1000})
    asked: list[str] = []
    window.on("request", lambda request: asked.append(request.url))
    window.goto(f"{address}/segments?segment=2")
    settled(window)
    while not window.get_by_role("radio", name=f"2: {name}").count():
        # The dashboard shows an aggregate for five seconds without asking again.
        window.reload()
        settled(window)
    expect(window.get_by_role("radio", name=f"2: {name}")).to_be_checked()
    expect(window.get_by_text(name, exact=True)).to_be_visible()
    expect(window.locator("a[href*='picture.example']")).to_have_count(0)
    for tab in ("Distributions", "Compare", "Map"):
        window.get_by_role("tab", name=tab).click()
        settled(window)
        expect(window.get_by_test_id("stPlotlyChart")).to_contain_text("<b>x</b>")
    window.close()
    bank.client.patch("/v1/segments/2", json={k: kept[k] for k in edit}).raise_for_status()

    assert not [url for url in asked if "picture.example" in url]


def test_what_if_shows_the_person_that_it_names_on_a_second_visit_too(page: Page) -> None:
    go(page, "What if")
    put(page, "Start from a customer", "56")
    expect(page.get_by_label("Loyalty score, exactly")).to_have_value("725")
    go(page, "Overview")
    page.go_back()
    settled(page)

    expect(page.get_by_label("Start from a customer")).to_have_value("56")
    expect(page.get_by_label("Loyalty score, exactly")).to_have_value("725")


def test_a_customer_is_added_once_and_faults_are_told_at_the_field(
    page: Page, bank: Server
) -> None:
    go(page, "Customer", "Add")
    put(page, "Age (years)", "131")
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_text("Age must be an integer from 0 to 130")).to_be_visible()
    expect(page.get_by_text("Customer id must be an integer of at least 1")).to_be_visible()
    expect(page.get_by_text("Gender must be 0 or 1, not nothing")).to_be_visible()

    for label, value in ADDED.items():
        put(page, label, value)
    for label, code in ADDED_CODES.items():
        choose(page, label, code)
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
    # Until the page is whole, an input may be there beside the one that it replaces.
    expect(page.get_by_label("Loyalty score, exactly").first).to_have_value("725")

    slider = page.get_by_role("slider", name="Loyalty score").first
    slider.press("ArrowLeft")
    expect(page.get_by_label("Loyalty score, exactly").first).to_have_value("724")
    values = {"Number of transactions": "0", "Loyalty score": "900"}
    values |= {"Monthly income": "30000", "Account balance": "90000"}
    for label, value in values.items():  # Faster than the page is run anew.
        field = page.get_by_label(f"{label}, exactly").first
        field.fill(value)
        field.press("Tab")
    settled(page)
    for label, value in values.items():
        expect(page.get_by_label(f"{label}, exactly").first).to_have_value(
            re.compile(rf"{value}(\.00)?")
        )

    expect(heading.first).to_have_text("2: Affluent Inactives")
    expect(slider).to_have_value("900")


def test_a_file_is_looked_at_mapped_tried_and_imported(
    page: Page, bank: Server, tmp_path: Path
) -> None:
    table = tmp_path / "clients.csv"
    table.write_text(CLIENTS)
    go(page, "Data", "Import")
    page.locator("input[type=file]").set_input_files(table)
    expect(page.get_by_text("The mapping given cannot be used")).to_be_visible()
    settled(page)

    mapping = page.get_by_role("textbox", name="Mapping")
    completed = mapping.input_value().replace('# column = "…"\n# default = …', "default = 0")
    mapping.fill(completed)
    mapping.press("Tab")
    expect(page.get_by_text("Rows that are not imported")).to_be_visible()
    page.get_by_role("button", name="Dry run").click()
    told = page.get_by_text("Dry run: 1 customer would be added, 1 would be changed")
    expect(told).to_be_visible()
    assert bank.client.get("/v1/customers/30001").status_code == 404
    picture(page, "data")

    page.get_by_text("Add new customers only").click()
    expect(page.get_by_role("radio", name="Add new customers only")).to_be_checked()
    settled(page)
    page.get_by_role("button", name="Dry run").click()
    expect(page.get_by_text("2 would be refused.")).to_be_visible()
    page.get_by_text("change those who are there").click()
    settled(page)
    page.get_by_role("button", name="Import", exact=True).click()

    expect(page.get_by_text("1 customer added, 1 changed")).to_be_visible()
    added = bank.client.get("/v1/customers/30001").json()
    assert (added["gender"], added["monthly_income"], added["has_loan"]) == (1, 3000, 1)
    assert bank.client.get("/v1/customers/900").json()["age"] == 61


def test_an_import_goes_on_when_the_dashboard_is_stopped_and_is_undone_from_another(
    browser: Browser, bank: Server, tmp_path: Path
) -> None:
    with Client(bank.url) as client:
        before: int = client.list_segments()["customers"]
    rows = "".join(f"{n},33,1,3000,1200.5,700,1,0,0,1,0,10,20,3,0\n" for n in range(70_000, 90_000))
    table = tmp_path / "many.csv"
    table.write_text("customer_id," + ",".join(FEATURE_NAMES) + "\n" + rows)

    with dashboard(bank.url, tmp_path) as address:
        page = browser.new_page()
        page.goto(f"{address}/data")
        page.locator("input[type=file]").set_input_files(table)
        expect(page.get_by_text("Rows looked at")).to_be_visible()
        settled(page)
        page.get_by_role("button", name="Import", exact=True).click()
        until(
            lambda: (
                [one["name"] for one in bank.client.get("/v1/imports").json()["imports"][:1]]
                == ["many.csv"]
            )
        )
    page.close()

    def stored() -> int:
        with Client(bank.url) as client:
            return int(client.list_segments()["customers"]) - before

    until(lambda: stored() == 20_000)
    with dashboard(bank.url, tmp_path) as address:
        page = browser.new_page()
        page.goto(f"{address}/data")
        page.get_by_text("Earlier imports").click()
        page.get_by_role("button", name="Undo", exact=True).click()
        told = "The import of many.csv is undone: 20,000 customers removed"
        expect(page.get_by_text(told)).to_be_visible()
    page.close()
    assert stored() == 0


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
        told = f"Dry run: 0 customers would be added, 0 would be changed, {count} unchanged."
        expect(page.get_by_text(told)).to_be_visible()

    broken = FilePayload(name="x.xlsx", mimeType="text/plain", buffer=b"PK\x03\x04 and no more")
    page.locator("input[type=file]").set_input_files(broken)
    expect(page.get_by_text("x.xlsx").first).to_be_visible()
    expect(page.get_by_test_id("stAlertContentError")).to_be_visible()


@pytest.mark.long
def test_customers_are_exported_to_excel(page: Page, bank: Server) -> None:
    go(page, "Data", "Export")
    choose(page, "Who", "3: Budget-Conscious Occasionals")
    page.get_by_text("Excel", exact=True).click()
    button = page.get_by_role("button", name="Export 3: Budget-Conscious Occasionals as Excel")
    expect(button).to_be_visible()
    settled(page)
    with page.expect_download(timeout=90_000) as started:
        button.click()

    with open_table(started.value.path()) as source:
        found = sum(len(block.lines) for block in source.blocks())
    assert found == bank.client.get("/v1/segments").json()["segments"][3]["size"]


def test_a_model_is_trained_compared_and_rolled_back(page: Page, bank: Server) -> None:
    go(page, "Model", "Train")
    page.get_by_role("button", name="Retrain").click()
    expect(page.get_by_role("progressbar")).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("Training cancelled. The active model is unchanged.")).to_be_visible()

    put(page, "Number of segments", "6")
    page.get_by_role("button", name="Retrain").click()
    held_back = page.get_by_text("Version 2 is trained, but held back as a candidate")
    expect(held_back).to_be_visible(timeout=240_000)
    expect(page.get_by_text("The silhouette would fall")).to_be_visible()

    go(page, "Model", "Versions")
    go(page, "Model", "Train")
    expect(held_back).to_be_visible()  # However often the page is run again.

    go(page, "Model", "Compare")
    expect(page.get_by_text("Would move")).to_be_visible()
    expect(page.get_by_test_id("stPlotlyChart")).to_be_visible()
    picture(page, "model")
    for version in (2, 1):
        go(page, "Model", "Versions")
        sure = f"Every customer is to be segmented by version {version} at once"
        page.get_by_text(sure).click()
        page.get_by_role("button", name="Activate").click()
        expect(page.get_by_text(f"Version {version} is now active.")).to_be_visible()
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
