"""What the dashboard says where not all is well, and to whom: by Streamlit's own test runner."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from customer_segmentation.client import Client
from customer_segmentation.dashboard import guide, service
from customer_segmentation.dashboard.fields import check_attributes, check_id, example_values
from customer_segmentation.dashboard.segments.profile import usual
from customer_segmentation.dashboard.style import (
    colour_of,
    dash_of,
    difference_of,
    duration_of,
    moment_of,
    signed,
    symbol_of,
    value_of,
)
from customer_segmentation.dashboard.words import Grade, separation_meaning, stability_meaning
from customer_segmentation.domain.access import Role
from customer_segmentation.domain.errors import NotReadyError
from customer_segmentation.services.operation.keys import create_key
from customer_segmentation.services.runtime.unit_of_work import units_over
from tests.support.servers import Server, running
from tests.support.shipped import FEATURE_BY_NAME, SHIPPED

APP = Path(__file__).parents[2] / "app.py"
Show = Callable[[str, str], AppTest]


def segments() -> None:
    """Run the page Segments."""
    from customer_segmentation.dashboard.segments.page import page

    page()


def customer() -> None:
    """Run the page Customer, where one is added."""
    import streamlit as st

    from customer_segmentation.dashboard.customer.page import page

    st.session_state["customer-view"] = "Add"
    page()


def model() -> None:
    """Run the page Model."""
    from customer_segmentation.dashboard.model.page import page

    page()


@pytest.fixture
def show(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., AppTest]]:
    """Run a page over the service at an address, with a key."""

    def run(url: str, key: str = "", page: Callable[[], None] | None = None) -> AppTest:
        monkeypatch.setenv("CUSTOMER_SEGMENTATION_URL", url)
        monkeypatch.setenv("CUSTOMER_SEGMENTATION_KEY", key)
        st.cache_resource.clear()
        st.cache_data.clear()
        test = AppTest.from_file(str(APP)) if page is None else AppTest.from_function(page)
        shown = test.run(timeout=30)
        assert not shown.exception
        return shown

    yield run
    st.cache_resource.clear()
    st.cache_data.clear()


@pytest.fixture(scope="module")
def guarded(loaded_sqlite: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A service, in use for months, that asks for keys and hides counts below 5,000."""
    directory = tmp_path_factory.mktemp("guarded")
    (directory / "bank.db").write_bytes(loaded_sqlite.read_bytes())
    with closing(sqlite3.connect(directory / "bank.db")) as connection:
        connection.executescript(
            "UPDATE segment_changes SET changed_at = '2026-01-01 00:00:00.000000';"
            "UPDATE model_versions SET created_at = '2026-01-01 00:00:00.000000';"
        )
    settings = {
        "CUSTOMER_SEGMENTATION_AUTH": "keys",
        "CUSTOMER_SEGMENTATION_MIN_GROUP_SIZE": "5000",
    }
    with running(f"sqlite:///{directory / 'bank.db'}", directory, **settings) as server:
        yield server


@pytest.fixture(scope="module")
def keys(guarded: Server) -> dict[Role, str]:
    """A key of each role, known to the service."""
    units = units_over(guarded.database_url)
    made = {role: create_key(units, role.label, role) for role in Role}
    units.close()
    for key in made.values():
        header = {"Authorization": f"Bearer {key}"}
        while not guarded.client.get("/v1/access", headers=header).is_success:
            time.sleep(0.1)  # As who fails to sign in too often is refused for a while.
    return made


def told(shown: AppTest) -> str:
    """All that a page says."""
    messages = [*shown.error, *shown.info, *shown.warning]
    texts = [message.value for message in messages] + [h.proto.body for h in shown.get("html")]
    return "\n".join(texts)


def test_it_is_told_that_the_service_is_away_and_what_to_do(show: Show) -> None:
    shown = show("http://127.0.0.1:9", "")

    assert "The service at http://127.0.0.1:9 does not answer." in told(shown)
    assert "Start it with `./run`" in told(shown)


def test_it_is_told_that_a_key_is_missing_or_refused_and_what_to_do(
    show: Show, guarded: Server
) -> None:
    for key in ("", "cs_none_such"):
        shown = show(guarded.url, key)
        assert "keys create dashboard --role admin" in told(shown)
        assert f"Not connected to {guarded.url}" in told(shown)


def test_it_is_told_that_there_is_no_model_yet_and_what_to_do(
    show: Show, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem = {
        "type": "urn:customer-segmentation:problem:not-ready",
        "title": "The service is not ready",
        "detail": str(NotReadyError()),
    }
    answer = httpx.Response(503, json=problem, headers={"Retry-After": "5"})
    away = Client("http://x", transport=httpx.MockTransport(lambda _: answer), sleep=lambda _: None)
    monkeypatch.setattr(service, "service", lambda: away)

    assert "customer-segmentation import customers.csv" in told(show("http://x", ""))


def test_a_reader_is_told_no_small_count_and_offered_no_change(
    show: Callable[..., AppTest], guarded: Server, keys: dict[Role, str]
) -> None:
    overview = told(show(guarded.url, keys[Role.READER]))
    assert "reader" in overview
    assert ">hidden<" in overview
    assert ">hidden<" not in told(show(guarded.url, keys[Role.ADMIN]))

    profile = show(guarded.url, keys[Role.READER], segments)
    assert "too few customers in this segment" in told(profile)
    adding = show(guarded.url, keys[Role.READER], customer)
    assert "This needs a key of role writer; the dashboard's is a reader." in told(adding)
    assert all(button.disabled for button in adding.button)
    assert not any(b.disabled for b in show(guarded.url, keys[Role.WRITER], customer).button)
    versions = show(guarded.url, keys[Role.READER], model)
    assert "There is one version yet." in told(versions)


def test_the_overview_tells_who_came_and_went_in_seven_days(
    show: Show, guarded: Server, keys: dict[Role, str]
) -> None:
    header = {"Authorization": f"Bearer {keys[Role.ADMIN]}"}
    segment = guarded.client.get("/v1/customers/787", headers=header).json()["segment_name"]
    before = told(show(guarded.url, keys[Role.ADMIN]))
    guarded.client.delete("/v1/customers/787", headers=header)

    overview = told(show(guarded.url, keys[Role.ADMIN]))

    assert "No change in seven days." in before
    assert "\N{MINUS SIGN}1 in seven days." in overview
    card = overview.partition(f": {segment}</h3>")[2]
    change = card.partition("<dt>in seven days</dt><dd>")[2].partition("</dd>")[0]
    assert change == "\N{MINUS SIGN}1"
    assert "days old" in overview
    assert "How many came in seven days is hidden." in told(show(guarded.url, keys[Role.READER]))


def test_values_are_checked_as_the_service_does_with_thousands_separated() -> None:
    asked = {"age": "131", "monthly_income": "8,283.5", "loyalty_score": ""}

    values, faults = check_attributes(SHIPPED, {**example_values(SHIPPED), **asked})

    assert values["monthly_income"] == 8283.5
    assert faults == {
        "age": "Age must be an integer from 0 to 130, not an integer outside this range",
        "loyalty_score": "Loyalty score must be an integer from 0 to 1000, not nothing",
    }
    assert check_id(SHIPPED, "20,001") == (20_001, None)
    assert check_id(SHIPPED, "x")[0] is None


@pytest.mark.parametrize("text", ["8074,50", "8.074,50", "80,74", "8,0745", ",5", "1,234,56"])
def test_a_comma_that_does_not_separate_thousands_is_refused(text: str) -> None:
    values, faults = check_attributes(SHIPPED, {**example_values(SHIPPED), "monthly_income": text})

    assert "monthly_income" not in values
    assert "comma does not separate thousands" in faults["monthly_income"]
    assert check_id(SHIPPED, "5,6")[0] is None


@pytest.mark.parametrize(
    ("visited", "service", "link"),
    [
        ("http://localhost:8501/", "http://localhost:8000", "http://localhost:8000/guide/"),
        ("http://127.0.0.1:8501/", "http://localhost:8000/", "http://localhost:8000/guide/"),
        ("http://10.0.0.5:8501/", "http://localhost:8000", None),
        ("http://10.0.0.5:8501/", "http://[::1]:8000", None),
        (None, "http://127.0.0.1:8000", None),
        ("http://localhost:8501/", "http://api:8000", None),
        ("http://10.0.0.5:8501/", "https://bank.example/crm", "https://bank.example/crm/guide/"),
        ("http://10.0.0.5:8501/", "http://10.0.0.6:8000", "http://10.0.0.6:8000/guide/"),
    ],
)
def test_the_guide_is_offered_where_the_visitors_browser_reaches_it(
    visited: str | None, service: str, link: str | None
) -> None:
    assert guide.address_for(visited, service) == link


def test_moments_are_told_in_the_browsers_zone_which_is_named() -> None:
    moment = "2026-11-28T00:43:00+00:00"

    assert moment_of(moment, "Pacific/Auckland") == "28 Nov 2026, 13:43 Pacific/Auckland"
    assert moment_of(moment, "America/New_York") == "27 Nov 2026, 19:43 America/New_York"
    assert moment_of(moment, None) == "28 Nov 2026, 00:43 UTC"
    assert moment_of(moment, "Nowhere/At All") == "28 Nov 2026, 00:43 UTC"


def test_people_s_words_are_no_markdown() -> None:
    told = AppTest.from_function(_show_words).run().markdown[0].value

    assert told == r"\*VIP\* \$a\$ \!\[x\]\(https\:\/\/x\.example\/a\.png\)"


def _show_words() -> None:
    import streamlit as st

    from customer_segmentation.dashboard.parts import literal

    st.write(literal("*VIP* $a$ ![x](https://x.example/a.png)"))


def test_figures_are_told_in_plain_words_and_not_by_colour_alone() -> None:
    grades = [stability_meaning(value).grade for value in (0.95, 0.7, 0.3)]
    assert grades == [Grade.GOOD, Grade.FAIR, Grade.POOR]
    grades = [separation_meaning(value).grade for value in (0.6, 0.3, 0.1)]
    assert grades == [Grade.GOOD, Grade.FAIR, Grade.POOR]
    assert len({grade.sign for grade in Grade}) == 3
    assert len({colour_of(number) for number in range(32)}) == 32
    assert len({(dash_of(number), symbol_of(number)) for number in range(32)}) == 32


def test_few_who_lack_an_attribute_are_not_told_as_none() -> None:
    profile = {"shares": {}, "missing": 0.0016, "lower_quartile": 230.0, "upper_quartile": 1_706.0}

    assert usual(FEATURE_BY_NAME["account_balance"], profile) == (
        "230 to 1,706; under 1% not known"
    )


def test_numbers_have_separators_signs_and_units() -> None:
    assert difference_of(-1_234) == "\N{MINUS SIGN}1,234"
    assert (difference_of(0), difference_of(None)) == ("no change", "hidden")
    assert (signed(-0.001), signed(1.5)) == ("0.00", "+1.50")
    assert value_of(FEATURE_BY_NAME["monthly_income"], 8074) == "8,074 a month"
    assert value_of(FEATURE_BY_NAME["age"], 29) == "29 years"
    assert value_of(FEATURE_BY_NAME["has_loan"], 1) == "yes"
    assert duration_of(timedelta(days=1)) == "1 day"
    assert duration_of(datetime.now(UTC) - datetime.now(UTC)) == "less than a minute"
