"""Webhooks: signed, in order, at least once, put off and given up, and not to private addresses."""

import base64
import hmac
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from customer_segmentation.domain.errors import DeliveryFailedError, InvalidInputError
from customer_segmentation.domain.webhooks import sign, wait_after
from customer_segmentation.services.audit import Audit, acting_as, list_entries
from customer_segmentation.services.customers import delete_customer, update_customer
from customer_segmentation.services.erasure import erase_customer
from customer_segmentation.services.events import read_events
from customer_segmentation.services.settings import Settings
from customer_segmentation.services.unit_of_work import UnitsOfWork
from customer_segmentation.services.webhooks import (
    create_webhook,
    deliver_due,
    get_webhook,
    list_dead_letters,
    redeliver,
)
from tests.servers import running
from tests.stored import wait_until_ordered
from tests.test_functions import problem

FAST = Settings(webhook_private_addresses=True, webhook_attempts=3, webhook_retry_seconds=0.3)


@dataclass
class Receiver:
    """A receiver of messages, and what it answers next."""

    url: str = ""
    status: int = 200
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
            self.send_header("location", "http://127.0.0.1:1/elsewhere")
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


def test_a_signature_is_the_one_that_the_standard_shows() -> None:
    # The example of the Standard Webhooks specification.
    signature = sign(
        "whsec_plJ3nmyCDGBKInavdOK15jsl",
        "msg_loFOjxBNrRLzqYUf",
        1731705121,
        b'{"event_type":"ping","data":{"success":true}}',
    )
    assert signature == "v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0="


def test_what_changes_is_told_in_order_and_signed(units: UnitsOfWork, receiver: Receiver) -> None:
    webhook = create_webhook(units, FAST, receiver.url, "Ada")
    for customer_id in (787, 56, 9):
        units.run(delete_customer, customer_id)
    wait_until_ordered(units)

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
    wait_until_ordered(units)

    deliver_due(units, FAST)
    with acting_as("Bob"):
        read_events(units, webhook.place, 10)

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
    wait_until_ordered(units)
    deliver_due(units, FAST)

    told = receiver.customers()
    assert told == sorted(told)
    assert len(told) == len(set(told)) > 100


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
    ],
)
def test_private_addresses_and_other_schemes_are_refused(units: UnitsOfWork, url: str) -> None:
    with pytest.raises(InvalidInputError, match="url"):
        create_webhook(units, Settings(), url, "Ada")


def test_a_host_that_moves_to_a_private_address_is_not_called(
    units: UnitsOfWork, receiver: Receiver
) -> None:
    webhook = create_webhook(units, FAST, receiver.url, "Ada")
    units.run(delete_customer, 787)
    wait_until_ordered(units)

    deliver_due(units, Settings())

    assert receiver.messages == []
    assert "https" in get_webhook(units, webhook.id).error


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
