"""What a message may hold, however it is wrapped; read as every broker's messages are."""

import base64
import json
from pathlib import Path

import pytest

from customer_segmentation.domain.schema import Schema
from customer_segmentation.files.map.mapping_file import read_mapping, read_record_rules
from customer_segmentation.files.schema_file import parse_schema
from customer_segmentation.streams.brokers.broker import Message
from customer_segmentation.streams.envelope import UnusableError
from customer_segmentation.streams.records import CustomerRecords, TransactionRecords
from tests.support.purchases import SCHEMA
from tests.support.shipped import SHIPPED

SALE = {"customer_id": 7, "amount": 1.5}
STRUCTURED = {"content-type": "application/cloudevents+json; charset=utf-8"}
EVENT = {"specversion": "1.0", "id": "E1", "source": "/shop", "type": "shop.sold"}
TIME = "2026-01-31T10:00:00Z"
FULL = {**SALE, "transaction_id": "E1", "time": TIME}
ENCODED = base64.b64encode(json.dumps(SALE).encode()).decode()


@pytest.fixture(scope="module")
def shop() -> Schema:
    return parse_schema(SCHEMA.format(unknown="added"), "of the shop")


def message(body: object, headers: dict[str, str] | None = None, key: str = "") -> Message:
    """Return a message as a broker delivers it."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Message(content, headers or {}, key, None)


@pytest.mark.parametrize(
    "given",
    [
        message(FULL),
        message({**EVENT, "time": TIME, "data": SALE}, STRUCTURED),
        message({**EVENT, "time": TIME, "data": SALE}),
        message(
            {
                **EVENT,
                "time": TIME,
                "data_base64": base64.b64encode(json.dumps(SALE).encode()).decode(),
            },
            STRUCTURED,
        ),
        *(
            message(
                SALE,
                {f"{prefix}{name}": text for name, text in {**EVENT, "time": TIME}.items()},
            )
            for prefix in ("ce-", "ce_", "cloudevents:", "")
        ),
    ],
    ids=["plain", "structured", "untyped", "base64", "nats", "kafka", "amqp", "mqtt"],
)
def test_a_transaction_is_read_however_it_is_wrapped(shop: Schema, given: Message) -> None:
    assert TransactionRecords(shop, None).read(given) == FULL


def test_what_the_data_say_goes_before_what_the_event_says(shop: Schema) -> None:
    told = {**SALE, "transaction_id": "T1", "time": "2026-01-01"}

    read = TransactionRecords(shop, None).read(message({**EVENT, "data": told}, STRUCTURED))

    assert read == told


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (message(b"\xff"), "must hold JSON"),
        (message(b"[" * 100_000), "must hold JSON"),
        (message(b'{"a": NaN}'), "must hold JSON"),
        (message(["a"]), "a JSON object"),
        (message(b'{"a": "' + b"x" * 2**20 + b'"}'), "at most 1,048,576 bytes"),
        (message({**EVENT, "data": [1]}), "data of an event must be"),
        (message({**EVENT, "data_base64": "%"}), "no base64"),
        (message([EVENT], {"content-type": "application/cloudevents-batch+json"}), "one event"),
    ],
)
def test_a_message_that_holds_nothing_usable_says_why(
    shop: Schema, given: Message, reason: str
) -> None:
    with pytest.raises(UnusableError, match=reason):
        TransactionRecords(shop, None).read(given)


def test_a_mapping_finds_fields_within_others(shop: Schema, tmp_path: Path) -> None:
    mapping = tmp_path / "mapping.toml"
    mapping.write_text(
        """
        [transactions]
        transaction_id = "order.number"
        customer_id = "order.client"
        time = "day"
        amount = "total"
        date_format = "%d.%m.%Y"
        decimal = ","
        """
    )
    order = {"order": {"number": 5, "client": "7"}, "day": "31.01.2026", "total": "1,50", "x": 1}

    read = TransactionRecords(shop, read_record_rules(shop, mapping)).read(message(order))

    told = {"transaction_id": "5", "customer_id": 7, "time": "2026-01-31", "amount": 1.5}
    assert read == told


@pytest.mark.parametrize(
    ("given", "operation"),
    [
        (message({"customer_id": 7, "age": 30}), ("upsert", {"customer_id": 7, "age": 30})),
        (
            message({"action": "upsert", "customer": {"customer_id": 7, "age": 30}}),
            ("upsert", {"customer_id": 7, "age": 30}),
        ),
        (
            message({"action": "delete", "customer": {"customer_id": 7, "age": 30}}),
            ("delete", {"customer_id": 7}),
        ),
        (
            message({**EVENT, "type": "crm.customer.deleted", "data": {"customer_id": 7}}),
            ("delete", {"customer_id": 7}),
        ),
        (message(b"", key="7"), ("delete", {"customer_id": 7})),
    ],
)
def test_a_message_stores_or_deletes_a_customer(
    given: Message, operation: tuple[str, object]
) -> None:
    read = CustomerRecords(SHIPPED, None).read(given)

    assert (read["action"], read["customer"]) == operation


def test_a_mapping_of_customers_leaves_out_what_a_message_does_not_name(tmp_path: Path) -> None:
    mapping = tmp_path / "mapping.toml"
    mapping.write_text(
        '[customer_id]\ncolumn = "client"\n'
        '[gender]\ncolumn = "sex"\ncodes = { m = 0, w = 1 }\n'
        + "".join(f'[{name}]\ncolumn = "{name}"\n' for name in SHIPPED.names if name != "gender")
    )
    records = CustomerRecords(SHIPPED, read_mapping(SHIPPED, mapping))

    read = records.read(message({"client": "7", "sex": "w", "age": "30"}))

    assert read == {"action": "upsert", "customer": {"customer_id": 7, "gender": 1, "age": 30}}
    with pytest.raises(UnusableError, match="age must be"):
        records.read(message({"client": "7", "age": "old"}))
