"""A customer's transactions in the dashboard: what follows from them, and segments over time."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Browser, expect

from customer_segmentation.services.customers.commands import get_history
from customer_segmentation.services.transactions.taking import take
from tests.support.dashboards import dashboard, go, picture, put, serious_findings, settled
from tests.support.purchases import open_purchases, purchase
from tests.support.servers import Server

BUYER, NOBODY = 1, 2

expect.set_options(timeout=90_000)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The dashboard of a shop one of whose customers has bought for months."""
    directory = tmp_path_factory.mktemp("shop")
    url = f"sqlite:///{directory / 'shop.db'}"
    with closing(open_purchases(url)) as units:
        # The first purchase moves a customer who was away for long, and back.
        for days_ago in (500, 2):
            units.run(take, [purchase(days_ago, BUYER, days_ago, fields={"shelf": "Fruit"})])
        units.run(take, [purchase(n, BUYER, n, amount=123_456 + n) for n in range(5, 30)])
        assert len(get_history(units, BUYER)) > 1
    with Server(url, directory) as server, dashboard(server.url, directory) as found:
        yield found


def test_a_customers_transactions_what_follows_and_its_segments_over_time(
    browser: Browser, address: str
) -> None:
    page = browser.new_page(viewport={"width": 1440, "height": 1000})
    page.goto(address)
    settled(page)
    go(page, "Customer", "Card")
    put(page, "Customer id", str(BUYER))

    spent = page.get_by_role("row", name="Spent lately")
    expect(spent).to_contain_text("sum of amounts, kind sale, within 90 days")
    leaves = datetime.now(UTC) - timedelta(days=29) + timedelta(days=90)
    expect(spent).to_contain_text(leaves.strftime("%b %Y"))
    expect(page.get_by_role("row", name="Points")).not_to_contain_text("20")
    picture(page, "customer-attributes")

    go(page, "Customer", "Transactions")
    rows = page.get_by_role("region", name="Table").get_by_role("row")
    expect(rows).to_have_count(21)
    expect(rows.nth(1)).to_contain_text("T2")
    expect(rows.nth(1)).to_contain_text("Fruit")
    expect(page.get_by_role("row", name="T29")).to_have_count(0)
    picture(page, "customer-transactions")
    page.get_by_role("button", name="Older").click()
    expect(page.get_by_role("row", name="T29")).to_contain_text("1,234.85")
    expect(page.get_by_role("button", name="Older")).to_be_disabled()
    page.get_by_role("button", name="Newer").click()
    expect(rows.nth(1)).to_contain_text("T2")
    settled(page)

    go(page, "Customer", "History")
    expect(page.get_by_test_id("stPlotlyChart")).to_contain_text("0:")
    expect(page.get_by_text("A transaction,").first).to_be_visible()
    picture(page, "customer-history")

    page.goto(f"{address}/customer?id={NOBODY}")
    settled(page)
    go(page, "Customer", "Transactions")
    expect(page.get_by_text("There are none.")).to_be_visible()
    page.close()


def test_on_a_phone_all_of_it_fits(browser: Browser, address: str) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 900})
    page.goto(f"{address}/customer?id={BUYER}")
    settled(page)
    for tab in ("Attributes", "Transactions", "History"):
        go(page, "Customer", tab)
        expect(page.get_by_test_id("stException")).to_have_count(0)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, tab
        assert serious_findings(page) == {}, tab
        picture(page, f"customer-{tab.lower()}-phone")
    page.close()
