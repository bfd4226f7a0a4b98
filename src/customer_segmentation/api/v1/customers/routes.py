"""Customers as resources, under `/v1/customers`."""

from typing import Annotated, Any

import msgspec
from fastapi import Header, Query, Request
from msgspec import Meta
from starlette.responses import Response

from customer_segmentation.api.http.ids import encoded_id, path_id, router_by_id
from customer_segmentation.api.http.openapi import (
    Responses,
    Schema,
    json_body,
    json_response,
    problem_responses,
)
from customer_segmentation.api.http.preconditions import IfMatch, IfNoneMatch, tags_of
from customer_segmentation.api.http.problems import (
    ERASED,
    EXISTS,
    FOLLOWS,
    INVALID,
    KEY_REUSED,
    MEDIA,
    NO_AUDIENCE,
    NOT_FOUND,
    NOT_READY,
    STALE,
    STORE_UNAVAILABLE,
)
from customer_segmentation.api.http.requests import JSON, read_object
from customer_segmentation.api.http.roles import needs
from customer_segmentation.api.http.routers import Router
from customer_segmentation.api.http.schemas import CustomerTypes
from customer_segmentation.api.http.threads import looked_up, written
from customer_segmentation.api.middleware.authentication import Actor
from customer_segmentation.api.v1.customers.answers import (
    CustomerAnswers,
    ErasureAnswer,
    History,
    HistoryEntry,
    whose,
)
from customer_segmentation.api.v1.customers.explanations import AssignmentAnswer, assignment_answer
from customer_segmentation.api.v1.customers.listing import Listings, cursor_of
from customer_segmentation.domain.access import Role
from customer_segmentation.domain.attributes import CustomerId
from customer_segmentation.domain.customer import CustomerTable
from customer_segmentation.services.customers.commands import (
    add_customer,
    add_customer_once,
    delete_customer,
    delete_customer_once,
    get_customer,
    get_history,
    list_customers,
    replace_customer,
    update_customer,
)
from customer_segmentation.services.customers.erasure import erase_customer, erase_customer_once
from customer_segmentation.services.customers.explanation import explain_customer
from customer_segmentation.services.runtime.serving import SegmentedCustomer
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork

IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=255,
        description="Sent again with the same key and body within a day, a request does nothing "
        "more and gets the same answer.",
    ),
]

_ETAG = {"ETag": {"description": "Changes with the customer.", "schema": {"type": "string"}}}
_LOCATION = {"Location": {"description": "The customer.", "schema": {"type": "string"}}}
_DELETED: Responses = {204: {"description": "Deleted"}}
_READ_ERRORS = (NOT_FOUND, INVALID, NOT_READY, STORE_UNAVAILABLE)
_WRITE_ERRORS = (MEDIA, INVALID, NOT_READY, STORE_UNAVAILABLE)


def customers_router(units: UnitsOfWork, types: CustomerTypes, answers: CustomerAnswers) -> Router:
    """Return the routes under `/v1/customers`.

    Args:
        units: over the database.
        types: of customers in requests.
        answers: customers as they are shown.
    """
    key = units.schema.id
    router = router_by_id(key, "/v1/customers", "Customers")
    customers, listings = CustomerTable(units.schema), Listings(units.schema)
    of_path: Any = path_id(key)
    receipt_type, history_type = whose(ErasureAnswer, key), whose(History, key)
    changes_type: Any = types.changes
    some_changes = Annotated[changes_type, Meta(extra_json_schema={"minProperties": 1})]
    listing_type: Any = listings.query

    def _customer_response(status: int, description: str, headers: Schema = _ETAG) -> Responses:
        return json_response(answers.customer, description, status=status, headers=headers)

    def _answer(found: SegmentedCustomer, status: int = 200, **headers: str) -> Response:
        return Response(
            msgspec.json.encode(answers.answer(found)),
            status_code=status,
            headers={"ETag": f'"{found.customer.tag}"', **headers},
            media_type=JSON,
        )

    @router.get(
        "",
        summary="List customers",
        operation_id="list_customers",
        responses=json_response(answers.page, "A page of customers")
        | problem_responses(NO_AUDIENCE, INVALID, NOT_READY, STORE_UNAVAILABLE),
    )
    @needs(Role.READER)
    def read_page(listing: Annotated[listing_type, Query()]) -> Response:
        """Select by segment, audience and attribute ranges, sort, and go on with `next_cursor`."""
        found, page = list_customers(units, listings.selection_of(listing))
        answer = answers.page_of(found, None if page is None else cursor_of(page))
        return Response(msgspec.json.encode(answer), media_type=JSON)

    @router.post(
        "",
        status_code=201,
        summary="Add a customer",
        operation_id="add_customer",
        responses=_customer_response(201, "Added", _ETAG | _LOCATION)
        | problem_responses(EXISTS, ERASED, KEY_REUSED, *_WRITE_ERRORS),
        openapi_extra=json_body(types.new_customer, types.other_example(1)),
    )
    @needs(Role.WRITER)
    async def create(
        request: Request,
        idempotency_key: IdempotencyKey = None,
    ) -> Response:
        """Store a new customer, segmented at once; every field is required."""
        customer_id, attributes = customers.accept_new_customer(await read_object(request))
        if idempotency_key is None:
            added = await written(units, add_customer, customer_id, attributes)
        else:
            added = await written(
                units, add_customer_once, customer_id, attributes, idempotency_key
            )
        return _answer(added, 201, Location=_location(customer_id))

    @router.get(
        "/{customer_id}",
        summary="A customer",
        operation_id="get_customer",
        responses=_customer_response(200, "The customer") | problem_responses(*_READ_ERRORS),
    )
    @needs(Role.READER)
    async def read(customer_id: of_path) -> Response:
        """Return a customer's attributes and segment; the `ETag` guards a later change."""
        return _answer(await looked_up(units, get_customer, customer_id))

    @router.put(
        "/{customer_id}",
        summary="Store a customer under this id",
        operation_id="replace_customer",
        responses=_customer_response(200, "Replaced")
        | _customer_response(201, "Added", _ETAG | _LOCATION)
        | problem_responses(ERASED, FOLLOWS, STALE, *_WRITE_ERRORS),
        openapi_extra=json_body(types.attributes, types.example_attributes),
    )
    @needs(Role.WRITER)
    async def put(
        request: Request,
        customer_id: of_path,
        if_match: IfMatch = None,
        if_none_match: IfNoneMatch = None,
    ) -> Response:
        """Replace all attributes, or add the customer where there is none of this id."""
        attributes = customers.accept_attributes(await read_object(request))
        tags, only_new = tags_of(if_match), if_none_match is not None
        stored, is_new = await written(
            units, replace_customer, customer_id, attributes, tags, only_new=only_new
        )
        if is_new:
            return _answer(stored, 201, Location=_location(customer_id))
        return _answer(stored)

    @router.patch(
        "/{customer_id}",
        summary="Change a customer",
        operation_id="update_customer",
        responses=_customer_response(200, "Changed")
        | problem_responses(FOLLOWS, NOT_FOUND, STALE, *_WRITE_ERRORS),
        openapi_extra=json_body(some_changes, types.example_changes),
    )
    @needs(Role.WRITER)
    async def patch(request: Request, customer_id: of_path, if_match: IfMatch = None) -> Response:
        """Change the attributes given, keep the others, and segment the customer anew."""
        changed = customers.accept_changes(await read_object(request))
        return _answer(
            await written(units, update_customer, customer_id, changed, tags_of(if_match))
        )

    @router.delete(
        "/{customer_id}",
        response_model=receipt_type,
        summary="Delete or erase a customer",
        operation_id="delete_customer",
        responses=_DELETED | problem_responses(STALE, KEY_REUSED, *_READ_ERRORS),
    )
    @needs(Role.WRITER)
    async def delete(
        customer_id: of_path,
        actor: Actor,
        if_match: IfMatch = None,
        idempotency_key: IdempotencyKey = None,
        erase: Annotated[
            bool, Query(description="Whether the history goes too, and nothing may bring it back.")
        ] = False,
    ) -> ErasureAnswer | Response:
        """Delete the customer, and so from every later training; its history stays.

        With `erase` the history and the events go too, the id stays on a suppression list, and the
        answer is a receipt. A customer deleted before can still be erased.
        """
        tags, key = tags_of(if_match), idempotency_key
        if erase:
            if key is None:
                receipt = await written(units, erase_customer, customer_id, actor, tags)
            else:
                receipt = await written(units, erase_customer_once, customer_id, actor, tags, key)
            return receipt_type.model_validate(receipt)
        if key is None:
            await written(units, delete_customer, customer_id, tags)
        else:
            await written(units, delete_customer_once, customer_id, tags, key)
        return Response(status_code=204)

    @router.get(
        "/{customer_id}/history",
        summary="A customer's segments over time",
        response_model=history_type,
        operation_id="get_customer_history",
        responses=problem_responses(NOT_FOUND, INVALID, STORE_UNAVAILABLE),
    )
    @needs(Role.READER)
    def history(customer_id: of_path) -> History:
        """Tell when the customer changed its segment, why, and by which model.

        A customer who was deleted still has a history.
        """
        changes = get_history(units, customer_id)
        return history_type(
            customer_id=customer_id, changes=[HistoryEntry.model_validate(c) for c in changes]
        )

    @router.get(
        "/{customer_id}/explanation",
        summary="Why a customer is in its segment",
        operation_id="explain_customer",
        responses=problem_responses(*_READ_ERRORS),
    )
    @needs(Role.READER)
    def explanation(customer_id: of_path) -> AssignmentAnswer:
        """Tell how near each segment is, which attributes decided, and what would change it."""
        return assignment_answer(
            explain_customer(units, customer_id, answers.actions), explained=True
        )

    return router


def _location(customer_id: CustomerId) -> str:
    return f"/v1/customers/{encoded_id(customer_id)}"
