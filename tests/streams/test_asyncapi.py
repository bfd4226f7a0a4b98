"""The AsyncAPI document has AsyncAPI's structure, and describes what is really sent and taken."""

import re
from functools import reduce
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from customer_segmentation.api.app import create_app
from customer_segmentation.services.runtime.settings import Settings
from customer_segmentation.streams import publishing
from tests.support.purchases import open_purchases
from tests.support.servers import Server

Json = dict[str, Any]

SALE = {"transaction_id": "T1", "customer_id": 7, "time": "2026-01-31", "amount": 1.5}


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> Json:
    folder = tmp_path_factory.mktemp("shop")
    url = f"sqlite:///{folder / 'shop.db'}"
    open_purchases(url).close()
    with Server(url, folder) as server:
        described: Json = server.client.get("/asyncapi.json").json()
    return described


def found(document: Json, reference: str) -> Any:  # noqa: ANN401
    """Return what a reference leads to."""
    parts = reference.removeprefix("#/").split("/")
    return reduce(lambda within, part: within[part], parts, document)


def references(part: object) -> list[str]:
    """Return every reference in a part of a document."""
    if isinstance(part, list):
        return [one for within in part for one in references(within)]
    if not isinstance(part, dict):
        return []
    own = [part["$ref"]] if isinstance(part.get("$ref"), str) else []
    return own + [one for within in part.values() for one in references(within)]


def test_the_document_has_the_structure_of_asyncapi(document: Json) -> None:
    assert re.fullmatch(r"3\.0\.\d+", document["asyncapi"])
    assert {"title", "version"} <= document["info"].keys()
    assert document.keys() <= {
        *("asyncapi", "info", "defaultContentType", "channels", "operations", "components")
    }
    for operation in document["operations"].values():
        assert operation["action"] in {"send", "receive"}
        assert operation["channel"]["$ref"].startswith("#/channels/")
    for channel in document["channels"].values():
        assert channel.keys() <= {"address", "description", "messages"}
        assert channel["messages"]
    for message in document["components"]["messages"].values():
        assert message.keys() <= {"title", "contentType", "payload"}
    for reference in references(document):
        assert found(document, reference)
    assert {one.rpartition("/")[2] for one in references(document) if "/schemas/" in one} == {
        *document["components"]["schemas"]
    }


@pytest.mark.parametrize(
    ("message", "good", "bad"),
    [
        ("transaction", SALE, {**SALE, "amount": "1,50"}),
        ("upsert", {"customer_id": 7, "points": 5}, {"customer_id": 7, "points": "many"}),
        (
            "operation",
            {"action": "delete", "customer": {"customer_id": 7}},
            {"action": "praise", "customer": {"customer_id": 7}},
        ),
    ],
)
def test_it_describes_what_messages_may_hold(
    document: Json, message: str, good: Json, bad: Json
) -> None:
    payload = document["components"]["messages"][message]["payload"]
    validator = jsonschema_rs.validator_for({**payload, "components": document["components"]})

    assert validator.is_valid(good)
    assert not validator.is_valid(bad)


def test_it_names_the_types_of_events_that_are_published(tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path / 'none.db'}"
    from customer_segmentation.api.asyncapi import EVENT_TYPES, describe_messages

    document = describe_messages(create_app(Settings(database_url=database)).openapi())
    payload = document["components"]["messages"]["segmentChanged"]["payload"]

    assert {*EVENT_TYPES} == {publishing.EVENT_TYPE, publishing.AUDIENCE_TYPE}
    assert payload["properties"]["type"]["enum"] == [*EVENT_TYPES]
