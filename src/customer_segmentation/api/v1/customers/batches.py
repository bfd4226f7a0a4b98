"""Many customers in one request: `/v1/customers:batch`."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Literal

import msgspec
from fastapi import Query, Request
from msgspec import UNSET, Meta, Struct, UnsetType, defstruct
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
from customer_segmentation.api.http.routers import Router
from customer_segmentation.api.http.schemas import CustomerTypes
from customer_segmentation.api.http.threads import written
from customer_segmentation.api.middleware.body_limits import takes_many
from customer_segmentation.api.v1.customers.answers import CustomerAnswers
from customer_segmentation.domain.access import Role
from customer_segmentation.domain.customer import CustomerTable
from customer_segmentation.domain.errors import (
    MAX_TOLD,
    FieldError,
    InvalidInputError,
    SegmentationError,
)
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

Status = Literal["added", "updated", "upserted", "deleted", "failed"]


class Batch(Struct, forbid_unknown_fields=True):
    """Operations to do in one transaction."""

    operations: Annotated[
        list[
            Annotated[
                Any,
                Meta(
                    description="An action, and a customer: whole to add, the id and some "
                    "attributes to update, or to upsert, which adds who is absent, the id to "
                    "delete. A row that is not so fails alone."
                ),
            ]
        ],
        Meta(min_length=1, max_length=MAX_ROWS, description="In the order in which they are done."),
    ]


_DONE: dict[Action, Status] = {
    Action.ADD: "added",
    Action.UPDATE: "updated",
    Action.UPSERT: "upserted",
    Action.DELETE: "deleted",
}


class BatchAnswers:
    """What came of each row of a batch.

    Attributes:
        row: the type of what came of one row.
        outcome: the type of what came of all.
    """

    def __init__(self, answers: CustomerAnswers) -> None:
        """Make the types.

        Args:
            answers: customers as they are shown.
        """
        self._answers = answers
        kind: Any = str if answers.id.is_text else int
        with_whom = Meta(description="With which customer; not there where it failed.")
        row: Any = defstruct(
            "RowOutcome",
            [
                ("row", Annotated[int, Meta(description="Its place, from 0.")]),
                ("status", Annotated[Status, Meta(description="What was done.")]),
                ("customer_id", Annotated[kind, with_whom] | UnsetType, UNSET),
                ("customer", answers.customer | UnsetType, UNSET),
                ("problem", Problem | UnsetType, UNSET),
            ],
            forbid_unknown_fields=True,
            namespace={"__doc__": "What came of one row."},
        )
        self.row = row
        in_order = Meta(description="In the order of the operations.")
        self.outcome = defstruct(
            "BatchOutcome",
            [
                *(
                    (status, Annotated[int, Meta(description=f"How many rows were {told}.")])
                    for status, told in (*((s, s) for s in _DONE.values()), ("failed", "refused"))
                ),
                ("outcomes", Annotated[list[row], in_order]),
            ],
            forbid_unknown_fields=True,
            namespace={"__doc__": "What came of each row."},
        )

    def encode(
        self, accepted: Sequence[Operation | InvalidInputError], outcomes: Iterable[Outcome]
    ) -> bytes:
        """Return the JSON that tells what came of each row."""
        done = iter(outcomes)
        told = [
            self._tell(row, next(done), found)
            if isinstance(found, Operation)
            else self._tell_failure(row, found)
            for row, found in enumerate(accepted)
        ]
        counts = Counter(outcome.status for outcome in told)
        kinds = (*_DONE.values(), "failed")
        return msgspec.json.encode(self.outcome(*(counts[kind] for kind in kinds), told))

    def _tell(self, row: int, outcome: Outcome, operation: Operation) -> Any:  # noqa: ANN401
        if isinstance(outcome, SegmentationError):
            return self._tell_failure(row, outcome)
        customer = UNSET if outcome is None else self._answers.answer(outcome)
        return self.row(row, _DONE[operation.action], operation.customer_id, customer)

    def _tell_failure(self, row: int, error: SegmentationError) -> Any:  # noqa: ANN401
        return self.row(row, "failed", problem=problem_of(error))


def batches_router(units: UnitsOfWork, types: CustomerTypes, answers: BatchAnswers) -> Router:
    """Return the route of batches.

    Args:
        units: over the database.
        types: of customers in requests.
        answers: what came of each row.
    """
    router = Router("/v1", "Customers")
    customers, key = CustomerTable(units.schema), units.schema.id.name
    new = types.other_example(2)
    only_id = {key: new[key]}
    example = {
        "operations": [
            {"action": "add", "customer": new},
            {"action": "update", "customer": {**only_id, **types.example_changes}},
            {"action": "delete", "customer": only_id},
        ]
    }

    @router.post(
        "/customers:batch",
        summary="Add, change and delete many customers",
        operation_id="apply_batch",
        responses=json_response(answers.outcome, "What came of each row")
        | problem_responses(MEDIA, INVALID, NOT_READY, STORE_UNAVAILABLE),
        openapi_extra=json_body(Batch, example),
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
        accepted = await run_in_threadpool(_read, customers, await request.body())
        operations = [found for found in accepted if isinstance(found, Operation)]
        outcomes = await written(units, try_batch if dry_run else apply_batch, operations)
        content = await run_in_threadpool(answers.encode, accepted, outcomes)
        return Response(content, media_type=JSON)

    return router


def _read(customers: CustomerTable, body: bytes) -> list[Operation | InvalidInputError]:
    """Return the operation of each row, or why it is none."""
    told = 0
    accepted = []
    for row in _rows(decode_object(body)):
        found = _accept(customers, row)
        if isinstance(found, InvalidInputError):
            # All rows together tell as much as one input may.
            found = found.first(max(1, MAX_TOLD - told))
            told += len(found.errors)
        accepted.append(found)
    return accepted


def _rows(fields: dict[str, object]) -> list[object]:
    rows = fields.get("operations")
    if set(fields) != {"operations"} or not isinstance(rows, list):
        message = 'The body must be {"operations": [...]}'
        raise InvalidInputError([FieldError("operations", message)])
    if not 1 <= len(rows) <= MAX_ROWS:
        message = f"operations must hold 1 to {MAX_ROWS:,} rows, not {len(rows):,}"
        raise InvalidInputError([FieldError("operations", message)])
    return rows


def _accept(customers: CustomerTable, row: object) -> Operation | InvalidInputError:
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
                return Operation(Action.ADD, *customers.accept_new_customer(customer))
            case Action.UPDATE | Action.UPSERT as action:
                return Operation(action, *customers.accept_update(customer))
            case Action.DELETE:
                return Operation(Action.DELETE, customers.accept_id(customer), {})
    except InvalidInputError as refusal:
        return refusal
