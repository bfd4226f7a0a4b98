"""What every answer holds, whatever goes wrong: faults, clients that leave, preflights."""

import asyncio
import json
import logging
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest
from fastapi import FastAPI
from starlette.types import Message

from customer_segmentation.api.app import create_app
from customer_segmentation.api.functions import routes as functions
from customer_segmentation.api.v1.customers import routes as customers
from customer_segmentation.services.runtime.settings import Settings
from tests.support.answers import problem
from tests.support.asgi import Answer, call, http_scope
from tests.support.servers import Server

Found = TypeVar("Found")
ORIGIN = "https://crm.example"
CAREFUL = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cache-control": "no-store",
}


def inside(settings: Settings, ask: Callable[[FastAPI], Awaitable[Found]]) -> Found:
    """Ask an application that runs."""

    async def run() -> Found:
        app = create_app(settings)
        async with app.router.lifespan_context(app):
            return await ask(app)

    return asyncio.run(run())


@pytest.mark.parametrize(
    "path", ["/add_customer_to_database", "/v1/customers", "/v1/segments:predict", "/v1/models"]
)
def test_a_client_that_leaves_in_the_middle_of_its_body_is_no_fault_of_ours(
    bank_url: str, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    coming: list[Message] = [
        {"type": "http.request", "body": b'{"age": ', "more_body": True},
        {"type": "http.disconnect"},
    ]
    sent: list[Message] = []

    async def receive() -> Message:
        return coming.pop(0) if coming else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    async def ask(app: FastAPI) -> str:
        scope = http_scope("POST", path, {"Content-Type": "application/json"})
        await app(scope, receive, send)
        return (await call(app, "GET", "/metrics")).body.decode()

    metrics = inside(Settings(database_url=bank_url), ask)

    assert not sent
    counted = f'customer_segmentation_requests_total{{method="POST",route="{path}",status="499"}}'
    assert f"{counted} 1.0" in metrics
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


@pytest.mark.parametrize(
    ("module", "path", "query"),
    [
        (functions, "/get_customer_info_from_database", "customer_id=56"),
        (customers, "/v1/customers/56", ""),
    ],
)
def test_an_answer_to_a_fault_has_what_every_answer_has(
    bank_url: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    module: object,
    path: str,
    query: str,
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("a bug")

    async def ask(app: FastAPI) -> tuple[Answer, str]:
        headers = {"Origin": ORIGIN, "X-Request-ID": "their-1"}
        answer = await call(app, "GET", path, headers, query=query)
        return answer, (await call(app, "GET", "/metrics")).body.decode()

    monkeypatch.setattr(module, "get_customer", fail)
    settings = Settings(database_url=bank_url, cors_origins=[ORIGIN])

    answer, metrics = inside(settings, ask)

    assert answer.status == 500
    assert b'"urn:customer-segmentation:problem:internal-error"' in answer.body
    assert b"a bug" not in answer.body
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-request-id"] == "their-1"
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert CAREFUL.items() <= answer.headers.items()
    assert 'status="500"} 1.0' in metrics
    (told,) = (record for record in caplog.records if record.levelno >= logging.ERROR)
    assert "their-1" in told.getMessage()
    assert told.exc_info is not None


@pytest.mark.parametrize("origin", [ORIGIN, "https://elsewhere.example"])
def test_an_answer_to_a_preflight_has_the_headers_of_every_answer(
    bank_url: str, origin: str
) -> None:
    asking = {"Origin": origin, "Access-Control-Request-Method": "PATCH"}
    settings = Settings(database_url=bank_url, auth="keys", cors_origins=[ORIGIN])

    answer = inside(settings, lambda app: call(app, "OPTIONS", "/v1/customers/56", asking))

    assert CAREFUL.items() <= answer.headers.items()
    assert ("access-control-allow-origin" in answer.headers) == (origin == ORIGIN)


JOB = "0" * 32
PLACES = {
    "customer_id": 56,
    "number": 1,
    "version": 1,
    "transaction_id": "T1",
    "audience_id": 1,
    "campaign_id": 1,
    **dict.fromkeys(("webhook_id", "job_id", "import_id", "export_id"), JOB),
}
BODIES = [
    ("POST", "/v1/schema:plan", b'{"text": "", "text": ""}', "text"),
    ("POST", "/v1/schema:apply", b'{"text": "", "text": ""}', "text"),
    ("POST", "/v1/models", b'{"seed": 1, "seed": 2}', "seed"),
    ("POST", "/v1/studies", b'{"by": "a", "by": "b"}', "by"),
    ("POST", "/v1/models/1:activate", b'{"by": "a", "by": "b"}', "by"),
    ("POST", f"/v1/jobs/{JOB}:cancel", b'{"by": "a", "by": "b"}', "by"),
    ("PATCH", "/v1/segments/1", b'{"strategies": [{"text": "a", "text": "b"}]}', "text"),
    ("POST", "/v1/webhooks", b'{"url": "https://a.example/", "url": "x"}', "url"),
    ("POST", "/v1/keys", b'{"name": "a", "name": "b"}', "name"),
    ("POST", "/v1/publishers:hold", b'{"name": "a", "name": "b"}', "name"),
    ("POST", "/v1/keys:revoke", b'{"name": "a", "name": "b"}', "name"),
    ("POST", "/v1/audiences", b'{"name": "a", "name": "b"}', "name"),
    ("POST", "/v1/audiences:count", b'{"rule": "a", "rule": "b"}', "rule"),
    ("PATCH", "/v1/audiences/1", b'{"name": "a", "name": "b"}', "name"),
    ("POST", "/v1/campaigns", b'{"arms": [{"cost": 1, "cost": 2}]}', "cost"),
    ("POST", "/v1/campaigns:forecast", b'{"outcome": {"days": 1, "days": 2}}', "days"),
    ("PUT", "/v1/campaigns/1/plan", b'{"purpose": "a", "purpose": "b"}', "purpose"),
    ("POST", "/v1/campaigns/1:start", b'{"by": "a", "by": "b"}', "by"),
    ("POST", "/v1/campaigns/1:end", b'{"by": "a", "by": "b"}', "by"),
    (
        "POST",
        "/v1/campaigns/1/outcomes",
        b'{"outcomes": [{"outcome": 1, "outcome": 0}]}',
        "outcome",
    ),
    ("PUT", "/v1/customers/56/consents", b'{"by": "a", "by": "b"}', "by"),
    ("POST", "/v1/consents:batch", b'{"consents": [{"at": "a", "at": "b"}]}', "at"),
    ("POST", "/v1/exports", b'{"format": "csv", "format": "arrow"}', "format"),
    *(
        ("POST", f"/v1/{path}", b'{"by": "a", "by": "b"}', "by")
        for path in (f"imports/{JOB}:cancel", f"imports/{JOB}:undo", f"exports/{JOB}:cancel")
    ),
]


def test_these_are_all_the_bodies_that_pydantic_reads(bank_url: str) -> None:
    document = create_app(Settings(database_url=bank_url)).openapi()
    ours = {"NewCustomer", "CustomerAttributes", "CustomerChanges", "AttributeChanges", "Batch"}
    ours |= {"NewTransaction"}

    read = {
        (method.upper(), path)
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        if "application/json" in operation.get("requestBody", {}).get("content", ())
        and not any(f'/{name}"' in json.dumps(operation["requestBody"]) for name in ours)
    }

    assert {(method, path.format_map(PLACES)) for method, path in read} == {
        (method, path) for method, path, *_ in BODIES
    }


@pytest.mark.parametrize(("method", "path", "body", "name"), BODIES)
def test_a_name_given_twice_is_refused_whoever_reads_the_body(
    shared_server: Server, method: str, path: str, body: bytes, name: str
) -> None:
    for content_type in ("application/json", ""):
        headers = {"Content-Type": content_type} if content_type else {}
        answer = shared_server.client.request(method, path, content=body, headers=headers)
        assert f"{name} is given more than once" in problem(answer, 422)["detail"]
    answer = shared_server.client.request(
        method, path, content=body, headers={"Content-Type": "text/plain"}
    )
    problem(answer, 415)


@pytest.mark.parametrize(
    ("method", "path", "body", "told"),
    [
        ("POST", "/v1/models", '{"k": 1}', "k must be at least 2; given was an integer"),
        ("POST", "/v1/models", '{"k": "x"}', "k must be a number; given was a string"),
        ("POST", "/v1/models", '{"k": 2.5}', "k must be an integer; given was a number"),
        ("POST", "/v1/models", "[]", "body must be an object; given was an array"),
        ("POST", "/v1/models", '{"exclude": 1}', "exclude must be an array; given was an integer"),
        ("POST", "/v1/models", '{"exclude": ["x"]}', "exclude.0 must be one of age, gender"),
        ("POST", "/v1/models", '{"by": "a\\nb"}', "by is not of the form that is allowed"),
        ("POST", "/v1/models", '{"by": 1}', "by must be a string; given was an integer"),
        ("POST", "/v1/webhooks", '{"url": ""}', "url must be at least 1 long"),
        ("POST", "/v1/webhooks", "{}", "url is missing"),
        (
            "PATCH",
            "/v1/segments/1",
            '{"strategies": [{"text": "a", "channel": "pigeon"}]}',
            "strategies.0.channel, the channel of a strategy, must be one of any, ",
        ),
        ("GET", "/v1/segments/transitions?since=yesterday", "", "since must be a moment such as"),
        ("GET", "/v1/customers?age_min=30&age_min=40", "", "age_min is given more than once"),
        ("GET", "/v1/customers?segment=0&segment=0", "", "segment is given more than once"),
        ("GET", "/v1/audit?limit=5&limit=6", "", "limit is given more than once"),
    ],
)
def test_a_refusal_says_in_our_words_what_is_allowed(
    shared_server: Server, method: str, path: str, body: str, told: str
) -> None:
    headers = {"Content-Type": "application/json"} if body else {}
    answer = shared_server.client.request(method, path, content=body, headers=headers).json()

    assert told in answer["detail"]
    for word in ("Input should", "Value error", "pydantic"):
        assert word not in answer["detail"]


@pytest.mark.parametrize("moment", ["9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00"])
def test_a_moment_that_cannot_be_written_in_utc_is_refused_by_every_request(
    shared_server: Server, moment: str
) -> None:
    paths = shared_server.client.get("/openapi.json").json()["paths"]
    asked = [
        (path, parameter["name"])
        for path, operations in paths.items()
        for parameter in operations.get("get", {}).get("parameters", ())
        if "date-time" in json.dumps(parameter["schema"])
    ]
    assert len(asked) >= 3

    for path, name in asked:
        answer = shared_server.client.get(path, params={name: moment})

        (fault,) = problem(answer, 422)["errors"]
        assert fault["field"] == name
        assert "must be a moment of the years 1 to 9999 in UTC" in fault["message"]


@pytest.mark.parametrize("moment", ["9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z"])
def test_the_first_and_the_last_moment_that_can_be_written_are_answered(
    shared_server: Server, moment: str
) -> None:
    answer = shared_server.client.get("/v1/segments/growth", params={"since": moment})
    moved = shared_server.client.get(
        "/v1/segments/transitions", params={"since": moment, "until": moment}
    )

    assert (answer.status_code, answer.json()["since"]) == (200, moment)
    assert (moved.status_code, moved.json()["until"]) == (200, moment)


def test_a_parameter_that_no_request_has_is_refused_by_every_request(tmp_path: Path) -> None:
    app = create_app(Settings(database_url=f"sqlite:///{tmp_path / 'none.db'}"))
    asked = [
        (method.upper(), path.format_map(PLACES))
        for path, operations in app.openapi()["paths"].items()
        for method in operations
        if path.startswith("/v1/")
    ]
    assert len(asked) > 30

    async def ask() -> None:
        for method, path in asked:
            headers = {"Content-Type": "application/json"}
            answer = await call(app, method, path, headers, query="limit_=5", body=b"{}")
            told = json.loads(answer.body)

            assert (answer.status, told["errors"][0]["field"]) == (422, "limit_"), (method, path)
            assert "limit_ is no parameter of this request; there are " in told["detail"]

    asyncio.run(ask())


@pytest.mark.parametrize("root_path", ["", "/bank"])
def test_a_method_that_a_path_has_not_is_told_those_that_it_has(
    tmp_path: Path, root_path: str
) -> None:
    settings = Settings(database_url=f"sqlite:///{tmp_path / 'none.db'}", root_path=root_path)
    app = create_app(settings)
    methods: dict[str, set[str]] = {}
    for path, operations in app.openapi()["paths"].items():
        methods[path.format_map(PLACES)] = {method.upper() for method in operations}

    async def ask() -> dict[str, set[str]]:
        told = {}
        for path in methods:
            answer = await call(app, "TRACE", path, root_path=root_path)
            assert answer.status == 405
            told[path] = set(answer.headers["allow"].split(", "))
        return told

    assert asyncio.run(ask()) == methods


def test_a_number_of_path_or_query_is_read_in_one_way_by_every_request(tmp_path: Path) -> None:
    app = create_app(Settings(database_url=f"sqlite:///{tmp_path / 'none.db'}"))
    asked = [
        (method.upper(), path, parameter["name"], parameter["in"])
        for path, operations in app.openapi()["paths"].items()
        for method, operation in operations.items()
        for parameter in operation.get("parameters", ())
        if {"integer", "number"} & set(re.findall(r"\w+", json.dumps(parameter["schema"])))
        and parameter["in"] != "header"
    ]
    assert len(asked) > 50

    async def ask() -> None:
        for method, path, name, place in asked:
            places = PLACES | ({name: "1_0"} if place == "path" else {})
            query = f"{name}=1_0" if place == "query" else ""
            headers = {"Content-Type": "application/json"}
            answer = await call(
                app, method, path.format_map(places), headers, query=query, body=b"{}"
            )

            told = json.loads(answer.body)
            if place == "path" and answer.status == 404:
                assert told["type"].endswith(":not-found"), (method, path)
                continue
            (fault,) = told["errors"]
            assert (answer.status, fault["field"]) == (422, name), (method, path)

    asyncio.run(ask())
