"""Webhooks: signed, in order, at least once, put off and given up, and not to private addresses."""

import base64
import hmac
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, HTTPServer
from ipaddress import ip_address
from pathlib import Path

import pytest

from customer_segmentation.domain.errors import DeliveryFailedError, InvalidInputError
from customer_segmentation.domain.webhooks import wait_after
from customer_segmentation.services.customers.commands import delete_customer, update_customer
from customer_segmentation.services.customers.erasure import erase_customer
from customer_segmentation.services.customers.events import read_events
from customer_segmentation.services.operation.webhook_addresses import is_public
from customer_segmentation.services.operation.webhooks import (
    Deliveries,
    create_webhook,
    deliver_due,
    get_webhook,
    list_dead_letters,
    redeliver,
)
from customer_segmentation.services.runtime.audit import Audit, acting_as, list_entries
from customer_segmentation.services.runtime.settings import Settings
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork
from customer_segmentation.store.queries import webhooks
from tests.support.answers import problem
from tests.support.servers import running

FAST = Settings(webhook_private_addresses=True, webhook_attempts=3, webhook_retry_seconds=0.3)


@dataclass
class Receiver:
    """A receiver of messages, and what it answers next."""

    url: str = ""
    status: int = 200
    location: str = "http://127.0.0.1:1/elsewhere"
    messages: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    def customers(self) -> list[int]:
        """The customers of every message, in the order of arrival."""
        return [e["customer_id"] for _, body in self.messages for e in json.loads(body)["events"]]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver that listens on this machine."""
    found = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            found.messages.append((headers, body))
            self.send_response(found.status)
            self.send_header("location", found.location)
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    found.url = f"http://127.0.0.1:{server.server_port}/hook"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield found
    server.shutdown()
    thread.join()
    server.server_close()


def deliver_until(units: UnitsOfWork, attempts: int, receiver: Receiver) -> None:
    """Deliver what is due until the receiver was called so often."""
    deadline = time.monotonic() + 10.0
    while len(receiver.messages) < attempts:
        assert time.monotonic() < deadline
        deliver_due(units, FAST)


def test_what_changes_is_told_in_order_and_signed(units: UnitsOfWork, receiver: Receiver) -> None:
    webhook = create_webhook(units, FAST, receiver.url, "Ada")
    for customer_id in (787, 56, 9):
        units.run(delete_customer, customer_id)

    deliver_due(units, FAST)

    assert receiver.customers() == [787, 56, 9]
    headers, body = receiver.messages[0]
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    key = base64.b64decode(webhook.secret.removeprefix("whsec_"))
    expected = base64.b64encode(hmac.new(key, signed, sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert abs(int(headers["webhook-timestamp"]) - time.time()) < 5
    deliver_due(units, FAST)
    assert len(receiver.messages) == 1


def test_the_audit_log_keeps_whom_receivers_were_told_of(
    units: UnitsOfWork, receiver: Receiver
) -> None:
    units.audit = Audit(keeps_reads=True)
    webhook = create_webhook(units, FAST, receiver.url, "Ada")
    units.run(delete_customer, 787)

    deliver_due(units, FAST)
    with acting_as("Bob"):
        read_events(units, webhook.position, 10)

    found = [
        (e.actor, e.action) for e, _ in list_entries(units.database, kind="customer", subject="787")
    ]
    assert found == [("Bob", "read"), (f"webhook {webhook.id}", "read"), ("", "deleted")]


def test_what_fails_is_sent_again_as_the_same_message(
    units: UnitsOfWork, receiver: Receiver
) -> None:
    webhook = create_webhook(units, FAST, receiver.url, "Ada")
    units.run(delete_customer, 787)
    receiver.status = 503
    deliver_until(units, 1, receiver)
    assert get_webhook(units, webhook.id).error == "answered 503"

    receiver.status = 200
    deliver_until(units, 2, receiver)

    first, second = receiver.messages
    assert first[0]["webhook-id"] == second[0]["webhook-id"]
    assert first[1] == second[1]
    assert get_webhook(units, webhook.id).attempts == 0


def test_waits_grow_up_to_six_hours() -> None:
    assert [wait_after(n, 5.0).total_seconds() for n in (1, 2, 3, 30)] == [5, 15, 45, 21_600]


def test_what_nobody_takes_becomes_a_dead_letter_that_can_be_sent_again(
    units: UnitsOfWork, receiver: Receiver
) -> None:
    webhook = create_webhook(units, FAST, receiver.url, "Ada")
    units.run(delete_customer, 787)
    units.run(delete_customer, 56)
    receiver.status = 302
    deliver_until(units, 3, receiver)
    (letter,) = list_dead_letters(units, webhook.id)
    receiver.status = 200
    units.run(delete_customer, 9)
    deliver_until(units, 4, receiver)
    assert receiver.customers()[-1] == 9

    units.run(erase_customer, 56)
    redeliver(units, FAST, webhook.id, letter.id)

    assert json.loads(receiver.messages[-1][1])["events"][0]["customer_id"] == 787
    assert len(json.loads(receiver.messages[-1][1])["events"]) == 1
    assert list_dead_letters(units, webhook.id) == []


@pytest.mark.parametrize("location", ["https://xn--a/", "mailto:bank"])
def test_an_answer_that_cannot_be_read_is_an_attempt_in_vain(
    units: UnitsOfWork, receiver: Receiver, caplog: pytest.LogCaptureFixture, location: str
) -> None:
    receiver.status, receiver.location = 302, location
    webhook = create_webhook(units, FAST, receiver.url, "Ada")
    units.run(delete_customer, 787)

    deliver_due(units, FAST)

    found = get_webhook(units, webhook.id)
    assert found.attempts == 1
    assert found.error.startswith("no answer: Invalid")
    deliver_until(units, FAST.webhook_attempts, receiver)
    assert len(list_dead_letters(units, webhook.id)) == 1
    assert not caplog.records


def test_an_address_of_an_earlier_release_that_cannot_be_called_ends_as_a_dead_letter(
    units: UnitsOfWork, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    once = FAST.model_copy(update={"webhook_attempts": 1})
    webhook = create_webhook(units, once, receiver.url, "Ada")
    with units.database.write() as connection:
        webhooks.change(connection, webhook, url="https://8.8.8.8:99999/")
    units.run(delete_customer, 787)

    deliver_due(units, once)

    (letter,) = list_dead_letters(units, webhook.id)
    assert "must have a port from 1 to 65535" in letter.error
    assert not caplog.records


def test_a_dead_letter_that_fails_again_stays(units: UnitsOfWork, receiver: Receiver) -> None:
    webhook = create_webhook(units, FAST, receiver.url, "Ada")
    units.run(delete_customer, 787)
    receiver.status = 500
    deliver_until(units, 3, receiver)
    (letter,) = list_dead_letters(units, webhook.id)

    with pytest.raises(DeliveryFailedError, match="answered 500"):
        redeliver(units, FAST, webhook.id, letter.id)

    assert list_dead_letters(units, webhook.id) == [letter]


@pytest.mark.both_databases
def test_two_processes_do_not_send_the_same_twice(units: UnitsOfWork, receiver: Receiver) -> None:
    create_webhook(units, FAST, receiver.url, "Ada")
    for customer_id in range(1, 300):
        units.run(update_customer, customer_id, {"transaction_count": 40, "loyalty_score": 900})
    threads = [threading.Thread(target=deliver_due, args=(units, FAST)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    deliver_due(units, FAST)

    told = receiver.customers()
    assert told == sorted(told)
    assert len(told) == len(set(told)) > 100


@pytest.mark.parametrize(
    ("address", "is_fine"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1:248:1893:25c8:1946", True),
        ("::ffff:93.184.216.34", True),
        ("64:ff9b::93.184.216.34", True),
        ("64:ff9b::127.0.0.1", False),
        ("64:ff9b::192.0.0.192", False),
        ("192.0.0.192", False),
        ("192.88.99.1", False),
        ("3fff::1", False),
        ("64:ff9b::a9fe:a9fe", False),
        ("64:ff9b:1::7f00:1", False),
        ("2002:7f00:1::", False),
        ("2001:0:7f00:1::", False),
        ("::127.0.0.1", False),
        ("::ffff:127.0.0.1", False),
        ("fec0::1", False),
        ("fe80::1", False),
        ("ff0e::1", False),
        ("224.0.0.1", False),
        ("239.255.255.250", False),
        ("100.64.0.1", False),
        ("0.0.0.1", False),
        ("255.255.255.255", False),
    ],
)
def test_an_address_is_public_by_what_it_leads_to(address: str, is_fine: bool) -> None:
    assert is_public(ip_address(address)) is is_fine


@pytest.mark.both_databases
def test_a_message_that_is_sent_again_is_the_same_whatever_came_since(
    units: UnitsOfWork, receiver: Receiver
) -> None:
    create_webhook(units, FAST, receiver.url, "Ada")
    units.run(delete_customer, 787)
    units.run(delete_customer, 56)
    receiver.status = 502
    deliver_until(units, 1, receiver)
    units.run(delete_customer, 9)
    deliver_until(units, 2, receiver)
    units.run(erase_customer, 56)
    receiver.status = 200
    deliver_until(units, 4, receiver)

    told = [[e["customer_id"] for e in json.loads(body)["events"]] for _, body in receiver.messages]
    assert told == [[787, 56], [787, 56], [787], [9, 56]]
    names = [headers["webhook-id"] for headers, _ in receiver.messages]
    assert names[0] == names[1]
    assert len(set(names)) == 3
    erased = json.loads(receiver.messages[-1][1])["events"][-1]
    assert (erased["cause"], erased["from_segment"], erased["to_segment"]) == ("erased", None, None)


@pytest.mark.both_databases
def test_a_sender_that_lost_its_claim_moves_nothing(units: UnitsOfWork, receiver: Receiver) -> None:
    webhook = create_webhook(units, FAST, receiver.url, "Ada")
    stalled = get_webhook(units, webhook.id)
    units.run(delete_customer, 787)
    deliver_due(units, FAST)
    after = get_webhook(units, webhook.id)

    with units.database.write() as connection:
        assert not webhooks.change(connection, stalled, position=stalled.position, attempts=3)

    assert get_webhook(units, webhook.id) == after
    assert after.position > stalled.position


def test_a_slow_receiver_keeps_no_other_waiting(units: UnitsOfWork, receiver: Receiver) -> None:
    impatient = FAST.model_copy(update={"webhook_seconds": 2.0})
    done = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as dripping:

        def drip() -> None:
            connection, _ = dripping.accept()
            with connection, suppress(OSError):
                connection.sendall(b"HTTP/1.1 200 OK\r\n")
                while not done.wait(0.2):
                    # A byte now and then is no answer.
                    connection.sendall(b"x")

        thread = threading.Thread(target=drip)
        thread.start()
        url = f"http://127.0.0.1:{dripping.getsockname()[1]}/hook"
        slow = create_webhook(units, FAST, url, "Ada")
        create_webhook(units, FAST, receiver.url, "Ada")
        with Deliveries(units, impatient) as deliveries:
            for customer_id in (787, 56):
                units.run(delete_customer, customer_id)
                deadline = time.monotonic() + 60.0
                while receiver.customers()[-1:] != [customer_id]:
                    assert time.monotonic() < deadline
                    deliveries.begin_due()
        done.set()
        thread.join()

    assert get_webhook(units, slow.id).error == "no answer within 2 seconds"


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/hook",
        "https://127.0.0.1/hook",
        "https://localhost/hook",
        "https://10.0.0.8/hook",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/hook",
        "https://[fd00::1]/hook",
        "https://[::ffff:10.0.0.8]/hook",
        "https://0x7f000001/hook",
        "https://user:password@example.com/hook",
        "https:///hook",
        "ftp://example.com/hook",
        "https://no-such-host.invalid/hook",
        "https://xn--a/hook",
        "https://8.8.8.8:99999/hook",
        "https://8.8.8.8:0/hook",
        "https://[::127.0.0.1]/hook",
    ],
)
def test_private_addresses_and_other_schemes_are_refused(units: UnitsOfWork, url: str) -> None:
    with pytest.raises(InvalidInputError, match="url"):
        create_webhook(units, Settings(), url, "Ada")


def lead(monkeypatch: pytest.MonkeyPatch, host: str, *places: str) -> None:
    """Let a host name lead to one address after the other, each time that it is looked up."""
    looked_up = iter(places)
    found: Callable[..., object] = socket.getaddrinfo

    def look_up(name: str, *arguments: object, **named: object) -> object:
        return found(next(looked_up) if name == host else name, *arguments, **named)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)


def test_a_host_that_moves_to_a_private_address_is_not_called(
    units: UnitsOfWork, monkeypatch: pytest.MonkeyPatch
) -> None:
    lead(monkeypatch, "crm.example", "93.184.215.14", "127.0.0.1")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"https://crm.example:{listener.getsockname()[1]}/"
        webhook = create_webhook(units, Settings(), url, "Ada")
        units.run(delete_customer, 787)

        deliver_due(units, Settings())

        assert "at a private address" in get_webhook(units, webhook.id).error
        listener.settimeout(0.0)
        with pytest.raises(BlockingIOError):
            listener.accept()


def test_the_address_that_is_called_is_the_one_that_was_looked_at(
    units: UnitsOfWork, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    lead(monkeypatch, "crm.example", "127.0.0.1", "127.0.0.1", "192.0.2.1")
    url = receiver.url.replace("127.0.0.1", "crm.example")
    create_webhook(units, FAST, url, "Ada")
    units.run(delete_customer, 787)

    deliver_due(units, FAST)

    assert receiver.customers() == [787]
    assert receiver.messages[0][0]["host"] == url.split("/")[2]


def test_a_server_tells_its_webhooks(database_url: str, tmp_path: Path, receiver: Receiver) -> None:
    allowed = {"CUSTOMER_SEGMENTATION_WEBHOOK_PRIVATE_ADDRESSES": "true"}
    with running(database_url, tmp_path, **allowed) as server:
        client = server.client
        problem(client.post("/v1/webhooks", json={"url": "ftp://example.com"}), 422)
        created = client.post("/v1/webhooks", json={"url": receiver.url})
        assert created.status_code == 201
        location = created.headers["location"]
        assert "secret" not in client.get(location).json()
        assert [w["id"] for w in client.get("/v1/webhooks").json()["webhooks"]] == [
            created.json()["id"]
        ]

        client.delete("/v1/customers/787")

        deadline = time.monotonic() + 10.0
        while receiver.customers() != [787]:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert client.get(f"{location}/dead-letters").json() == {"dead_letters": []}
        problem(client.post(f"{location}/dead-letters/1:redeliver"), 404)
        assert client.delete(location).status_code == 204
        problem(client.get(location), 404)
