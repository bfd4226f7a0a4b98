"""What the OpenAPI document says of bodies and problems."""

from typing import Any

from customer_segmentation.api.http.problems import MEDIA_TYPE, ProblemType, problem_body
from customer_segmentation.api.http.schemas import Schema, reference


def json_body(name: str, example: object) -> Schema:
    """Return what OpenAPI says of a JSON body of one of the named schemas."""
    media = {"schema": reference(name), "example": example}
    return {"requestBody": {"required": True, "content": {"application/json": media}}}


def problem_responses(*errors: ProblemType) -> dict[int | str, dict[str, Any]]:
    """Return what OpenAPI says of these errors, by status code."""
    statuses = sorted({error.status for error in errors})
    return {s: _problem_response([e for e in errors if e.status == s]) for s in statuses}


def _problem_response(kinds: list[ProblemType]) -> dict[str, Any]:
    examples = {
        kind.slug: {"summary": kind.title, "value": problem_body(kind, kind.title)}
        for kind in kinds
    }
    response: dict[str, Any] = {
        "description": "; ".join(kind.title for kind in kinds),
        "content": {MEDIA_TYPE: {"schema": reference("Problem"), "examples": examples}},
    }
    if kinds[0].retry:
        response["headers"] = {
            "Retry-After": {
                "description": "Seconds to wait before trying again.",
                "schema": {"type": "integer"},
            }
        }
    return response
