"""Many customers in one request: `/v1/customers:batch`."""

from collections import Counter
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from customer_segmentation.api.customer_answers import customer_content
from customer_segmentation.api.function_docs import json_body, problem_responses
from customer_segmentation.api.problems import (
    INVALID,
    MEDIA,
    NOT_READY,
    STORE_UNAVAILABLE,
    body_of,
)
from customer_segmentation.api.requests import read_object
from customer_segmentation.api.running import written
from customer_segmentation.api.schemas import BATCH_ROWS, CHANGES, NEW_CUSTOMER, reference
from customer_segmentation.domain.customer import (
    accept_id,
    accept_new_customer,
    accept_update,
)
from customer_segmentation.domain.errors import (
    FieldError,
    InvalidInputError,
    SegmentationError,
)
from customer_segmentation.services.batch import (
    Action,
    Operation,
    Outcome,
    apply_batch,
    try_batch,
)
from customer_segmentation.services.unit_of_work import UnitsOfWork

_DONE = {Action.ADD: "added", Action.UPDATE: "updated", Action.DELETE: "deleted"}
_EXAMPLE = {
    "operations": [
        {"action": "add", "customer": {**NEW_CUSTOMER, "customer_id": 20_003}},
        {"action": "update", "customer": CHANGES},
        {"action": "delete", "customer": {"customer_id": 787}},
    ]
}
_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "What came of each row",
        "content": {"application/json": {"schema": reference("BatchOutcome")}},
    }
}


def batches_router(units: UnitsOfWork) -> APIRouter:
    """Return the route of batches."""
    router = APIRouter(prefix="/v1", tags=["Customers"])

    @router.post(
        "/customers:batch",
        summary="Add, change and delete many customers",
        operation_id="apply_batch",
        responses=_RESPONSES | problem_responses(MEDIA, INVALID, NOT_READY, STORE_UNAVAILABLE),
        openapi_extra=json_body("Batch", _EXAMPLE),
    )
    async def batch(
        request: Request,
        dry_run: Annotated[
            bool, Query(description="Whether only to tell what would come of it.")
        ] = False,
    ) -> Response:
        """Do up to 1,000 operations in one transaction; each row's outcome is told.

        A row that cannot be done is left out and says why, as the single call would; the others
        are done. With `dry_run` the outcomes are the same, and nothing is changed.
        """
        rows = _rows(await read_object(request))
        accepted = [_accept(row) for row in rows]
        operations = [found for found in accepted if isinstance(found, Operation)]
        outcomes = iter(await written(units, try_batch if dry_run else apply_batch, operations))
        told = [
            _tell(row, next(outcomes), found)
            if isinstance(found, Operation)
            else _tell_failure(row, found)
            for row, found in enumerate(accepted)
        ]
        counts = Counter(outcome["status"] for outcome in told)
        answer = {name: counts[name] for name in (*_DONE.values(), "failed")}
        return Response(
            msgspec.json.encode({**answer, "outcomes": told}), media_type="application/json"
        )

    return router


def _rows(fields: dict[str, object]) -> list[object]:
    rows = fields.get("operations")
    if set(fields) != {"operations"} or not isinstance(rows, list):
        message = 'The body must be {"operations": [...]}'
        raise InvalidInputError([FieldError("operations", message)])
    if not 1 <= len(rows) <= BATCH_ROWS:
        message = f"operations must hold 1 to {BATCH_ROWS:,} rows, not {len(rows):,}"
        raise InvalidInputError([FieldError("operations", message)])
    return rows


def _accept(row: object) -> Operation | InvalidInputError:
    """Return a row's operation, or why it is none."""
    try:
        if not isinstance(row, dict) or set(row) != {"action", "customer"}:
            message = 'each row must be {"action": ..., "customer": {...}}'
            raise InvalidInputError([FieldError("operations", message)])
        customer = row["customer"]
        if row["action"] not in set(Action):
            message = f"action must be one of {', '.join(Action)}"
            raise InvalidInputError([FieldError("action", message)])
        if not isinstance(customer, dict):
            raise InvalidInputError([FieldError("customer", "customer must be an object")])
        match Action(row["action"]):
            case Action.ADD:
                return Operation(Action.ADD, *accept_new_customer(customer))
            case Action.UPDATE:
                return Operation(Action.UPDATE, *accept_update(customer))
            case Action.DELETE:
                return Operation(Action.DELETE, accept_id(customer), {})
    except InvalidInputError as refusal:
        return refusal


def _tell(row: int, outcome: Outcome, operation: Operation) -> dict[str, Any]:
    if isinstance(outcome, SegmentationError):
        return _tell_failure(row, outcome)
    told = {
        "row": row,
        "status": _DONE[operation.action],
        "customer_id": operation.customer_id,
    }
    if outcome is not None:
        told["customer"] = customer_content(outcome)
    return told


def _tell_failure(row: int, error: SegmentationError) -> dict[str, Any]:
    return {"row": row, "status": "failed", "problem": body_of(error)}
