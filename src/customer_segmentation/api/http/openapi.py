"""What the OpenAPI document says of types, bodies and problems."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from customer_segmentation.api.http.fields import ATTRIBUTE
from customer_segmentation.api.http.problems import MEDIA_TYPE, Problem, ProblemType
from customer_segmentation.api.http.requests import JSON

Schema = dict[str, Any]
Responses = dict[int | str, dict[str, Any]]

_PLACE = "#/components/schemas/{name}"


def schema_of(kind: object) -> Schema:
    """Return the schema of a type, which refers to structures in it by their names."""
    (schema,), _ = msgspec.json.schema_components([kind], ref_template=_PLACE)
    return schema


def components_of(kinds: Iterable[object]) -> dict[str, Schema]:
    """Return the schemas of the structures in types, by name."""
    _, components = msgspec.json.schema_components(kinds, ref_template=_PLACE)
    return components


def name_attributes(document: object, names: Sequence[str]) -> None:
    """Tell the attributes that there are wherever a document asks for the name of one."""
    if isinstance(document, dict):
        if document.get("format") == ATTRIBUTE:
            del document["format"], document["maxLength"]
            document["enum"] = list(names)
        for part in document.values():
            name_attributes(part, names)
    elif isinstance(document, list):
        for part in document:
            name_attributes(part, names)


def json_body(kind: object, example: object) -> Schema:
    """Return what OpenAPI says of a JSON body of a type."""
    media = {"schema": schema_of(kind), "example": example}
    return {"requestBody": {"required": True, "content": {JSON: media}}}


def json_response(
    kind: object,
    description: str,
    *,
    status: int = 200,
    headers: Schema | None = None,
    example: object = None,
) -> Responses:
    """Return what OpenAPI says of a JSON answer of a type."""
    media: Schema = {"schema": schema_of(kind)}
    if example is not None:
        media["example"] = msgspec.to_builtins(example)
    response: Schema = {"description": description, "content": {JSON: media}}
    if headers is not None:
        response["headers"] = headers
    return {status: response}


def problem_responses(*errors: ProblemType) -> Responses:
    """Return what OpenAPI says of these errors, by status code."""
    statuses = sorted({error.status for error in errors})
    return {s: _problem_response([e for e in errors if e.status == s]) for s in statuses}


_PROBLEM = schema_of(Problem)


def _problem_response(kinds: list[ProblemType]) -> dict[str, Any]:
    examples = {
        kind.slug: {
            "summary": kind.title,
            "value": msgspec.to_builtins(kind.problem(kind.title)),
        }
        for kind in kinds
    }
    response: dict[str, Any] = {
        "description": "; ".join(kind.title for kind in kinds),
        "content": {MEDIA_TYPE: {"schema": _PROBLEM, "examples": examples}},
    }
    if kinds[0].retry:
        response["headers"] = {
            "Retry-After": {
                "description": "Seconds to wait before trying again.",
                "schema": {"type": "integer"},
            }
        }
    return response
