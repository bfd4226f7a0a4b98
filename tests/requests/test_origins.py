"""A service without keys, and what web pages from elsewhere can do to it: nothing."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser

from customer_segmentation.api.app import create_app
from customer_segmentation.api.middleware.origins import is_own_host
from customer_segmentation.domain.access import Role
from customer_segmentation.services.operation.keys import create_key
from customer_segmentation.services.runtime.settings import Settings
from customer_segmentation.services.runtime.unit_of_work import units_over
from tests.conftest import REBOUND
from tests.support.asgi import Answer, call
from tests.support.examples import SOMEONE
from tests.support.servers import Server

DELETE = "/delete_customer_from_database"
ELSEWHERE = {"Origin": "https://evil.example"}
PROXIED = {"Host": "segments.bank.example", "Origin": "https://segments.bank.example"}

Headers = dict[str, str]


def answer(settings: Settings, method: str, path: str, headers: Headers, query: str = "") -> Answer:
    """Answer one call in a service of its own."""
    return asyncio.run(call(create_app(settings), method, path, headers, query=query))


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 404),
        ({"Content-Type": "application/json"}, 404),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost"}, 404),
        ({"Sec-Fetch-Site": "none"}, 404),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "same-site", "Origin": "http://localhost"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Authorization": "Bearer cs_1_2"}, 403),
        ({"Sec-Fetch-Site": ""}, 403),
        ({"Origin": "http://localhost"}, 404),
        ({"Origin": "http://localhost:8000"}, 403),
        ({"Host": "localhost:8000", "Origin": "http://localhost:8000"}, 404),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "http://localhost.evil.example"}, 403),
        ({"Origin": "http://evil.example/localhost"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": ""}, 403),
        ({"Host": "evil.example", "Origin": "http://evil.example"}, 421),
        ({"Host": "evil.example", "Sec-Fetch-Site": "same-origin"}, 421),
    ],
)
def test_a_change_is_taken_from_programs_and_from_its_own_pages_only(
    bank_url: str, headers: Headers, status: int
) -> None:
    found = answer(Settings(database_url=bank_url), "POST", DELETE, headers, "customer_id=999999")

    assert found.status == status
    if status in (403, 421):
        kind = json.loads(found.body)["type"].rpartition(":")[2]
        assert kind == {403: "cross-origin", 421: "unknown-host"}[status]


@pytest.mark.parametrize("path", ["/v1/customers/56", "/GetCustomerInfo", "/docs", "/metrics"])
def test_nothing_is_read_under_the_host_name_of_somebody_else(bank_url: str, path: str) -> None:
    settings = Settings(database_url=bank_url)
    query = "customer_id=56" if path == "/GetCustomerInfo" else ""

    other = answer(settings, "GET", path, {"Host": "evil.example"}, query)
    own = answer(settings, "GET", path, {"Host": "localhost:8000"}, query)

    assert other.status == 421
    assert own.status == 200


@pytest.mark.parametrize(
    ("host", "is_own"),
    [
        ("localhost", True),
        ("LOCALHOST:8000", True),
        ("bank.localhost:8000", True),
        ("127.0.0.1:8000", True),
        ("192.168.1.5", True),
        ("[::1]:8000", True),
        ("[2001:db8::1]", True),
        ("api", True),
        ("api:8000", True),
        ("segments.bank.example", True),
        ("SEGMENTS.bank.example.:443", True),
        ("evil.example", False),
        ("evil.example:8000", False),
        ("bank.example", False),
        ("segments.bank.example.evil.example", False),
        ("localhost.evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("127.1", False),
        ("evil.example@localhost", False),
        ("localhost/evil.example", False),
        ("localhost:evil.example", False),
        ("", False),
    ],
)
def test_a_name_is_its_own_where_no_one_else_can_register_it(host: str, is_own: bool) -> None:
    assert is_own_host(host.encode(), ["segments.bank.example"]) == is_own


def test_host_names_and_origins_are_allowed_by_setting(bank_url: str) -> None:
    named = Settings(database_url=bank_url, allowed_hosts=("*.bank.example",))
    any_name = Settings(database_url=bank_url, allowed_hosts=("*",))
    page = Settings(database_url=bank_url, cors_origins=("https://crm.example",))
    asked = ("POST", DELETE)

    assert answer(named, *asked, PROXIED, "customer_id=999999").status == 404
    assert answer(named, *asked, PROXIED | ELSEWHERE, "customer_id=999999").status == 403
    assert answer(any_name, "GET", "/v1/segments", {"Host": "what.ever"}).status == 200
    crm = {"Origin": "https://crm.example", "Sec-Fetch-Site": "cross-site"}
    assert answer(page, *asked, crm, "customer_id=999999").status == 404
    assert answer(page, *asked, crm | ELSEWHERE, "customer_id=999999").status == 403


def test_where_keys_are_asked_for_a_key_is_all_that_counts(bank_url: str) -> None:
    with closing(units_over(bank_url)) as units:
        key = create_key(units, "crm", Role.WRITER)
    headers = {**ELSEWHERE, "Sec-Fetch-Site": "cross-site", "Host": "segments.bank.example"}

    async def ask() -> list[int]:
        app = create_app(Settings(database_url=bank_url, auth="keys"))
        async with app.router.lifespan_context(app):
            signed = headers | {"Authorization": f"Bearer {key}"}
            return [
                (await call(app, "POST", DELETE, shown, query="customer_id=999999")).status
                for shown in (headers, signed)
            ]

    assert asyncio.run(ask()) == [401, 404]


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[str]:
    """A web site of another origin, with one empty page."""
    (tmp_path / "index.html").write_text("<!doctype html><title>elsewhere</title><p>hello")
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as site:
        threading.Thread(target=site.serve_forever, daemon=True).start()
        yield f"http://localhost:{site.server_port}"
        site.shutdown()


ATTACKS = """async (service) => {
    const target = service + '/delete_customer_from_database?customer_id=';
    const body = JSON.stringify({customer_id: 60, age: 99});
    const update = service + '/update_customer_details_to_database';
    const send = (url, options) => fetch(url, {method: 'POST', ...options}).catch(() => null);
    await send(target + 57, {mode: 'no-cors'});
    await send(target + 58, {});
    await send(update, {mode: 'no-cors', body: new Blob([body])});
    await send(update, {mode: 'no-cors', body: body});
    await send(update, {headers: {'Content-Type': 'application/json'}, body: body});
    navigator.sendBeacon(update, new Blob([body]));
    const form = document.createElement('form');
    const frame = document.createElement('iframe');
    frame.name = 'frame';
    form.method = 'POST';
    form.target = 'frame';
    form.action = target + 59;
    document.body.append(frame, form);
    const answered = new Promise((resolve) => { frame.onload = resolve; });
    form.submit();
    await answered;
    const read = await fetch(service + '/v1/customers/56').then((r) => r.text()).catch(() => '');
    return read;
}"""


def test_a_page_from_elsewhere_changes_nothing_and_reads_nothing(
    shared_server: Server, browser: Browser, elsewhere: str
) -> None:
    client = shared_server.client
    before = [client.get(f"/v1/customers/{number}").json() for number in (57, 58, 59, 60)]
    page = browser.new_page()
    page.goto(elsewhere)

    read = page.evaluate(ATTACKS, shared_server.url)

    assert read == ""
    assert [client.get(f"/v1/customers/{n}").json() for n in (57, 58, 59, 60)] == before
    page.goto(f"http://{REBOUND}:{shared_server.port}/docs")
    assert "unknown-host" in page.content()
    page.close()


def test_its_own_page_goes_on_working(shared_server: Server, browser: Browser) -> None:
    page = browser.new_page()
    page.goto(f"{shared_server.url}/docs")

    status = page.evaluate(
        """(body) => fetch('/predict_customer_segment_in_real_time', {
            method: 'POST', headers: {'Content-Type': 'application/json'}, body: body,
        }).then((answer) => answer.status)""",
        json.dumps(SOMEONE),
    )

    assert status == 200
    page.close()


def test_a_program_need_not_say_that_its_body_is_json(shared_server: Server) -> None:
    body = json.dumps(SOMEONE).encode()

    found = httpx.post(
        f"{shared_server.url}/predict_customer_segment_in_real_time", content=body, timeout=60
    )

    assert "content-type" not in found.request.headers
    assert found.json().startswith("Cluster 1")
