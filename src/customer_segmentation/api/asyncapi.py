"""`/asyncapi.json`: the messages that streams take in and send, as AsyncAPI describes them."""

from collections.abc import Iterator
from typing import Any

from fastapi import APIRouter, FastAPI

from customer_segmentation.api.http.roles import needs

Json = dict[str, Any]

VERSION = "3.0.0"
EVENT_TYPES = (
    "customer_segmentation.segment_changed",
    "customer_segmentation.audience_changed",
)
"""The types of events that are published."""

_SCHEMAS = "#/components/schemas/"
_STRUCTURED = "application/cloudevents+json"


def asyncapi_router(app: FastAPI) -> APIRouter:
    """Return the route of the document.

    Args:
        app: whose OpenAPI document describes already what messages hold.
    """
    router = APIRouter()

    @router.get("/asyncapi.json", include_in_schema=False)
    @needs(None)
    def document() -> Json:
        """Return what messages hold."""
        return describe_messages(app.openapi())

    return router


def describe_messages(openapi: Json) -> Json:
    """Return the AsyncAPI document of a service, whose OpenAPI document is given."""
    schemas = openapi["components"]["schemas"]
    messages = {
        "transaction": _message("A transaction", _reference("NewTransaction")),
        "upsert": _message("A customer to add or change", _reference("CustomerChanges")),
        "operation": _message("What to do with a customer", _OPERATION),
        "segmentChanged": _message(
            "A change of a customer's segment, or of an audience", _event(), _STRUCTURED
        ),
    }
    channels = {
        "transactions": ("The topic of `consume`.", ("transaction",)),
        "customers": ("The topic of `consume --of customers`.", ("upsert", "operation")),
        "segments": ("The topic of `publish`.", ("segmentChanged",)),
    }
    used = {*_names_in(messages, schemas)}
    return {
        "asyncapi": VERSION,
        "info": {
            "title": openapi["info"]["title"],
            "version": openapi["info"]["version"],
            "description": "Messages may also be CloudEvents whose data are described here.",
        },
        "defaultContentType": "application/json",
        "channels": {
            name: {
                "address": None,
                "description": told,
                "messages": {one: {"$ref": f"#/components/messages/{one}"} for one in of},
            }
            for name, (told, of) in channels.items()
        },
        "operations": {
            "takeTransactions": _operation("receive", "transactions", "Take transactions in"),
            "takeCustomers": _operation("receive", "customers", "Store and delete customers"),
            "publishSegments": _operation("send", "segments", "Tell changes of segments"),
        },
        "components": {
            "messages": messages,
            "schemas": {name: schemas[name] for name in sorted(used)},
        },
    }


def _reference(name: str) -> Json:
    return {"$ref": f"{_SCHEMAS}{name}"}


_OPERATION: Json = {
    "type": "object",
    "properties": {
        "action": {"enum": ["upsert", "delete"], "description": "What to do."},
        "customer": _reference("CustomerChanges"),
    },
    "required": ["action", "customer"],
    "additionalProperties": False,
}


def _event() -> Json:
    texts = {
        "id": "Grows from event to event.",
        "source": "By which receivers know the service.",
        "partitionkey": "The customer's id, by which events are in order.",
        "sequence": "As the id.",
    }
    return {
        "type": "object",
        "properties": {
            "specversion": {"const": "1.0"},
            "type": {"enum": [*EVENT_TYPES]},
            "time": {"type": "string", "format": "date-time"},
            "datacontenttype": {"const": "application/json"},
            **{name: {"type": "string", "description": told} for name, told in texts.items()},
            "data": _reference("Event"),
        },
        "required": ["specversion", "id", "source", "type", "data"],
    }


def _message(title: str, payload: Json, content_type: str = "application/json") -> Json:
    return {"title": title, "contentType": content_type, "payload": payload}


def _operation(action: str, channel: str, summary: str) -> Json:
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel}"},
        "summary": summary,
    }


def _names_in(document: object, schemas: Json) -> Iterator[str]:
    """Yield the names of the schemas that a document refers to, directly or not."""
    waiting, known = [document], set[str]()
    while waiting:
        part = waiting.pop()
        if isinstance(part, list):
            waiting += part
        elif isinstance(part, dict):
            waiting += part.values()
            name = str(part.get("$ref", "")).removeprefix(_SCHEMAS)
            if name in schemas and name not in known:
                known.add(name)
                waiting.append(schemas[name])
                yield name
