"""An own table begins in the dashboard: its columns as fields, then its first segments."""

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from customer_segmentation.dashboard.data.draft import edited
from customer_segmentation.files.schema_file import parse_schema_file
from tests.support.dashboards import (
    choose,
    dashboard,
    go,
    picture,
    put,
    serious_findings,
    settled,
)
from tests.support.servers import Server, running

# A page is run anew for each click, which may take long on a machine with other work.
expect.set_options(timeout=90_000)

GYM = Path(__file__).parents[2] / "docs" / "examples" / "gym-members.csv"
TEXT = """
missing_values = ["", "?"]

[id]
name = "member"
type = "text"

# one of 3 texts
[[attributes]]
name = "branch"
kind = "nominal"
categories = ["N", "S", "nowhere"]
example = "N"

[[attributes]]
name = "size"
kind = "ordinal"
categories = ["L", "M", "S"]
example = "M"

[[attributes]]
name = "region"
kind = "nominal"
codes = { 1 = "1", 2 = "2" }
example = 1

[[attributes]]
name = "fee"
kind = "amount"
example = 2.5
missing = "allowed"

[[source.columns]]
attribute = "fee"
column = "fee (EUR)"
decimal = ","
"""
COLUMNS: list[dict[str, Any]] = [
    {"column": name.title(), "attribute": name, "reasons": [f"why {name}"]}
    for name in ("member", "branch", "size", "region", "fee")
] + [{"column": "Note", "attribute": None, "reasons": ["free text"]}]


def test_a_schema_that_nobody_changed_stays_as_the_service_wrote_it() -> None:
    assert edited(TEXT, COLUMNS, {"Branch": {}}) == TEXT


@pytest.mark.parametrize(
    ("column", "changed", "attribute"),
    [
        ("Fee", {"use": "kept, not used"}, {"used": False}),
        ("Fee", {"missing": "refused"}, {"missing": "refused"}),
        ("Fee", {"missing": "default", "default": 5}, {"missing": "refused", "default": 5}),
        ("Fee", {"title": "price", "unit": "EUR"}, {"title": "price", "unit": "EUR"}),
        ("Fee", {"minimum": 0, "maximum": 90}, {"minimum": 0, "maximum": 90}),
        ("Size", {"order": ["S", "M", "L"]}, {"categories": ["S", "M", "L"]}),
        ("Region", {"words": {"1": "North"}}, {"codes": {"1": "North", "2": "2"}}),
    ],
)
def test_what_is_changed_in_fields_is_changed_in_the_schema(
    column: str, changed: dict[str, Any], attribute: dict[str, Any]
) -> None:
    text = edited(TEXT, COLUMNS, {column: changed})

    parse_schema_file(text, "edited")
    found = next(a for a in tomllib.loads(text)["attributes"] if a["name"] == column.lower())
    assert {key: found[key] for key in attribute} == attribute
    assert "# why branch" in text


def test_categories_are_called_otherwise_joined_and_taken_for_missing() -> None:
    words = {"N": "North", "S": "North", "nowhere": ""}

    schema, source = parse_schema_file(
        edited(TEXT, COLUMNS, {"Branch": {"words": words}}), "edited"
    )

    branch = schema.by_name["branch"]
    assert (branch.categories, branch.example, branch.missing) == (("North",), "North", "allowed")
    entry = source.columns["branch"]
    assert (entry.codes, entry.missing) == ({"n": 0, "s": 0}, ("", "?", "nowhere"))


def test_a_column_that_is_left_out_is_gone_from_schema_and_source() -> None:
    schema, source = parse_schema_file(
        edited(TEXT, COLUMNS, {"Fee": {"use": "left out"}}), "edited"
    )

    assert schema.names == ("branch", "size", "region")
    assert source.columns == {}


@pytest.fixture(scope="module")
def page(
    browser: Browser, loaded_sqlite: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Page, Server]]:
    """The dashboard of a service that holds the demonstration."""
    directory = tmp_path_factory.mktemp("own")
    (directory / "bank.db").write_bytes(loaded_sqlite.read_bytes())
    with (
        running(f"sqlite:///{directory / 'bank.db'}", directory) as server,
        dashboard(server.url, directory) as address,
    ):
        # So tall that no list closes as the page scrolls to it.
        opened = browser.new_page(viewport={"width": 1280, "height": 2600})
        opened.goto(f"{address}/data")
        settled(opened)
        yield opened, server
        opened.close()


def test_a_table_becomes_segments_by_fields_alone(page: tuple[Page, Server]) -> None:
    opened, server = page
    go(opened, "Data", "Own table")
    upload = opened.get_by_role("tabpanel", name="Own table").locator("input[type=file]")
    expect(upload).to_have_count(1)
    upload.set_input_files(GYM)
    expect(opened.get_by_text("Begin with it")).to_be_visible()
    settled(opened)
    expect(opened.get_by_text("South · North · Harbour")).to_be_visible()
    expect(opened.get_by_text("numbers from 19.9 to 64.9;")).to_be_visible()
    assert serious_findings(opened) == {}
    picture(opened, "own-table")

    choose(opened, "Kind of plan", "nominal")
    expect(opened.get_by_text("as was chosen: nominal", exact=True)).to_be_visible()
    settled(opened)
    choose(opened, "Use of newsletter", "left out")
    opened.get_by_text("More", exact=True).nth(1).click()
    settled(opened)
    put(opened, "plan: Premium means", "Gold")
    expect(opened.get_by_role("button", name="Apply and import")).to_have_count(0)
    opened.get_by_text("Remove the demonstration, with all its 20,000 customers").click()
    settled(opened)
    opened.get_by_role("button", name="Apply and import").click()

    expect(opened.get_by_text("600 customers added")).to_be_visible()
    expect(opened.get_by_role("heading", name="Segments")).to_be_visible()
    expect(opened.get_by_text("No strategy yet").first).to_be_visible()
    somebody = server.client.get("/v1/customers/G-00001").json()
    assert somebody["plan"] == "Gold"
    assert "newsletter" not in somebody
