"""Transactions as resources, under `/v1/transactions`."""

import base64
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Annotated, Any

import msgspec
from fastapi import Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from customer_segmentation.api.http.ids import path_id, router_by_id
from customer_segmentation.api.http.openapi import (
    Responses,
    json_response,
    problem_responses,
    schema_of,
)
from customer_segmentation.api.http.problems import (
    ERASED,
    INVALID,
    JOB_RUNNING,
    MEDIA,
    NO_TRANSACTION,
    NO_TRANSACTIONS,
    NOT_FOUND,
    NOT_READY,
    STORE_UNAVAILABLE,
    TRANSACTION_EXISTS,
    problem_of,
)
from customer_segmentation.api.http.requests import JSON, media_type
from customer_segmentation.api.http.roles import needs
from customer_segmentation.api.http.routers import Router
from customer_segmentation.api.http.threads import written
from customer_segmentation.api.middleware.body_limits import takes_many
from customer_segmentation.api.v1.customers.answers import CustomerAnswers
from customer_segmentation.api.v1.transactions.answers import (
    DayBegun,
    RowsTaken,
    RowTaken,
    TransactionAnswers,
)
from customer_segmentation.api.v1.transactions.reading import (
    ARROW,
    MAX_ROWS,
    NDJSON,
    ROW_BYTES,
    Read,
    RowReader,
    accept_rows,
    read_rows,
)
from customer_segmentation.domain.access import Role
from customer_segmentation.domain.errors import FieldError, InvalidInputError, SegmentationError
from customer_segmentation.domain.numbers import LARGEST_INTEGER
from customer_segmentation.domain.transactions import (
    Transaction,
    TransactionReader,
    TransactionSchema,
    from_day,
)
from customer_segmentation.services.runtime.settings import Settings
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork
from customer_segmentation.services.transactions.daily import begin_today
from customer_segmentation.services.transactions.taking import (
    Outcome,
    Taken,
    declared_in,
    list_transactions,
    take,
    take_back,
    take_one,
)

_AT_ONCE = 5_000
"""Transactions of a body that one transaction of the database takes, while others' writes wait."""

_LONGEST_CURSOR = 500


def transactions_router(
    units: UnitsOfWork,
    settings: Settings,
    begin_rescoring: Callable[[], None],
    customers: CustomerAnswers,
    answers: TransactionAnswers,
) -> Router:
    """Return the routes of transactions.

    Args:
        units: over the database.
        settings: of the service.
        begin_rescoring: sees that customers are brought up to date with a day that begins.
        customers: customers as they are shown.
        answers: transactions as they are shown.
    """
    schema = units.schema
    declared = schema.transactions or TransactionSchema()
    reader = TransactionReader(declared, schema.id)
    row_reader = RowReader(reader, answers.given)
    own = router_by_id(declared.id, "/v1/transactions", "Transactions")
    of_customers = router_by_id(schema.id, "/v1/customers", "Transactions")
    of_path: Any = path_id(declared.id)
    of_customer: Any = path_id(schema.id)

    def _taken(outcome: Outcome, one: Transaction, customer: Any) -> Response:  # noqa: ANN401
        shown = None if customer is None else customers.answer(customer)
        content = msgspec.json.encode(answers.taken(outcome, answers.show(one), shown))
        status = 200 if outcome is Outcome.REPEATED else 201
        return Response(content, status, media_type=JSON)

    @own.post(
        "",
        status_code=201,
        summary="Take in transactions",
        operation_id="take_transactions",
        responses=_taken_responses(answers)
        | problem_responses(
            ERASED,
            INVALID,
            MEDIA,
            NO_TRANSACTIONS,
            NOT_FOUND,
            NOT_READY,
            STORE_UNAVAILABLE,
            TRANSACTION_EXISTS,
        ),
        openapi_extra=_body(answers),
    )
    @needs(Role.WRITER)
    @takes_many(MAX_ROWS * ROW_BYTES)
    async def post(request: Request) -> Response:
        """Take in one transaction, or up to 100,000; the customers' attributes follow at once.

        A transaction that is there already changes nothing, so that a request may be sent again.
        One alone is answered with its customer, segmented anew. Of many each row's outcome is
        told; a row that is refused says why, and the others are taken, some thousand together.
        """
        declared_in(units.schema)
        body, content_type = await request.body(), request.headers.get("content-type", "")
        rows = await run_in_threadpool(read_rows, body, content_type)
        if media_type(content_type) == JSON and not body.lstrip().startswith(b"["):
            (found,) = accept_rows(reader, rows)
            if isinstance(found, InvalidInputError):
                raise found
            outcome, customer = await written(units, take_one, found)
            return _taken(outcome, found, customer)
        told: list[RowTaken] = []
        while piece := await run_in_threadpool(_read_some, row_reader, rows):
            some = [one for one in piece if isinstance(one, Transaction)]
            taken = await written(units, take, some) if some else []
            told += _outcomes(len(told), piece, taken)
        content = await run_in_threadpool(_encode, told)
        return Response(content, media_type=JSON)

    @own.post(
        ":begin-day",
        summary="Let today begin",
        operation_id="begin_day",
        responses=json_response(DayBegun, "The day that holds")
        | problem_responses(JOB_RUNNING, NO_TRANSACTIONS, NOT_READY, STORE_UNAVAILABLE),
    )
    @needs(Role.ADMIN)
    def begin_day() -> Response:
        """Let attributes that change with time hold for today, in UTC, without a wait.

        Reads are exact for the day at once; a pass beside the requests writes the customers whose
        segment changes. Asked again, it goes on with a pass that was cut off.
        """
        found = begin_today(units, settings, begin_rescoring)
        shown = DayBegun(from_day(found.day).isoformat(), found.has_begun, found.is_written)
        return Response(msgspec.json.encode(shown), media_type=JSON)

    @own.delete(
        "/{transaction_id}",
        summary="Take a transaction back",
        operation_id="delete_transaction",
        responses=json_response(customers.customer, "The customer without it")
        | {204: {"description": "Deleted; its customer is not stored"}}
        | problem_responses(INVALID, NO_TRANSACTION, NO_TRANSACTIONS, NOT_READY, STORE_UNAVAILABLE),
    )
    @needs(Role.WRITER)
    async def delete(transaction_id: of_path) -> Response:
        """Delete a transaction; its customer's attributes and segment follow."""
        customer = await written(units, take_back, transaction_id)
        if customer is None:
            return Response(status_code=204)
        return Response(msgspec.json.encode(customers.answer(customer)), media_type=JSON)

    @of_customers.get(
        "/{customer_id}/transactions",
        summary="A customer's transactions",
        operation_id="list_transactions",
        responses=json_response(answers.page, "A page of transactions, the newest first")
        | problem_responses(NOT_FOUND, NO_TRANSACTIONS, INVALID, NOT_READY, STORE_UNAVAILABLE),
    )
    @needs(Role.READER)
    def read_page(
        customer_id: of_customer,
        limit: Annotated[int, Query(ge=1, le=1000, description="How many at most.")] = 100,
        cursor: Annotated[
            str | None,
            Query(max_length=_LONGEST_CURSOR, description="`next_cursor` of the page before."),
        ] = None,
    ) -> Response:
        """Return the customer's transactions, the newest first; go on with `next_cursor`."""
        page = list_transactions(units, customer_id, _place(cursor), limit)
        shown = answers.page(
            [answers.show(one) for one in page.transactions],
            _cursor(page.after),
            page.follows,
            {name: from_day(day).isoformat() for name, day in page.next_changes.items()},
        )
        return Response(msgspec.json.encode(shown), media_type=JSON)

    of_customers.add_to(own)
    return own


def _read_some(reader: RowReader, rows: Iterator[object]) -> list[Read]:
    return reader.accept([*islice(rows, _AT_ONCE)])


def _taken_responses(answers: TransactionAnswers) -> Responses:
    one, many = (schema_of(kind) for kind in (answers.taken, RowsTaken))
    repeated = {"description": "It was there already, or what became of each of many"}
    return json_response(answers.taken, "It is new", status=201) | {
        200: {**repeated, "content": {JSON: {"schema": {"anyOf": [one, many]}}}}
    }


def _body(answers: TransactionAnswers) -> dict[str, Any]:
    one = schema_of(answers.given)
    row = {"description": "A transaction; a row that is none fails alone."}
    many = {"type": "array", "items": row, "minItems": 1, "maxItems": MAX_ROWS}
    content = {
        JSON: {"schema": {"anyOf": [one, many]}, "example": answers.example},
        NDJSON: {"schema": {"type": "string", "format": "binary"}},
        ARROW: {"schema": {"type": "string", "format": "binary"}},
    }
    return {"requestBody": {"required": True, "content": content}}


def _outcomes(before: int, piece: Sequence[Read], taken: Sequence[Taken]) -> list[RowTaken]:
    """Return what became of each row of a piece, which so many rows are before."""
    done = iter(taken)
    told = []
    for row, one in enumerate(piece, before):
        outcome = next(done).outcome if isinstance(one, Transaction) else one
        if isinstance(outcome, SegmentationError):
            told.append(RowTaken(row, problem=problem_of(outcome)))
        else:
            told.append(RowTaken(row, outcome))
    return told


def _encode(told: list[RowTaken]) -> bytes:
    counts = Counter(one.outcome for one in told)
    stored, repeated, kept = (
        counts[outcome] for outcome in (Outcome.STORED, Outcome.REPEATED, Outcome.KEPT)
    )
    failed = len(told) - stored - repeated - kept
    return msgspec.json.encode(RowsTaken(stored, repeated, kept, failed, told))


def _cursor(after: tuple[int, str] | None) -> str | None:
    if after is None:
        return None
    return base64.urlsafe_b64encode(json.dumps(after).encode()).decode()


def _place(cursor: str | None) -> tuple[int, str] | None:
    """Return where a page starts.

    Raises:
        InvalidInputError: the cursor is none that `_cursor` wrote.
    """
    if cursor is None:
        return None
    try:
        time, key = json.loads(base64.urlsafe_b64decode(cursor.encode()))
        if type(time) is not int or type(key) is not str or abs(time) > LARGEST_INTEGER * 10:
            raise ValueError("no transaction is there")
    except (ValueError, TypeError, UnicodeError) as fault:
        message = "cursor must be the next_cursor of the page before"
        raise InvalidInputError([FieldError("cursor", message)]) from fault
    if "\x00" in key:
        raise InvalidInputError([FieldError("cursor", "cursor must be a next_cursor")])
    return time, key
