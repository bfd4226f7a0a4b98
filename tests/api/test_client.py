"""The client: every call against the real service, tries where safe, and its documentation."""

import asyncio
import contextlib
import doctest
import inspect
import socket
import threading
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import Any

import httpx
import pytest

from customer_segmentation import client as client_module
from customer_segmentation.client import TRIES, AsyncClient, Client, ServiceError
from tests.support.examples import NEW_CUSTOMER, SOMEONE
from tests.support.imports import shipped_csv
from tests.support.servers import Server, running

GUIDE = Path(__file__).parents[2] / "docs" / "client.md"
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
        gone = [{"action": "delete", "customer": {"customer_id": 787}}]
        assert bank.apply_batch(gone, dry_run=True) == bank.apply_batch(gone)
        assert bank.apply_batch(gone)["failed"] == 1
        assert bank.predict(SOMEONE)["explanation"] is None
        assert bank.predict(SOMEONE, explain=True)["explanation"]["segment"] == 1
        assert len(bank.predict_many([SOMEONE] * 3)["predictions"]) == 3
        assert bank.edit_segment(1, name="Bargain Hunters", by="Ada")["name"] == "Bargain Hunters"
        assert bank.list_segments()["segments"][1]["name"] == "Bargain Hunters"
        assert bank.get_transitions(before, datetime.now(UTC))["transitions"]
        assert bank.get_growth(before)["segments"][1]["segment"] == 1
        assert len(bank.get_segment_sizes(weeks=3)["sizes"]) == 4
        assert len(bank.get_distributions()["attributes"]) == len(ATTRIBUTES)
        assert len(bank.get_map(200)["points"]) == 200
        assert bank.get_access() == {"name": "", "role": "admin"}
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


def test_a_file_is_sent_followed_and_its_rejects_are_fetched(
    server: Server, tmp_path: Path
) -> None:
    path, rejects = tmp_path / "some.csv", tmp_path / "rejects.csv"
    path.write_bytes(shipped_csv(last=3, changes={"age": "200"}))
    with Client(server.url) as bank:
        begun = bank.begin_import(path, "some.csv", dry_run=True, by="Ada")
        *_, last = bank.follow_import(begun["id"], seconds=0.1)

        assert (last["state"], last["result"]["rejected"]) == ("succeeded", 3)
        assert bank.list_imports()["imports"][0] == bank.get_import(begun["id"]) == last
        bank.download_rejects(begun["id"], rejects)
        assert len(rejects.read_text().splitlines()) == 4
        with pytest.raises(ServiceError, match="ended"):
            bank.cancel_import(begun["id"])
        taken = bank.begin_import(shipped_csv(last=3), "some.csv")
        *_, last = bank.follow_import(taken["id"], seconds=0.1)
        with pytest.raises(ServiceError, match="refused no rows"):
            bank.download_rejects(taken["id"], tmp_path / "none.csv")
        assert [name for name in tmp_path.iterdir() if "none" in name.name] == []


def test_a_file_is_previewed_and_an_export_downloaded(server: Server, tmp_path: Path) -> None:
    target = tmp_path / "all.ndjson"
    with Client(server.url) as bank:
        looked = bank.preview_import(shipped_csv(last=3), "some.csv")
        begun = bank.begin_export(format="ndjson", by="Ada")
        *_, last = bank.follow_export(begun["id"], seconds=0.1)
        bank.download_export(begun["id"], target)

        assert (looked["rows"], looked["rejected"]) == (3, 0)
        assert bank.list_exports()["exports"] == [bank.get_export(begun["id"])] == [last]
        assert len(target.read_text().splitlines()) == last["result"]["customers"] == 20_000
        with pytest.raises(ServiceError, match="ended"):
            bank.cancel_export(begun["id"])
        changed = bank.begin_import(shipped_csv(last=3, changes={"age": "99"}), "some.csv")
        [*bank.follow_import(changed["id"], seconds=0.1)]
        undone = bank.undo_import(changed["id"], by="Ada")
        *_, last = bank.follow_import(undone["id"], seconds=0.1)
        assert last["result"]["restored"] == 3


def test_the_async_client_sends_files_too(server: Server, tmp_path: Path) -> None:
    path, rejects = tmp_path / "some.csv", tmp_path / "rejects.csv"
    path.write_bytes(shipped_csv(last=3, changes={"age": "200"}))

    async def send() -> list[Any]:
        async with AsyncClient(server.url) as bank:
            begun = await bank.begin_import(path, "some.csv")
            found = [one async for one in bank.follow_import(begun["id"], seconds=0.1)]
            await bank.download_rejects(begun["id"], rejects)
            return found

    assert asyncio.run(send())[-1]["result"]["rejected"] == 3
    assert len(rejects.read_text().splitlines()) == 4


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


Failure = int | str | None


class Flaky:
    """A service that fails some times before it answers.

    A failure is a status; None, which never reached it; or "lost", whose answer never came back.
    """

    def __init__(self, *failures: Failure, retry_after: str = "") -> None:
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
        if isinstance(status, str):
            raise httpx.ReadError(status, request=request)
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
    def tries(failure: Failure, call: str, *arguments: object) -> int:
        flaky = Flaky(failure)
        with contextlib.suppress(ServiceError, httpx.ReadError):
            getattr(flaky.client(), call)(*arguments)
        return len(flaky.requests)

    repeated: list[tuple[Any, ...]] = [
        ("get_customer", 1),
        ("add_customer", 1, SOMEONE),
        ("update_customer", 1, {"age": 3}),
        ("replace_customer", 1, SOMEONE),
        ("delete_customer", 1),
        ("delete_customer", 1, "tag"),
        ("erase_customer", 1),
        ("activate_model", 1),
    ]
    done_once: list[tuple[Any, ...]] = [
        ("update_customer", 1, {"age": 3}, "tag"),
        ("replace_customer", 1, SOMEONE, "tag"),
        ("lift_erasure", 1),
        ("remove_webhook", "1"),
        ("begin_training",),
        ("apply_batch", []),
    ]
    maybe_done: list[Failure] = [503, "lost"]
    for failure in maybe_done:
        assert [tries(failure, *call) for call in repeated] == [2] * len(repeated)
        assert [tries(failure, *call) for call in done_once] == [1] * len(done_once)
    not_done: list[Failure] = [429, None]
    for failure in not_done:
        assert [tries(failure, *call) for call in done_once] == [2] * len(done_once)


def test_a_wait_is_as_long_as_asked_for_or_the_answer_stands() -> None:
    later = datetime.now(UTC) + timedelta(seconds=30)
    at_a_moment = Flaky(503, retry_after=format_datetime(later, usegmt=True))
    at_no_moment = Flaky(503, retry_after="soon")
    too_late = [Flaky(503, retry_after=wait) for wait in ("61", "604800", "9" * 20, "9" * 5_000)]

    at_a_moment.client().get_drift()
    at_no_moment.client().get_drift()
    for flaky in too_late:
        with pytest.raises(ServiceError):
            flaky.client().get_drift()

    assert at_a_moment.waits == [pytest.approx(30, abs=3)]
    assert at_no_moment.waits == [1]
    assert [flaky.waits for flaky in too_late] == [[]] * len(too_late)


@pytest.mark.parametrize(
    "retry_after",
    [
        *("", " ", "-1", "+3", "1.5", "1e3", "0x10", "soon", "²", "٣"),
        *("Thu, 01 Jan 1970 00:00:00 -0000", "Thu, 01 Jan 1970 00:00:00", "Thu, 01 Jan 1970"),
        *("Fri, 31 Dec 9999 23:59:59 -2359", "Mon, 01 Jan 0001 00:00:00 +2359"),
        *("Mon, 99 Jan 2026 99:99:99 GMT", "Mon, 01 Jan 2026 00:00:00 +99999999", ", , ,", "\0"),
    ],
)
def test_a_wait_asked_for_in_an_odd_form_is_none(retry_after: str) -> None:
    waits: list[float] = []
    failures = [httpx.Response(503, json={}, headers=[(b"Retry-After", retry_after.encode())])]

    def answer(_request: httpx.Request) -> httpx.Response:
        return failures.pop() if failures else httpx.Response(200, json={"done": True})

    bank = Client("http://x", transport=httpx.MockTransport(answer), sleep=waits.append)
    try:
        assert bank.get_drift() == {"done": True}
    except ServiceError:
        # A moment that is too far away.
        assert "9999" in retry_after

    assert waits in ([0.0], [1.0], [])


def test_a_late_answer_is_not_asked_for_again() -> None:
    asked: list[httpx.Request] = []

    def never(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        raise httpx.ReadTimeout("late", request=request)

    with (
        Client("http://x", transport=httpx.MockTransport(never)) as bank,
        pytest.raises(httpx.ReadTimeout),
    ):
        bank.get_impact(2, 1)

    assert len(asked) == 1


def test_a_call_waits_as_long_as_its_kind_may_take_or_as_is_said() -> None:
    def waits(call: str, *arguments: object, **options: Any) -> dict[str, float]:  # noqa: ANN401
        flaky = Flaky()
        bank = Client("http://x", transport=httpx.MockTransport(flaky), **options)
        getattr(bank, call)(*arguments)
        found: dict[str, float] = flaky.requests[0].extensions["timeout"]
        return found

    usual = {"connect": 5.0, "read": 30.0, "write": 30.0, "pool": 30.0}
    assert waits("get_drift") == usual
    assert waits("get_impact", 2, 1) == waits("get_moves", 2, 1) == usual | {"read": 600.0}
    assert waits("get_impact", 2, 1, timeout=3) == dict.fromkeys(usual, 3.0)
    patient = httpx.Timeout(None, connect=1.0)
    assert waits("get_drift", timeout=patient) == dict.fromkeys(usual) | {"connect": 1.0}


def test_how_often_a_call_is_sent_can_be_said() -> None:
    flaky = Flaky(*[503] * 20)
    waits: list[float] = []
    once = Client("http://x", transport=httpx.MockTransport(flaky), tries=1, sleep=waits.append)

    with pytest.raises(ServiceError):
        once.get_drift()

    assert len(flaky.requests) == 1


def test_calls_go_through_a_proxy_where_one_is_named() -> None:
    asked: list[str] = []

    class Proxy(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

    with ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as proxy:
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{proxy.server_port}"
        with Client("http://segments.example", proxy=address) as bank:
            assert bank.get_drift() == {}
        proxy.shutdown()

    assert asked == ["http://segments.example/v1/drift"]


@pytest.mark.parametrize("content", [b"[]", b"3", b'"text"', b"null", b"<html>"])
def test_an_answer_that_is_no_object_is_told(content: bytes) -> None:
    def answer(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=content)

    with (
        Client("http://x", transport=httpx.MockTransport(answer)) as bank,
        pytest.raises(ServiceError, match="No JSON"),
    ):
        bank.get_drift()


class Losing(ThreadingTCPServer):
    """A way to a service on which the first answers that are to be lost never come back."""

    daemon_threads = True

    def __init__(self, service_port: int) -> None:
        """Listen on a port of its own."""
        self.service_port = service_port
        self.to_lose = 0
        super().__init__(("127.0.0.1", 0), Lost)

    @property
    def url(self) -> str:
        """Where the service seems to be."""
        return f"http://127.0.0.1:{self.server_address[1]}"


class Lost(BaseRequestHandler):
    """A connection on that way."""

    server: Losing

    def handle(self) -> None:
        """Pass on what comes, and wait for the answer, so that what is lost was done."""
        with socket.create_connection(("127.0.0.1", self.server.service_port)) as service:
            threading.Thread(target=self._ask, args=[service], daemon=True).start()
            while answer := service.recv(65_536):
                if self.server.to_lose:
                    self.server.to_lose -= 1
                    return
                self.request.sendall(answer)

    def _ask(self, service: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while asked := self.request.recv(65_536):
                service.sendall(asked)


@pytest.mark.both_databases
def test_what_was_deleted_and_its_answer_lost_is_answered_as_the_first_time(server: Server) -> None:
    with Losing(server.port) as way:
        threading.Thread(target=way.serve_forever, daemon=True).start()
        with Client(way.url, sleep=lambda _seconds: None) as bank:
            start = bank.list_events("latest")["next"]
            tag = bank.get_customer(57).tag
            way.to_lose = 2
            assert bank.delete_customer(56) == {}
            way.to_lose = 1
            assert bank.delete_customer(57, tag) == {}
            way.to_lose = 2
            receipt = bank.erase_customer(58)
            way.to_lose = 1
            with pytest.raises(ServiceError) as refusal:
                bank.delete_customer(999_999)
            way.to_lose = 1
            with pytest.raises(httpx.TransportError):
                bank.lift_erasure(58)
            deleted = [event["customer_id"] for event in bank.list_events(start)["events"]]
        way.shutdown()

    assert way.to_lose == 0
    assert receipt["customer_id"] == 58
    assert receipt["removed"]["customer"] == 1
    assert refusal.value.status == 404
    assert deleted[:2] == [56, 57]


def test_a_key_for_a_deletion_is_good_for_that_alone(server: Server) -> None:
    once = {"Idempotency-Key": "monday"}
    first = server.client.delete("/v1/customers/56", headers=once)
    again = server.client.delete("/v1/customers/56", headers=once)
    other = server.client.delete("/v1/customers/57", headers=once)
    erased = server.client.delete("/v1/customers/56?erase=true", headers=once)
    afresh = server.client.delete("/v1/customers/56")

    assert [answer.status_code for answer in (first, again, other, erased, afresh)] == [
        *(204, 204, 409, 409, 404)
    ]


def test_a_customer_is_changed_only_as_it_was_seen(server: Server) -> None:
    with Client(server.url) as bank:
        seen = bank.get_customer(56)
        changed = bank.update_customer(56, {"age": 30}, seen.tag)
        with pytest.raises(ServiceError) as refusal:
            bank.update_customer(56, {"age": 31}, seen.tag)
        bank.delete_customer(56, changed.tag)

    assert refusal.value.status == 412


def test_events_are_iterated_page_by_page(server: Server) -> None:
    async def ask(after: str) -> list[dict[str, Any]]:
        async with AsyncClient(server.url) as bank:
            return [event async for event in bank.iterate_events(after, limit=2)]

    with Client(server.url) as bank:
        start = bank.list_events("latest")["next"]
        for customer_id in range(1, 6):
            bank.delete_customer(customer_id)
        found = list(bank.iterate_events(start, limit=2))

    assert [event["customer_id"] for event in found] == [1, 2, 3, 4, 5]
    assert asyncio.run(ask(start)) == found


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


def test_the_guide_runs(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = GUIDE.read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "customers.csv").write_bytes(shipped_csv(last=1, shift=40_000))
    with running(database_url, tmp_path) as server:
        text = text.replace("http://localhost:8000", server.url)
        example = doctest.DocTestParser().get_doctest(text, {}, "client.md", None, 0)

        found = doctest.DocTestRunner().run(example)

    assert found.failed == 0
    assert found.attempted > 20


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
