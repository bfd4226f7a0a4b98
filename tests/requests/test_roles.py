"""Which role each call needs: over every route, method, spelling of a path and root path."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from ipaddress import ip_address
from itertools import count
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from customer_segmentation.api.app import create_app
from customer_segmentation.api.http.roles import Roles, needs
from customer_segmentation.domain.access import Role
from customer_segmentation.services.operation.keys import create_key
from customer_segmentation.services.operation.startup import open_units
from customer_segmentation.services.runtime.settings import Settings
from tests.conftest import NewBank
from tests.support.asgi import Answer, call
from tests.support.servers import Server, running

ANYONE, READER, WRITER, ADMIN = None, Role.READER, Role.WRITER, Role.ADMIN

NEEDED: dict[tuple[str, str], Role | None] = {
    ("GET", "/openapi.json"): ANYONE,
    ("GET", "/asyncapi.json"): ANYONE,
    ("GET", "/docs"): ANYONE,
    ("GET", "/guide"): ANYONE,
    ("GET", "/guide/{path}"): ANYONE,
    ("GET", "/docs/oauth2-redirect"): ANYONE,
    ("GET", "/health/live"): ANYONE,
    ("GET", "/health/ready"): ANYONE,
    ("GET", "/get_customer_info_from_database"): READER,
    ("GET", "/GetCustomerInfo"): READER,
    ("POST", "/update_customer_details_to_database"): WRITER,
    ("POST", "/UpdateCustomerDetails"): WRITER,
    ("POST", "/delete_customer_from_database"): WRITER,
    ("POST", "/DeleteCustomer"): WRITER,
    ("POST", "/add_customer_to_database"): WRITER,
    ("POST", "/AddCustomer"): WRITER,
    ("POST", "/predict_customer_segment_in_real_time"): READER,
    ("POST", "/RealTimeSegmentation"): READER,
    ("POST", "/retrain_model_with_latest_data"): ADMIN,
    ("POST", "/RetrainModel"): ADMIN,
    ("GET", "/v1/customers"): READER,
    ("POST", "/v1/customers"): WRITER,
    ("GET", "/v1/customers/{customer_id}"): READER,
    ("PUT", "/v1/customers/{customer_id}"): WRITER,
    ("PATCH", "/v1/customers/{customer_id}"): WRITER,
    ("DELETE", "/v1/customers/{customer_id}"): WRITER,
    ("GET", "/v1/customers/{customer_id}/history"): READER,
    ("GET", "/v1/customers/{customer_id}/explanation"): READER,
    ("GET", "/v1/customers/{customer_id}/transactions"): READER,
    ("POST", "/v1/customers:batch"): WRITER,
    ("POST", "/v1/transactions"): WRITER,
    ("POST", "/v1/transactions:begin-day"): ADMIN,
    ("DELETE", "/v1/transactions/{transaction_id}"): WRITER,
    ("GET", "/v1/erasures/{customer_id}"): READER,
    ("DELETE", "/v1/erasures/{customer_id}"): ADMIN,
    ("GET", "/v1/customers/{customer_id}/consents"): READER,
    ("PUT", "/v1/customers/{customer_id}/consents"): WRITER,
    ("GET", "/v1/customers/{customer_id}/dossier"): ADMIN,
    ("POST", "/v1/consents:batch"): WRITER,
    ("POST", "/v1/audiences"): WRITER,
    ("POST", "/v1/audiences:count"): READER,
    ("GET", "/v1/audiences"): READER,
    ("GET", "/v1/audiences/{audience_id}"): READER,
    ("PATCH", "/v1/audiences/{audience_id}"): WRITER,
    ("DELETE", "/v1/audiences/{audience_id}"): WRITER,
    ("GET", "/v1/audiences/{audience_id}/profile"): READER,
    ("GET", "/v1/audiences/{audience_id}/overlaps"): READER,
    ("GET", "/v1/audiences/{audience_id}/sizes"): READER,
    ("POST", "/v1/campaigns"): WRITER,
    ("POST", "/v1/campaigns:forecast"): READER,
    ("GET", "/v1/campaigns"): READER,
    ("GET", "/v1/campaigns/{campaign_id}"): READER,
    ("PUT", "/v1/campaigns/{campaign_id}/plan"): WRITER,
    ("DELETE", "/v1/campaigns/{campaign_id}"): WRITER,
    ("POST", "/v1/campaigns/{campaign_id}:start"): WRITER,
    ("POST", "/v1/campaigns/{campaign_id}:end"): WRITER,
    ("POST", "/v1/campaigns/{campaign_id}/outcomes"): WRITER,
    ("GET", "/v1/campaigns/{campaign_id}/read-out"): READER,
    ("GET", "/v1/segments/{number}/results"): READER,
    ("GET", "/v1/segments"): READER,
    ("PATCH", "/v1/segments/{number}"): ADMIN,
    ("GET", "/v1/segments/{number}/edits"): READER,
    ("GET", "/v1/segments/transitions"): READER,
    ("GET", "/v1/segments/disparity"): READER,
    ("GET", "/v1/segments/growth"): READER,
    ("GET", "/v1/segments/sizes"): READER,
    ("GET", "/v1/segments/distributions"): READER,
    ("GET", "/v1/segments/map"): READER,
    ("POST", "/v1/segments:predict"): READER,
    ("GET", "/v1/events"): READER,
    ("POST", "/v1/webhooks"): ADMIN,
    ("GET", "/v1/webhooks"): ADMIN,
    ("GET", "/v1/webhooks/{webhook_id}"): ADMIN,
    ("DELETE", "/v1/webhooks/{webhook_id}"): ADMIN,
    ("GET", "/v1/webhooks/{webhook_id}/dead-letters"): ADMIN,
    ("POST", "/v1/webhooks/{webhook_id}/dead-letters/{number}:redeliver"): ADMIN,
    ("GET", "/v1/publishers"): READER,
    ("POST", "/v1/publishers:hold"): WRITER,
    ("GET", "/v1/audit"): ADMIN,
    ("GET", "/v1/audit/verification"): ADMIN,
    ("GET", "/v1/keys"): ADMIN,
    ("POST", "/v1/keys"): ADMIN,
    ("POST", "/v1/keys:revoke"): ADMIN,
    ("GET", "/v1/diagnosis"): ADMIN,
    ("POST", "/v1/diagnosis:recount"): ADMIN,
    ("GET", "/v1/access"): READER,
    ("GET", "/v1/schema"): READER,
    ("POST", "/v1/schema:plan"): ADMIN,
    ("POST", "/v1/schema:apply"): ADMIN,
    ("POST", "/v1/models"): ADMIN,
    ("GET", "/v1/models"): READER,
    ("POST", "/v1/models/{version}:activate"): ADMIN,
    ("GET", "/v1/models/{version}"): READER,
    ("GET", "/v1/models/{version}/impact"): READER,
    ("GET", "/v1/models/{version}/record"): READER,
    ("GET", "/v1/models/active/sql"): ADMIN,
    ("GET", "/v1/models/active/onnx"): ADMIN,
    ("GET", "/v1/drift"): READER,
    ("GET", "/v1/jobs"): READER,
    ("GET", "/v1/jobs/{job_id}"): READER,
    ("POST", "/v1/jobs/{job_id}:cancel"): ADMIN,
    ("POST", "/v1/studies"): ADMIN,
    ("GET", "/v1/studies/{job_id}"): READER,
    ("POST", "/v1/imports"): WRITER,
    ("POST", "/v1/imports:preview"): WRITER,
    ("POST", "/v1/schema:infer"): ADMIN,
    ("GET", "/v1/imports"): READER,
    ("GET", "/v1/imports/{import_id}"): READER,
    ("GET", "/v1/imports/{import_id}/rejects"): WRITER,
    ("POST", "/v1/imports/{import_id}:cancel"): WRITER,
    ("POST", "/v1/imports/{import_id}:undo"): WRITER,
    ("POST", "/v1/exports"): READER,
    ("GET", "/v1/exports"): READER,
    ("GET", "/v1/exports/{export_id}"): READER,
    ("GET", "/v1/exports/{export_id}/file"): READER,
    ("POST", "/v1/exports/{export_id}:cancel"): WRITER,
    ("GET", "/metrics"): READER,
}
"""The least role of each call; a new route gets its line here."""

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "MOVE", "get")
ROOTS = ("", "/docs")
"""Paths that the service is mounted under; the second looks as if anyone may call all below it."""
NOBODY = 404, 405, 307
"""Statuses of calls that no route answers."""


def in_place(path: str) -> str:
    """Return a path with values in place of its parameters, which name nothing that there is."""
    values = {"customer_id": "999999", "number": "77", "version": "99", "path": "none"}
    ids = dict.fromkeys(("webhook_id", "job_id", "import_id", "export_id"), "0" * 32)
    ids |= {"transaction_id": "T1", "audience_id": "77", "campaign_id": "77"}
    return path.format_map(values | ids)


def spellings(path: str) -> list[str]:
    """Return a path written otherwise, decoded as a server passes it on."""
    return [
        *(f"{path}{after}" for after in ("/", "//", "\n", "\0", ";x=1", "%2F", "/../docs")),
        *(f"{before}{path}" for before in ("/", "/.", " ", "/docs", "/docs/..", "/health/live/..")),
        *(f"{before}{path}" for before in ("/static-offline-docs", "/static-offline-docs/..")),
        *(path.replace("/", slashes) for slashes in ("//", "/./")),
        *(path.upper(), path.title(), path.replace("/v1", "/v1/../v1"), path[1:]),
    ]


def shown(key: str) -> dict[str, str]:
    """Return the header that shows a key."""
    return {"Authorization": f"Bearer {key}"} if key else {}


def test_every_route_has_its_role_in_the_table(tmp_path: Path) -> None:
    app = create_app(Settings(database_url=f"sqlite:///{tmp_path / 'none.db'}"))

    found = {
        (method, route.path_format)
        for route in iter_route_contexts(app.routes)
        for method in route.methods or ()
        if (method, route.path_format) != ("HEAD", "/openapi.json")
    }

    assert found == set(NEEDED)


def test_every_call_needs_its_role_however_it_is_spelt(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # A line for each refusal takes longer than the calls.
    caplog.set_level(logging.ERROR, "customer_segmentation")
    settings = Settings(
        database_url=f"sqlite:///{tmp_path / 'empty.db'}",
        auth="keys",
        max_body_bytes=1024,
        max_batch_bytes=1024,
    )
    with closing(open_units(settings)) as units:
        keys = {role: create_key(units, role.label, role) for role in Role}
    callers = [(None, ""), *keys.items()]
    addresses = count(int(ip_address("10.0.0.0")))

    async def ask(app: FastAPI, method: str, path: str, key: str, root_path: str) -> Answer:
        # Every route refuses so large a body, so that nothing comes of what is let in.
        query, body = "customer_id=999999", b" " * 2000
        # Each comes from an address of its own, as one that is refused often is told so instead.
        client = str(ip_address(next(addresses)))
        return await call(
            app,
            method,
            path,
            shown(key),
            query=query,
            body=body,
            root_path=root_path,
            client=client,
        )

    async def each() -> AsyncIterator[tuple[Role | None, str, str, Answer]]:
        app = create_app(settings)
        async with app.router.lifespan_context(app):
            for root in ROOTS:
                for role, key in callers:
                    for own, template in NEEDED:
                        path = in_place(template)
                        for method in METHODS:
                            answer = await ask(app, method, path, key, root)
                            yield role, method, template, answer
                        for spelt in spellings(path):
                            answer = await ask(app, own, spelt, key, root)
                            yield role, own, spelt, answer

    async def look() -> int:
        looked = 0
        async for role, method, path, answer in each():
            looked += 1
            reached = answer.route or path.removesuffix("\n")
            declared = NEEDED.get(("GET" if method == "HEAD" else method, reached), ADMIN)
            may = declared is None or (role is not None and role >= declared)
            told = (role, method, path, answer)
            if (method, path) in NEEDED:
                refusal = 401 if role is None else 403
                assert (answer.status in (401, 403)) != may, told
                assert may or answer.status == refusal, told
            elif answer.status not in (401, 403, *NOBODY):
                assert may, told
        return looked

    assert asyncio.run(look()) > 10_000


def test_a_route_that_declares_no_role_needs_the_greatest() -> None:
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    @app.get("/v1/brand-new")
    def undeclared() -> None: ...

    @app.get("/v1/declared")
    @needs(Role.READER)
    def declared() -> None: ...

    roles = Roles(app.routes, [])

    def needed(method: str, path: str, root_path: str = "") -> Role | None:
        scope = {"method": method, "path": root_path + path, "root_path": root_path}
        return roles.find(scope)[1]

    assert needed("GET", "/v1/brand-new") is ADMIN
    assert needed("GET", "/v1/no-such-path") is ADMIN
    assert needed("POST", "/v1/declared") is ADMIN
    assert needed("GET", "/v1/declared") is READER
    assert needed("HEAD", "/v1/declared") is READER
    assert needed("GET", "/v1/declared", "/bank") is READER
    assert needed("GET", "/v1/brand-new", "/v1/declared") is ADMIN


def test_every_operation_names_the_door_in_the_document(tmp_path: Path) -> None:
    nowhere = f"sqlite:///{tmp_path / 'none.db'}"
    document = create_app(Settings(database_url=nowhere, auth="keys")).openapi()

    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if NEEDED[method.upper(), path] is ANYONE:
                assert "security" not in operation
            else:
                assert operation["security"] == [{"key": []}]
                assert {"401", "403", "429"} <= set(operation["responses"])


@pytest.fixture(scope="module")
def guarded(new_bank: NewBank, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that asks for keys."""
    folder = tmp_path_factory.mktemp("guarded")
    with new_bank(folder) as url, running(url, folder, CUSTOMER_SEGMENTATION_AUTH="keys") as server:
        yield server


@pytest.mark.parametrize(
    "target",
    [
        "/v1%2Fcustomers%2F56",
        "/health/..%2Fv1/customers/56",
        "/health/../v1/customers/56",
        "/docs/%2e%2e/v1/customers/56",
        "/static-offline-docs/..%2f..%2fv1/customers/56",
        "//v1/customers/56",
        "/v1/customers/56%00",
        "/v1/customers/56%0A",
        "/V1/Customers/56",
        "http://localhost/v1/customers/56",
        "http://localhost/docs/../v1/customers/56",
        "/docs?/../v1/customers/56",
        "*",
    ],
)
def test_no_spelling_on_the_wire_gets_a_customer_without_a_key(
    guarded: Server, target: str
) -> None:
    with socket.create_connection(("127.0.0.1", guarded.port), timeout=10) as connection:
        head = f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        connection.sendall(head.encode())
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))

    assert answer.split()[1] in (b"401", b"404", b"400") or b"swagger" in answer
    assert b"8074" not in answer
