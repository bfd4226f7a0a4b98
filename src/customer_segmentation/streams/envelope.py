"""What a message holds: JSON by itself, or in a CloudEvents envelope, structured or binary."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from customer_segmentation.streams.brokers.broker import CONTENT_TYPE, Message, Outgoing

STRUCTURED = "application/cloudevents+json"
VERSION = "1.0"

_LARGEST = 2**20
"""Bytes of a message that is looked into: many times what a customer takes."""

_PREFIXES = ("ce-", "ce_", "cloudevents:", "cloudevents_", "")
"""How the bindings of CloudEvents to protocols begin the names of headers; MQTT's has none."""

_decoder = msgspec.json.Decoder()


class UnusableError(Exception):
    """A message holds nothing that could be taken in; the text says why."""


@dataclass(frozen=True, slots=True)
class Content:
    """What a message holds.

    Attributes:
        data: the object within; empty where there is none.
        id: of the event that it is; empty where it is none.
        type: of the event.
        time: of the event.
    """

    data: Mapping[str, Any]
    id: str = ""
    type: str = ""
    time: str = ""


def read_content(message: Message) -> Content:
    """Return what a message holds.

    Raises:
        UnusableError: it is no JSON object, or no event.
    """
    if message.headers.get(CONTENT_TYPE, "").startswith("application/cloudevents-batch"):
        raise UnusableError("A message must hold one event, not a batch of them")
    prefix = next((p for p in _PREFIXES if f"{p}specversion" in message.headers), None)
    if prefix is not None:
        names = ("id", "type", "time")
        told = {name: message.headers.get(f"{prefix}{name}", "") for name in names}
        return Content(_object(message.body), **told)
    found = _object(message.body)
    if message.headers.get(CONTENT_TYPE, "").startswith(STRUCTURED) or _is_event(found):
        return _open(found)
    return Content(found)


def _is_event(found: Mapping[str, Any]) -> bool:
    return {"specversion", "id", "source", "type"} <= found.keys()


def _open(event: Mapping[str, Any]) -> Content:
    if "data_base64" in event:
        try:
            data: Any = _object(base64.b64decode(event["data_base64"], validate=True))
        except (binascii.Error, TypeError, ValueError) as error:
            raise UnusableError("data_base64 of the event is no base64") from error
    else:
        data = event.get("data", {})
    if not isinstance(data, dict):
        raise UnusableError("The data of an event must be a JSON object")
    told = {name: str(event.get(name) or "") for name in ("id", "type", "time")}
    return Content(data, **told)


def _object(body: bytes) -> dict[str, Any]:
    if len(body) > _LARGEST:
        raise UnusableError(f"A message must have at most {_LARGEST:,} bytes")
    try:
        found = _decoder.decode(body) if body else {}
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UnusableError(f"A message must hold JSON: {error}") from error
    if not isinstance(found, dict):
        raise UnusableError("A message must hold a JSON object")
    return found


def wrap(
    data: Mapping[str, Any], *, event_id: str, source: str, kind: str, time: str, key: str
) -> Outgoing:
    """Return an event in its envelope, in structured mode, which every broker can carry.

    Args:
        data: of the event.
        event_id: unique within its source; those that come later are later in their order too.
        source: where it comes from.
        kind: its type.
        time: when it happened.
        key: events of the same key stay in order.
    """
    event = {
        "specversion": VERSION,
        "id": event_id,
        "source": source,
        "type": kind,
        "time": time,
        "datacontenttype": "application/json",
        "partitionkey": key,
        "sequence": event_id,
        "data": data,
    }
    return Outgoing(msgspec.json.encode(event), {CONTENT_TYPE: STRUCTURED}, key, event_id)
