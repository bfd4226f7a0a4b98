"""The dashboard over customers of another schema than the shipped one, in a browser."""

import csv
import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.dashboards import TABS, choose, dashboard, go, put, serious_findings, settled
from tests.support.servers import Server

SOMEBODY = "S-0001"
"""Whether this one's bills come without paper is not known."""

# A page is run anew for each click, which may take long on a machine with other work.
expect.set_options(timeout=90_000)


@pytest.fixture(scope="module")
def address(company: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The dashboard's address."""
    with dashboard(company.url, tmp_path_factory.mktemp("dashboard")) as found:
        yield found


@pytest.fixture(scope="module")
def page(browser: Browser, address: str) -> Iterator[Page]:
    """The dashboard in a window that the tests of this module share."""
    opened = browser.new_page(viewport={"width": 1440, "height": 1000})
    opened.goto(address)
    settled(opened)
    yield opened
    opened.close()


def stored(company: Server, identifier: str) -> dict[str, Any]:
    answer = company.client.get(f"/v1/customers/{identifier}")
    answer.raise_for_status()
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.parametrize("width", [390, pytest.param(1440, marks=pytest.mark.long)])
def test_every_page_speaks_of_these_customers_and_fits_the_screen(
    browser: Browser, address: str, width: int
) -> None:
    opened = browser.new_page(viewport={"width": width, "height": 900})
    opened.goto(address)
    settled(opened)
    for name, tabs in TABS.items():
        for tab in tabs or [""]:
            go(opened, name, tab)
            if (name, tab) == ("Customer", "Card"):
                put(opened, "Subscriber", SOMEBODY)
            expect(opened.get_by_test_id("stException")).to_have_count(0)
            assert opened.evaluate("document.documentElement.scrollWidth") <= width, (name, tab)
            said = opened.get_by_test_id("stMain").inner_text()
            assert not re.search(r"\b(nan|None|null|bank|income|loyalty)\b", said), (name, tab)
            assert serious_findings(opened) == {}, (name, tab)
    opened.close()


def test_segments_are_described_by_categories_and_what_is_not_known(page: Page) -> None:
    go(page, "Overview")
    expect(page.get_by_text("No strategy yet")).to_have_count(3)
    go(page, "Segments", "Profile")
    expect(page.get_by_role("row", name="Region")).to_contain_text("North 43%, South 33%")
    expect(page.get_by_role("row", name="Region")).to_contain_text("7% not known")
    go(page, "Segments", "Distributions")
    choose(page, "Attribute", "Region")
    for category in ("North", "South", "East & West", "other", "not known"):
        expect(page.get_by_test_id("stPlotlyChart")).to_contain_text(category)
    go(page, "Segments", "Fairness")
    expect(page.get_by_role("heading", name="By region")).to_be_visible()
    expect(page.get_by_role("row", name="65-99")).to_be_visible()


def test_customers_are_found_by_category_and_by_what_is_not_known(
    page: Page, company: Server
) -> None:
    go(page, "Customer", "Search")
    page.get_by_text("Filters").click()
    page.get_by_text("Monthly charges is not known").click()
    expect(page.get_by_label("Monthly charges (USD), from")).to_be_disabled()
    settled(page)
    choose(page, "Region", "East & West")
    query = {"region_is": "East & West", "monthly_charges_missing": "true"}
    wanted = company.client.get("/v1/customers", params=query).json()["customers"]
    assert len(wanted) > 1
    expect(page.get_by_text(f"{len(wanted)} customers. Choose a row")).to_be_visible()
    settled(page)

    with page.expect_download(timeout=90_000) as started:
        page.get_by_role("button", name="Download all as CSV").click()

    rows = list(csv.DictReader(started.value.path().read_text().splitlines()))
    assert [row["Subscriber"] for row in rows] == [one["subscriber"] for one in wanted]
    assert {(row["Region"], row["MonthlyCharges"]) for row in rows} == {("East & West", "")}


def test_a_customer_is_shown_and_changed_to_what_is_not_known(page: Page, company: Server) -> None:
    go(page, "Customer", "Card")
    put(page, "Subscriber", SOMEBODY)
    expect(page.get_by_text("No strategy yet: write one")).to_be_visible()
    expect(page.get_by_text("Paperless: not known")).to_be_visible()
    expect(page.get_by_role("row", name="Paperless not known")).to_be_visible()

    page.get_by_role("tab", name="Change").click()
    settled(page)
    choose(page, "Region", "not known")
    choose(page, "Paperless", "No")
    put(page, "Age (years)", "")
    page.get_by_role("button", name="Save and re-segment").click()

    expect(page.get_by_text(f"Customer {SOMEBODY} is saved")).to_be_visible()
    found = stored(company, SOMEBODY)
    assert (found["region"], found["paperless"], found["age"]) == (None, "No", None)


def test_a_customer_is_added_with_what_is_known(page: Page, company: Server) -> None:
    go(page, "Customer", "Add")
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_text("Subscriber must be a text of 1 to 200 characters")).to_be_visible()
    expect(
        page.get_by_text("Tenure must be an integer from 0 to 1000, not nothing")
    ).to_be_visible()
    settled(page)

    put(page, "New subscriber", "7590-VHVEG/ö")
    choose(page, "Contract", "One year")
    choose(page, "Reads letters", "yes")
    put(page, "Tenure (months)", "12")
    page.get_by_role("button", name="Add").click()

    expect(page.get_by_text("Customer 7590-VHVEG/ö is added")).to_be_visible()
    found = stored(company, "7590-VHVEG%2F%C3%B6")
    assert (found["contract"], found["tenure"], found["read_letters"]) == ("One year", 12, 1)
    assert {found[name] for name in ("region", "age", "monthly_charges", "paperless")} == {None}


def test_what_if_takes_categories_and_what_is_not_known(page: Page) -> None:
    go(page, "What if")
    expect(page.get_by_text("Satisfaction: 4")).to_be_visible()
    # Not to what is allowed at most, where nobody is.
    expect(page.get_by_role("slider", name="Tenure")).to_have_attribute("max", "200")
    put(page, "Satisfaction, exactly", "")
    expect(page.get_by_text("Satisfaction: not known")).to_be_visible()
    choose(page, "Region", "not known")
    expect(page.get_by_text("Region: not known")).to_be_visible()
    page.get_by_role("slider", name="Satisfaction").press("ArrowLeft")
    expect(page.get_by_text("Satisfaction: 3")).to_be_visible()


def test_words_of_a_segment_without_a_strategy_are_edited(page: Page, company: Server) -> None:
    go(page, "Segments", "Strategies")
    page.get_by_role("radio").nth(2).click()
    expect(page).to_have_url(re.compile("segment=2$"))
    settled(page)
    put(page, "Description", "They stay.")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved.", exact=True)).to_be_visible()

    told = company.client.get("/v1/segments").json()["segments"][2]
    assert (told["description"], told["strategies"]) == ("They stay.", [])
