"""Predictions for one or many people who need not be customers: `/v1/segments:predict`."""

from typing import Annotated, Any

from fastapi import Query, Request
from msgspec import Meta
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from customer_segmentation.api.http.openapi import Responses, Schema, problem_responses, schema_of
from customer_segmentation.api.http.problems import (
    INVALID,
    MEDIA,
    NOT_READY,
    STORE_UNAVAILABLE,
    TOO_LARGE,
    RequestProblemError,
)
from customer_segmentation.api.http.requests import decode_object, media_type
from customer_segmentation.api.http.roles import needs
from customer_segmentation.api.http.routers import Router
from customer_segmentation.api.http.schemas import CustomerTypes
from customer_segmentation.api.middleware.body_limits import takes_many
from customer_segmentation.api.v1.customers.explanations import (
    AssignmentAnswer,
    ContributionAnswer,
    assignment_answer,
)
from customer_segmentation.api.v1.predictions.formats import ARROW, JSON, NDJSON, formats_of
from customer_segmentation.api.v1.predictions.json_rows import MAX_ROWS, PIECE_BYTES
from customer_segmentation.domain.access import Role
from customer_segmentation.domain.customer import CustomerTable
from customer_segmentation.services.customers.explanation import explain_attributes
from customer_segmentation.services.customers.prediction import predict_segments
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork

_BINARY = {"schema": {"type": "string", "format": "binary"}}


def _request(types: CustomerTypes) -> Schema:
    one: Any = types.attributes
    many = Annotated[list[one], Meta(min_length=1, max_length=MAX_ROWS)]
    example = types.example_attributes
    return {
        "requestBody": {
            "required": True,
            "content": {
                JSON: {
                    "schema": schema_of(one | many),
                    "examples": {
                        "one": {"summary": "One person", "value": example},
                        "many": {"summary": "Several people", "value": [example, example]},
                    },
                },
            },
        }
    }


_RESPONSES: Responses = {
    200: {
        "description": "The segment of the one, or of the many, in the format of the request",
        "content": {
            NDJSON: {"schema": {"$ref": "#/components/schemas/Prediction"}},
            ARROW: _BINARY,
        },
    }
}


# These describe what `formats` writes from columns: to make 100,000 of them and write them takes
# 0.5 s, and from dictionaries 0.03 s.
class BriefExplanation(BaseModel):
    """Why someone is in a segment, in brief."""

    other: int = Field(description="The second nearest segment, which the pulls compare with.")
    distances: dict[int, float] = Field(description="By segment number, to its centroid.")
    contributions: list[ContributionAnswer] = Field(
        description="The three attributes that pull most, in either direction, strongest first."
    )


class Prediction(BaseModel):
    """The segment that one falls into."""

    segment: int = Field(
        ge=0, description="The nearest segment's number: hysteresis is for stored customers only."
    )
    confidence: float = Field(
        description="1 - d1/d2 of the distances to the nearest and second nearest centroid."
    )
    is_outlier: bool = Field(description="Whether far from every centroid.")
    explanation: BriefExplanation | None = Field(
        default=None, description="Why; there where that was asked for."
    )


class Predictions(BaseModel):
    """The segments of people, in their order."""

    model_version: int = Field(description="Which gave the segments.")
    predictions: list[Prediction]


def predictions_router(units: UnitsOfWork, types: CustomerTypes) -> Router:
    """Return the route of predictions.

    Args:
        units: over the database.
        types: of customers in requests.
    """
    router = Router("/v1", "Segments")
    customers, formats = CustomerTable(units.schema), formats_of(units.schema)

    @router.post(
        "/segments:predict",
        summary="Which segment people are in, and why",
        operation_id="predict_segments",
        response_model=AssignmentAnswer | Predictions,
        responses=_RESPONSES | problem_responses(MEDIA, INVALID, NOT_READY, STORE_UNAVAILABLE),
        openapi_extra=_request(types),
    )
    @needs(Role.READER)
    @takes_many()
    async def predict(
        request: Request,
        explain: Annotated[
            bool, Query(description="Whether to tell why: all of it for one, in brief for many.")
        ] = False,
    ) -> AssignmentAnswer | Response:
        """Tell the segments of people with these attributes; nothing is stored.

        One JSON object gets a whole answer. Up to 100,000 people, as a JSON array, a line each of
        NDJSON (`application/x-ndjson`) or an Arrow IPC stream
        (`application/vnd.apache.arrow.stream`) with a column for each attribute, get segment,
        confidence and outlier flag each, in the same order and format. Explained, an Arrow stream
        has the columns `other`, `distance_0` and so on, and `contributions`.
        """
        kind = media_type(request.headers.get("content-type", ""))
        form = formats.get(kind)
        if form is None:
            raise RequestProblemError(MEDIA, f"Send the body as one of {', '.join(formats)}")
        body = await request.body()
        if kind == JSON and not body[:PIECE_BYTES].lstrip().startswith(b"["):
            if len(body) > PIECE_BYTES:
                message = f"The body for one person may hold at most {PIECE_BYTES} bytes"
                raise RequestProblemError(TOO_LARGE, message)
            attributes = customers.accept_attributes(decode_object(body))
            found = await run_in_threadpool(explain_attributes, units, attributes)
            return assignment_answer(found, explained=explain)

        def answer() -> bytes:
            return form.write(predict_segments(units, form.read(body), explained=explain))

        return Response(await run_in_threadpool(answer), media_type=kind)

    return router
