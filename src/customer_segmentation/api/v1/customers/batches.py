"""Many customers in one request: `/v1/customers:batch`."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Query, Request
from msgspec import UNSET, Meta, Struct, UnsetType
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from customer_segmentation.api.http.openapi import json_body, json_response, problem_responses
from customer_segmentation.api.http.problems import (
    INVALID,
    MEDIA,
    NOT_READY,
    STORE_UNAVAILABLE,
    Problem,
    problem_of,
)
from customer_segmentation.api.http.requests import JSON, check_json, decode_object
from customer_segmentation.api.http.roles import needs
from customer_segmentation.api.http.schemas import CHANGES, NEW_CUSTOMER
from customer_segmentation.api.http.threads import written
from customer_segmentation.api.middleware.body_limits import takes_many
from customer_segmentation.api.v1.customers.answers import Customer, customer_answer
from customer_segmentation.domain.access import Role
from customer_segmentation.domain.errors import (
    MAX_TOLD,
    FieldError,
    InvalidInputError,
    SegmentationError,
)
from customer_segmentation.domain.features import CUSTOMERS
from customer_segmentation.services.customers.batch import (
    Action,
    Operation,
    Outcome,
    apply_batch,
    try_batch,
)
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork

MAX_ROWS = 1_000
"""How many operations a batch may hold."""

_ROW_BYTES = 4096
"""What a row may take: several times what it does."""

Status = Literal["added", "updated", "deleted", "failed"]


class Batch(Struct, forbid_unknown_fields=True):
    """Operations to do in one transaction."""

    operations: Annotated[
        list[
            Annotated[
                Any,
                Meta(
                    description="An action, and a customer: whole to add, the id and some "
                    "attributes to update, the id to delete. A row that is not so fails alone."
                ),
            ]
        ],
        Meta(min_length=1, max_length=MAX_ROWS, description="In the order in which they are done."),
    ]


class RowOutcome(Struct, forbid_unknown_fields=True):
    """What came of one row."""

    row: Annotated[int, Meta(description="Its place, from 0.")]
    status: Annotated[Status, Meta(description="What was done.")]
    customer_id: (
        Annotated[int, Meta(description="With which customer; not there where it failed.")]
        | UnsetType
    ) = UNSET
    customer: Customer | UnsetType = UNSET
    problem: Problem | UnsetType = UNSET


class BatchOutcome(Struct, forbid_unknown_fields=True):
    """What came of each row."""

    added: Annotated[int, Meta(description="How many rows were added.")]
    updated: Annotated[int, Meta(description="How many rows were updated.")]
    deleted: Annotated[int, Meta(description="How many rows were deleted.")]
    failed: Annotated[int, Meta(description="How many rows failed.")]
    outcomes: Annotated[list[RowOutcome], Meta(description="In the order of the operations.")]


_DONE: dict[Action, Status] = {
    Action.ADD: "added",
    Action.UPDATE: "updated",
    Action.DELETE: "deleted",
}
_EXAMPLE = {
    "operations": [
        {"action": "add", "customer": {**NEW_CUSTOMER, "customer_id": 20_003}},
        {"action": "update", "customer": CHANGES},
        {"action": "delete", "customer": {"customer_id": 787}},
    ]
}


def batches_router(units: UnitsOfWork) -> APIRouter:
    """Return the route of batches."""
    router = APIRouter(prefix="/v1", tags=["Customers"])

    @router.post(
        "/customers:batch",
        summary="Add, change and delete many customers",
        operation_id="apply_batch",
        responses=json_response(BatchOutcome, "What came of each row")
        | problem_responses(MEDIA, INVALID, NOT_READY, STORE_UNAVAILABLE),
        openapi_extra=json_body(Batch, _EXAMPLE),
    )
    @needs(Role.WRITER)
    @takes_many(MAX_ROWS * _ROW_BYTES)
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
        check_json(request.headers.get("content-type", ""))
        accepted = await run_in_threadpool(_read, await request.body())
        operations = [found for found in accepted if isinstance(found, Operation)]
        outcomes = await written(units, try_batch if dry_run else apply_batch, operations)
        content = await run_in_threadpool(_answer, accepted, outcomes)
        return Response(content, media_type=JSON)

    return router


def _read(body: bytes) -> list[Operation | InvalidInputError]:
    """Return the operation of each row, or why it is none."""
    told = 0
    accepted = []
    for row in _rows(decode_object(body)):
        found = _accept(row)
        if isinstance(found, InvalidInputError):
            # All rows together tell as much as one input may.
            found = found.first(max(1, MAX_TOLD - told))
            told += len(found.errors)
        accepted.append(found)
    return accepted


def _answer(
    accepted: Sequence[Operation | InvalidInputError], outcomes: Iterable[Outcome]
) -> bytes:
    """Return the JSON that tells what came of each row."""
    done = iter(outcomes)
    told = [
        _tell(row, next(done), found) if isinstance(found, Operation) else _tell_failure(row, found)
        for row, found in enumerate(accepted)
    ]
    counts = Counter(outcome.status for outcome in told)
    return msgspec.json.encode(
        BatchOutcome(counts["added"], counts["updated"], counts["deleted"], counts["failed"], told)
    )


def _rows(fields: dict[str, object]) -> list[object]:
    rows = fields.get("operations")
    if set(fields) != {"operations"} or not isinstance(rows, list):
        message = 'The body must be {"operations": [...]}'
        raise InvalidInputError([FieldError("operations", message)])
    if not 1 <= len(rows) <= MAX_ROWS:
        message = f"operations must hold 1 to {MAX_ROWS:,} rows, not {len(rows):,}"
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
                return Operation(Action.ADD, *CUSTOMERS.accept_new_customer(customer))
            case Action.UPDATE:
                return Operation(Action.UPDATE, *CUSTOMERS.accept_update(customer))
            case Action.DELETE:
                return Operation(Action.DELETE, CUSTOMERS.accept_id(customer), {})
    except InvalidInputError as refusal:
        return refusal


def _tell(row: int, outcome: Outcome, operation: Operation) -> RowOutcome:
    if isinstance(outcome, SegmentationError):
        return _tell_failure(row, outcome)
    customer = UNSET if outcome is None else customer_answer(outcome)
    return RowOutcome(row, _DONE[operation.action], operation.customer_id, customer)


def _tell_failure(row: int, error: SegmentationError) -> RowOutcome:
    return RowOutcome(row, "failed", problem=problem_of(error))
