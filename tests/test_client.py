"""The client: every call against the real service, tries where safe, and its documentation."""

import asyncio
import contextlib
import doctest
import inspect
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from customer_segmentation import client as client_module
from customer_segmentation.client import TRIES, AsyncClient, Client, ServiceError
from tests.servers import Server
from tests.test_functions import NEW_CUSTOMER, SOMEONE

ATTRIBUTES = {name: value for name, value in NEW_CUSTOMER.items() if name != "customer_id"}


def test_every_call_is_answered(server: Server) -> None:
    before = datetime.now(UTC)
    with Client(server.url) as bank:
        start = bank.list_events("latest")["next"]
        added = bank.add_customer(30_000, ATTRIBUTES)
        assert bank.get_customer(30_000) == added
        assert bank.update_customer(30_000, {"age": 50})["age"] == 50
        assert bank.replace_customer(30_000, SOMEONE)["segment"] == 1
        assert bank.explain_customer(30_000)["explanation"]["segment"] == 1
        assert bank.delete_customer(30_000) == {}
        assert len(bank.get_history(30_000)["changes"]) == 3
        assert len(bank.list_events(start)["events"]) == 3
        (outcome,) = bank.apply_batch([{"action": "delete", "customer": {"customer_id": 787}}])[
            "outcomes"
        ]
        assert outcome["status"] == "deleted"
        assert bank.predict(SOMEONE)["explanation"] is None
        assert bank.predict(SOMEONE, explain=True)["explanation"]["segment"] == 1
        assert len(bank.predict_many([SOMEONE] * 3)["predictions"]) == 3
        assert bank.edit_segment(1, name="Bargain Hunters", by="Ada")["name"] == "Bargain Hunters"
        assert bank.list_segments()["segments"][1]["name"] == "Bargain Hunters"
        assert bank.get_transitions(before, datetime.now(UTC))["transitions"]
        assert len(bank.get_disparity()["genders"]) == 2
        assert bank.get_drift()["model_version"] == 1
        job = bank.begin_training(seed=3, by="Ada")
        *_, last = bank.follow_job(job["id"], seconds=0.1)
        assert last["state"] == "succeeded"
        assert bank.list_jobs()["jobs"][0]["id"] == job["id"]
        with pytest.raises(ServiceError, match="ended"):
            bank.cancel_job(job["id"])
        assert bank.get_impact(1)["before"] == 2
        assert bank.get_moves(1, 2)["after"] == 2
        assert bank.get_record(2)["model"]["is_active"]
        assert bank.activate_model(1, "Bo", "as before")["is_active"]
        assert bank.get_model(2)["quality"]["stability"] > 0.9
        assert [model["version"] for model in bank.list_models()["models"]] == [2, 1]
        study = bank.begin_study(ks=[2])
        assert bank.get_study(study["id"])["kind"] == "study"


def test_customers_are_iterated_page_by_page(shared_server: Server) -> None:
    with Client(shared_server.url) as bank:
        found = list(bank.iterate_customers(segment=2, age_min=80, limit=7, sort="-age"))

    assert len(found) > 20
    assert all(customer["segment"] == 2 and customer["age"] >= 80 for customer in found)
    assert len({customer["customer_id"] for customer in found}) == len(found)


def test_the_async_client_does_the_same(shared_server: Server) -> None:
    async def ask() -> tuple[Any, list[Any], str]:
        async with AsyncClient(shared_server.url) as bank:
            customer, segments = await asyncio.gather(bank.get_customer(56), bank.list_segments())
            found = [c async for c in bank.iterate_customers(age_min=90, limit=3)]
            with pytest.raises(ServiceError) as refusal:
                await bank.get_customer(999_999)
            assert refusal.value.status == 404
            return customer, found, segments["segments"][0]["name"]

    customer, found, name = asyncio.run(ask())

    assert customer["segment_name"] == name == "High-Value Power Users"
    assert all(customer["age"] == 90 for customer in found)


def test_a_refusal_tells_the_field(shared_server: Server) -> None:
    with Client(shared_server.url) as bank, pytest.raises(ServiceError) as refusal:
        bank.predict({**SOMEONE, "age": -1})

    assert refusal.value.status == 422
    assert refusal.value.problem["errors"][0]["field"] == "age"
    assert "age must be" in str(refusal.value)


class Flaky:
    """A service that fails some times before it answers."""

    def __init__(self, *failures: int | None, retry_after: str = "") -> None:
        self.failures = list(failures)
        self.headers = {"Retry-After": retry_after} if retry_after else {}
        self.requests: list[httpx.Request] = []
        self.waits: list[float] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if not self.failures:
            return httpx.Response(200, json={"done": True})
        status = self.failures.pop(0)
        if status is None:
            raise httpx.ConnectError("refused", request=request)
        return httpx.Response(status, json={"title": "no"}, headers=self.headers)

    def client(self) -> Client:
        return Client("http://x", transport=httpx.MockTransport(self), sleep=self.waits.append)


def test_what_may_pass_is_tried_again_when_the_service_says() -> None:
    flaky = Flaky(503, None, 429, retry_after="7")

    assert flaky.client().get_drift() == {"done": True}

    assert flaky.waits == [7, 0.2, 7]


@pytest.mark.parametrize("status", [400, 404, 409, 500])
def test_what_will_not_pass_is_not_tried_again(status: int) -> None:
    flaky = Flaky(status)

    with pytest.raises(ServiceError):
        flaky.client().get_drift()

    assert flaky.waits == []


def test_it_gives_up_in_the_end() -> None:
    flaky = Flaky(*[503] * 20)
    lost = Flaky(*[None] * 20)

    with pytest.raises(ServiceError):
        flaky.client().get_drift()
    with pytest.raises(httpx.ConnectError):
        lost.client().get_drift()

    assert len(flaky.requests) == len(lost.requests) == TRIES


def test_only_calls_that_do_no_more_the_second_time_are_repeated() -> None:
    def tries(call: str, *arguments: object, **named: object) -> int:
        flaky = Flaky(503)
        bank = flaky.client()
        with contextlib.suppress(ServiceError):
            getattr(bank, call)(*arguments, **named)
        return len(flaky.requests)

    assert tries("add_customer", 1, SOMEONE) == 2
    assert tries("update_customer", 1, {"age": 3}) == 2
    assert tries("update_customer", 1, {"age": 3}, "tag") == 1
    assert tries("begin_training") == 1
    assert tries("apply_batch", []) == 1
    assert tries("activate_model", 1) == 2


def test_a_customer_added_again_has_the_same_key() -> None:
    flaky = Flaky(None)
    bank = flaky.client()
    bank.add_customer(1, SOMEONE)
    bank.add_customer(1, SOMEONE)

    first, again, other = (request.headers["idempotency-key"] for request in flaky.requests)

    assert first == again != other


def test_a_key_is_shown_with_each_call() -> None:
    flaky = Flaky()
    with Client("http://x", "cs_1_2", transport=httpx.MockTransport(flaky)) as bank:
        bank.get_drift()

    assert flaky.requests[0].headers["authorization"] == "Bearer cs_1_2"


def test_its_documentation_runs(shared_server: Server) -> None:
    text = inspect.getdoc(client_module) or ""
    text = text.replace("http://localhost:8000", shared_server.url)
    example = doctest.DocTestParser().get_doctest(
        text, vars(client_module).copy(), "client", None, 0
    )

    found = doctest.DocTestRunner().run(example)

    assert (found.failed, found.attempted) == (0, 1)


def test_customers_are_erased_and_webhooks_kept(server: Server) -> None:
    with Client(server.url) as client:
        receipt = client.erase_customer(787)
        assert client.get_erasure(787) == receipt
        client.lift_erasure(787)
        entries = client.list_audit_entries(kind="customer", subject="787")["entries"]
        assert [e["action"] for e in entries] == ["erasure lifted", "erased", "deleted"]

        with pytest.raises(ServiceError) as refusal:
            client.create_webhook("http://127.0.0.1/hook")
        assert refusal.value.status == 422
        assert client.list_webhooks() == {"webhooks": []}
        missing = "0" * 32
        for call in (client.remove_webhook, client.list_dead_letters):
            with pytest.raises(ServiceError, match="no webhook"):
                call(missing)
        with pytest.raises(ServiceError, match="no webhook"):
            client.redeliver(missing, 1)
