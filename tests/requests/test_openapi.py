"""The OpenAPI document: complete, true, and held against the running service."""

import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import httpx
import pytest

from customer_segmentation import __version__
from customer_segmentation.api.http.requests import JSON
from customer_segmentation.services.runtime.settings import SHIPPED_DATA
from tests.support.exploring import EXAMPLES, FEW, STATEFUL, explore
from tests.support.servers import Server, running
from tests.support.shipped import CUSTOMER_ID, FEATURES, FUNCTIONS, SHIPPED

pytestmark = pytest.mark.both_databases


def test_it_names_the_product_and_every_function(shared_server: Server) -> None:
    document = shared_server.client.get("/openapi.json").json()

    assert document["info"]["title"] == "Customer Segmentation"
    assert document["info"]["version"] == __version__
    assert len(document["info"]["description"]) > 300
    for name, documentation in FUNCTIONS.items():
        operation = document["paths"][f"/{name}"][documentation.method.lower()]
        assert operation["operationId"] == name
        assert operation["summary"].lower() == name.replace("_", " ")
        assert operation["description"]
        assert "503" in operation["responses"]


def test_every_field_has_its_meaning_range_and_example(shared_server: Server) -> None:
    schemas = shared_server.client.get("/openapi.json").json()["components"]["schemas"]

    for feature in (CUSTOMER_ID, *FEATURES):
        field = schemas["NewCustomer"]["properties"][feature.name]
        assert feature.description in field["description"]
        assert feature.allowed in field["description"]
        assert field["examples"] == [feature.example]
        assert all(label in field["description"] for label in feature.codes.values())


def test_every_field_and_parameter_is_explained(shared_server: Server) -> None:
    document = shared_server.client.get("/openapi.json").json()

    unexplained = [
        f"{name}.{field}"
        for name, schema in document["components"]["schemas"].items()
        for field, told in schema.get("properties", {}).items()
        if not told.get("description") and "#/components/" not in str(told)
    ]
    operations = [o for path in document["paths"].values() for o in path.values()]
    unexplained += [
        f"{operation['operationId']}.{parameter['name']}"
        for operation in operations
        for parameter in operation.get("parameters", ())
        if not parameter.get("description")
    ]
    unexplained += [
        o["operationId"] for o in operations if not o["summary"] or not o["description"]
    ]

    assert unexplained == []


def test_every_example_runs_as_it_stands(server: Server) -> None:
    document = server.client.get("/openapi.json").json()
    # What they are about is not there yet: a job, a webhook, an erased customer, a host, a file,
    # a key, an audience, a campaign.
    others = {"create_webhook", "get_erasure", "lift_erasure", "begin_import", "preview_import"}
    others |= {"create_key", "revoke_key", "infer_schema"}
    runnable = [
        (path, method, operation)
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        if operation["operationId"] not in others
        and "{job_id}" not in path
        and "{webhook_id}" not in path
        and "{import_id}" not in path
        and "{export_id}" not in path
        and "{audience_id}" not in path
        and "{campaign_id}" not in path
    ]
    assert len(runnable) > 30

    # What is deleted can only be asked about before.
    for path, method, operation in sorted(runnable, key=lambda one: one[1] != "get"):
        answer = send_example(server, document, method, path, operation)
        assert answer.is_success, (operation["operationId"], answer.text)


def test_it_names_the_attributes_wherever_one_is_to_be_given(shared_server: Server) -> None:
    schemas = shared_server.client.get("/openapi.json").json()["components"]["schemas"]
    training, export = (schemas[name]["properties"] for name in ("TrainingRequest", "ExportBody"))
    excluded, weights = (training[name]["anyOf"][0] for name in ("exclude", "weights"))

    for told in (excluded["items"], weights["propertyNames"], export["min"]["propertyNames"]):
        assert told["enum"] == list(SHIPPED.names)


WRONG = {"boolean": (0, "true"), "integer": (True, "1"), "number": (True, "1")}
"""What some libraries take for a value of a type, and JSON does not."""


def test_no_body_takes_one_type_for_another(shared_server: Server) -> None:
    document = shared_server.client.get("/openapi.json").json()
    tried = set()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            for field, value in wrong_values(document, operation):
                place = re.sub(r"{\w+}", "1", path)
                answer = shared_server.client.request(method, place, json={field: value})

                faults = [fault["field"].split(".")[0] for fault in answer.json().get("errors", ())]
                assert (answer.status_code, field in faults) == (422, True), (path, field, value)
                tried.add((path, field))
    exported = {("/v1/exports", field) for field in ("audience", "segment", "min", "missing")}
    assert exported | {("/v1/models", "k"), ("/v1/models", "weights")} <= tried


def wrong_values(
    document: dict[str, Any], operation: dict[str, Any]
) -> Iterator[tuple[str, object]]:
    """Yield fields of a body with values of another type, also within objects by attribute."""
    content = operation.get("requestBody", {}).get("content", {})
    for name in re.findall(r"#/components/schemas/(\w+)", str(content.get(JSON)))[:1]:
        for field, told in document["components"]["schemas"][name]["properties"].items():
            for one in (told, *told.get("anyOf", ())):
                within = one.get("additionalProperties")
                yield from ((field, value) for value in WRONG.get(one.get("type"), ()))
                if isinstance(within, dict):
                    yield from ((field, {"age": value}) for value in WRONG.get(within["type"], ()))


def send_example(
    server: Server, document: dict[str, Any], method: str, path: str, operation: dict[str, Any]
) -> httpx.Response:
    """Send what `/docs` fills in for an operation."""
    query = {}
    for parameter in operation.get("parameters", ()):
        name = parameter["name"]
        examples: dict[str, dict[str, object]] = parameter.get("examples", {})
        if parameter["in"] == "path":
            path = path.replace(f"{{{name}}}", str(parameter["example"]))
        elif parameter["required"] or examples:
            chosen = next(iter(examples.values()), {}).get("value")
            query[name] = parameter.get("example", chosen)
    media = operation.get("requestBody", {}).get("content", {}).get("application/json")
    body = None if media is None else body_example(document, media)
    return server.client.request(method, path, params=query, json=body)


def body_example(document: dict[str, Any], media: dict[str, Any]) -> object:
    """Return the example of a body: its own, or the one of its schema."""
    if "example" in media:
        return media["example"]
    if "examples" in media:
        return next(iter(media["examples"].values()))["value"]
    (name,) = re.findall(r"#/components/schemas/(\w+)", str(media["schema"]))
    schema = document["components"]["schemas"][name]
    if "examples" in schema:
        return schema["examples"][0]
    fields = schema["properties"].items()
    return {field: told["examples"][0] for field, told in fields if "examples" in told}


@pytest.fixture
def small_bank(empty_database_url: str, tmp_path: Path) -> Iterator[Server]:
    """A server over few customers, so that what is started by chance takes little time."""
    data = tmp_path / "customers.csv"
    with SHIPPED_DATA.open() as shipped:
        data.write_text("".join(islice(shipped, 1_001)))
    with running(empty_database_url, tmp_path, CUSTOMER_SEGMENTATION_DATA=str(data)) as server:
        yield server


@pytest.mark.long_over_postgres
@pytest.mark.timeout(300 + 10 * EXAMPLES)
def test_schemathesis_finds_no_answer_that_the_document_does_not_tell(
    small_bank: Server, tmp_path: Path
) -> None:
    # To try every value of every field takes minutes.
    phases = "--phases=examples,fuzzing"
    explore(small_bank, tmp_path, phases, f"--max-examples={EXAMPLES}", "--workers=3")
    if EXAMPLES > FEW:
        # Several threads cannot parse Python at once before 3.11.8 (CPython's issue 106905).
        explore(small_bank, tmp_path, "--phases=coverage", "--workers=1")


@pytest.mark.long_over_postgres
@pytest.mark.timeout(600)
def test_schemathesis_finds_what_it_created_and_not_what_it_deleted(
    small_bank: Server, tmp_path: Path
) -> None:
    explore(small_bank, tmp_path, *STATEFUL, "--max-examples=300")
