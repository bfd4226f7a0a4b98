"""Security: keys and roles, what is open without them, rate limits, headers, origins."""

import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from customer_segmentation.api.middleware.rate_limits import RateLimit
from customer_segmentation.cli.console.output import ExitCode
from customer_segmentation.domain.access import Role
from customer_segmentation.domain.errors import (
    ExposureError,
    InvalidInputError,
    KeyExistsError,
    KeyNotFoundError,
    NotSignedInError,
    TooManyRequestsError,
)
from customer_segmentation.services.operation.keys import KeyRing, create_key, list_keys, revoke_key
from customer_segmentation.services.operation.startup import check_exposure
from customer_segmentation.services.runtime.settings import Settings
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork, units_over
from tests.support.answers import problem
from tests.support.commands import command
from tests.support.examples import NEW_CUSTOMER, SOMEONE
from tests.support.servers import Server, eventually

KEYS = {"CUSTOMER_SEGMENTATION_AUTH": "keys"}


@pytest.fixture
def guarded(bank_url: str, tmp_path: Path) -> Iterator[Server]:
    """A server that asks for keys."""
    with Server(bank_url, tmp_path, **KEYS) as server:
        yield server


def key_for(server: Server, role: Role, name: str = "") -> dict[str, str]:
    """Make a key, wait until the server knows it, and return the header that shows it."""
    units = units_over(server.database_url)
    key = create_key(units, name or role.label, role)
    units.close()
    header = {"Authorization": f"Bearer {key}"}
    deadline = time.monotonic() + 5
    while server.client.get("/v1/drift", headers=header).status_code == 401:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return header


def test_a_key_is_told_whose_it_is_and_what_it_may_do(guarded: Server) -> None:
    for role in Role:
        told = guarded.client.get("/v1/access", headers=key_for(guarded, role)).json()
        assert told == {"name": role.label, "role": role.label}

    problem(guarded.client.get("/v1/access"), 401)


def test_without_a_good_key_only_docs_and_health_are_open(guarded: Server) -> None:
    client = guarded.client

    for path in ("/docs", "/openapi.json", "/health/live", "/health/ready"):
        assert client.get(path).status_code == 200
    for header in (
        {},
        {"Authorization": "Bearer cs_000000000000_0"},
        {"Authorization": "Basic YTpi"},
        {"X-API-Key": "nonsense"},
    ):
        refused = client.get("/v1/customers/56", headers=header)
        problem(refused, 401)
        assert refused.headers["www-authenticate"] == "Bearer"
    problem(client.post("/RealTimeSegmentation", json=SOMEONE), 401)
    problem(client.get("/no/such/path"), 401)


def test_each_role_goes_as_far_as_it_says(guarded: Server) -> None:
    client = guarded.client
    reader, writer, admin = (key_for(guarded, role) for role in Role)

    assert client.get("/v1/customers/56", headers=reader).status_code == 200
    assert client.post("/v1/segments:predict", json=SOMEONE, headers=reader).status_code == 200
    problem(client.post("/v1/customers", json=NEW_CUSTOMER, headers=reader), 403)
    problem(client.post("/add_customer_to_database", json=NEW_CUSTOMER, headers=reader), 403)
    assert client.post("/v1/customers", json=NEW_CUSTOMER, headers=writer).status_code == 201
    problem(client.post("/v1/models", headers=writer), 403)
    problem(client.post("/RetrainModel", headers=writer), 403)
    problem(client.patch("/v1/segments/1", json={"name": "x"}, headers=writer), 403)
    assert client.patch("/v1/segments/1", json={"name": "x"}, headers=admin).status_code == 200
    shown = {"X-API-Key": admin["Authorization"].removeprefix("Bearer ")}
    assert client.get("/v1/models", headers=shown).status_code == 200


def test_records_name_the_key_whatever_the_caller_says(guarded: Server) -> None:
    admin = key_for(guarded, Role.ADMIN, "Ada")
    body = {"name": "Bargain Hunters", "by": "somebody else"}
    guarded.client.patch("/v1/segments/1", json=body, headers=admin).raise_for_status()

    (edit,) = guarded.client.get("/v1/segments/1/edits", headers=admin).json()["edits"]

    assert edit["edited_by"] == "Ada"


def test_a_revoked_key_is_refused_within_a_second(guarded: Server) -> None:
    reader = key_for(guarded, Role.READER)
    units = units_over(guarded.database_url)
    revoke_key(units, "reader")
    units.close()

    time.sleep(1.0)

    problem(guarded.client.get("/v1/customers/56", headers=reader), 401)


def test_a_key_opens_only_with_its_whole_secret(units: UnitsOfWork) -> None:
    ring = KeyRing(units)
    key = create_key(units, "crm", Role.READER)
    ring.refresh()

    assert ring.identify(key).name == "crm"
    for wrong in (None, "", key[:-1], key[:-1] + "x", key.replace("cs_", "xx_"), key.upper()):
        with pytest.raises(NotSignedInError):
            ring.identify(wrong)
    (stored,) = list_keys(units)
    assert key.rpartition("_")[2] not in repr(stored)
    with pytest.raises(KeyExistsError):
        create_key(units, "crm", Role.ADMIN)
    revoke_key(units, "crm")
    with pytest.raises(KeyNotFoundError):
        revoke_key(units, "crm")


def test_a_key_is_good_until_it_expires(units: UnitsOfWork) -> None:
    ring = KeyRing(units)
    lasting = create_key(units, "lasting", Role.READER)
    good = create_key(units, "good", Role.READER, timedelta(days=1))
    over = create_key(units, "over", Role.READER, timedelta(seconds=-1))
    ring.refresh()

    assert ring.identify(lasting).expires_at is None
    assert ring.identify(good).name == "good"
    with pytest.raises(NotSignedInError, match="The API key over expired on"):
        ring.identify(over)
    with pytest.raises(NotSignedInError, match="not known"):
        ring.identify(over[:-1] + "x")


@pytest.mark.both_databases
@pytest.mark.parametrize("role", Role)
def test_a_key_that_expires_is_made_for_every_role(units: UnitsOfWork, role: Role) -> None:
    key = create_key(units, "Ada", role, timedelta(days=90))

    ring = KeyRing(units)
    ring.refresh()
    assert ring.identify(key).role is role


def test_a_keys_name_holds_nothing_that_is_not_seen(units: UnitsOfWork) -> None:
    unseen = ("", " ", " crm", "crm ", "a\nb", "a\rb", "a\tb", "\x1b[31mred", "a\0", "a\u202eb")
    for name in (*unseen, "x" * 201):
        with pytest.raises(InvalidInputError, match="printable"):
            create_key(units, name, Role.READER)

    assert list_keys(units) == []


def test_a_keys_name_may_be_of_any_language(units: UnitsOfWork) -> None:
    names = ["crm", "Zoë's dashboard", "漢字", "x" * 200, "a:b/c@d"]
    for name in names:
        create_key(units, name, Role.READER)

    assert [key.name for key in list_keys(units)] == names


def test_keys_are_made_listed_and_revoked_by_command(bank_url: str) -> None:
    made = command(bank_url, "keys", "create", "crm", "--role", "writer")

    assert made.stdout.startswith("cs_")
    assert made.stdout.strip() not in made.stderr
    listed = command(bank_url, "keys", "list").stdout
    assert "crm" in listed
    assert "writer" in listed
    assert made.stdout.strip().rpartition("_")[2] not in listed
    assert command(bank_url, "keys", "create", "other", "--role", "king").returncode == 2
    assert command(bank_url, "keys", "revoke", "crm").returncode == 0
    assert command(bank_url, "keys", "revoke", "crm").returncode == 6
    assert command(bank_url, "keys", "create", "clerk").stderr.startswith("The key clerk, reader")


def test_an_admins_key_makes_lists_and_revokes_keys(guarded: Server) -> None:
    admin = key_for(guarded, Role.ADMIN, "chief")

    made = guarded.client.post("/v1/keys", headers=admin, json={"name": "clerk", "days": 9})
    clerk = {"Authorization": f"Bearer {made.json()['key']}"}
    eventually(lambda: guarded.client.get("/v1/drift", headers=clerk).status_code, 200)
    taken = guarded.client.post("/v1/keys", headers=admin, json={"name": "clerk"})
    listed = guarded.client.get("/v1/keys", headers=admin)
    revoked = guarded.client.post("/v1/keys:revoke", headers=admin, json={"name": "clerk"})

    assert made.status_code == 201
    assert problem(taken, 409)["detail"] == "There is or was an API key clerk; choose another name"
    assert [(key["name"], key["role"], key["revoked_at"]) for key in listed.json()["keys"]] == [
        ("chief", "admin", None),
        ("clerk", "reader", None),
    ]
    assert made.json()["key"].rpartition("_")[2] not in listed.text
    assert revoked.json() == {"name": "clerk"}
    eventually(lambda: guarded.client.get("/v1/drift", headers=clerk).status_code, 401)
    problem(guarded.client.post("/v1/keys:revoke", headers=admin, json={"name": "clerk"}), 404)


def test_a_service_that_asks_for_no_key_makes_none(shared_server: Server) -> None:
    refused = shared_server.client.post("/v1/keys", json={"name": "mine", "role": "admin"})

    assert refused.status_code == 409
    assert refused.json()["type"].endswith(":keys-unused")
    assert shared_server.client.get("/v1/keys").json() == {"keys": []}


@given(per_minute=st.integers(1, 100), waits=st.lists(st.floats(0, 5), max_size=300))
def test_a_rate_limit_lets_a_minutes_requests_through_and_tells_when_the_next(
    per_minute: int, waits: list[float]
) -> None:
    moment = 0.0
    limit = RateLimit(per_minute, lambda: moment)
    served = 0
    for wait in waits:
        moment += wait
        try:
            limit.spend("key")
            served += 1
        except TooManyRequestsError as refusal:
            moment += refusal.retry_seconds + 1e-6
            limit.spend("key")
            served += 1
        assert served <= per_minute + moment * per_minute / 60 + 1
    limit.spend("another key")


def test_too_many_requests_are_told_when_to_try_again(bank_url: str, tmp_path: Path) -> None:
    limited = {**KEYS, "CUSTOMER_SEGMENTATION_REQUESTS_PER_MINUTE": "20"}
    with Server(bank_url, tmp_path, **limited) as server:
        reader = key_for(server, Role.READER)
        statuses = [
            server.client.get("/v1/customers/56", headers=reader).status_code for _ in range(25)
        ]
        refused = server.client.get("/v1/customers/56", headers=reader)

    assert set(statuses) == {200, 429}
    problem(refused, 429)
    assert 1 <= int(refused.headers["retry-after"]) <= 3


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "bank.example"])  # noqa: S104
def test_a_service_without_keys_is_not_open_to_a_network_unless_that_is_said(host: str) -> None:
    with pytest.raises(ExposureError, match="ALLOW_ANONYMOUS"):
        check_exposure(Settings(host=host))
    check_exposure(Settings(host=host, allow_anonymous=True))
    check_exposure(Settings(host=host, auth="keys"))


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_a_service_without_keys_may_listen_on_its_own_machine(host: str) -> None:
    check_exposure(Settings(host=host))


def test_the_command_refuses_to_expose(tmp_path: Path) -> None:
    refused = subprocess.run(
        [sys.executable, "-m", "customer_segmentation", "serve", "--host", "0.0.0.0"],  # noqa: S104
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert refused.returncode == ExitCode.USAGE
    assert "Anyone who reaches 0.0.0.0" in refused.stderr
    assert list(tmp_path.iterdir()) == []


def test_every_answer_has_the_headers_that_keep_browsers_careful(shared_server: Server) -> None:
    for path in ("/v1/customers/56", "/get_customer_info_from_database?customer_id=56", "/none"):
        headers = shared_server.client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert headers["content-security-policy"].startswith("default-src 'none'")
    for path in ("/docs", "/guide/", "/static-offline-docs/swagger-ui.css"):
        headers = shared_server.client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["content-security-policy"].startswith("default-src 'self'")


def test_no_origin_may_call_unless_it_is_named(bank_url: str, tmp_path: Path) -> None:
    asking = {"Origin": "https://crm.example", "Access-Control-Request-Method": "GET"}
    named = {**KEYS, "CUSTOMER_SEGMENTATION_CORS_ORIGINS": "https://crm.example"}
    with Server(bank_url, tmp_path, **named) as server:
        allowed = httpx.options(f"{server.url}/v1/customers/56", headers=asking)
        other = {**asking, "Origin": "https://evil.example"}
        refused = httpx.options(f"{server.url}/v1/customers/56", headers=other)

    assert allowed.headers["access-control-allow-origin"] == "https://crm.example"
    assert "access-control-allow-origin" not in refused.headers


def test_no_origin_is_named_by_default(shared_server: Server) -> None:
    answer = shared_server.client.get("/v1/customers/56", headers={"Origin": "https://crm.example"})

    assert "access-control-allow-origin" not in answer.headers
