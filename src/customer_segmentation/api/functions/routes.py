"""The six functions, the face that existing clients call."""

import inspect

import msgspec
from fastapi import FastAPI, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from customer_segmentation.api.functions.documents import FUNCTIONS, FunctionDocs
from customer_segmentation.api.http.requests import (
    JSON,
    check_json,
    decode_object,
    read_query_number,
)
from customer_segmentation.api.http.roles import needed_role, needs
from customer_segmentation.api.http.threads import looked_up, written
from customer_segmentation.api.middleware.fast_path import Asked, Function, asked_by
from customer_segmentation.api.v1.predictions.row import accept_person
from customer_segmentation.domain.access import Role
from customer_segmentation.domain.customer import accept_new_customer, accept_update
from customer_segmentation.domain.features import CUSTOMER_ID
from customer_segmentation.domain.jobs import Origin, Trigger
from customer_segmentation.services.customers.commands import (
    add_customer,
    delete_customer,
    get_customer,
    update_customer,
)
from customer_segmentation.services.customers.prediction import predict_segment
from customer_segmentation.services.runtime.settings import Settings
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork
from customer_segmentation.services.training.start import retrain

_TAG = "The six functions"


def add_functions(
    app: FastAPI, units: UnitsOfWork, settings: Settings
) -> dict[tuple[str, str], Function]:
    """Add the six functions to an app, each at its path and at its older one.

    Returns:
        them, by method and path, for `FastPath`.
    """

    @needs(Role.READER)
    async def get_customer_info_from_database(asked: Asked) -> bytes:
        """Return a customer's record, its segment and the business strategy for it."""
        customer_id = int(read_query_number(asked.query, CUSTOMER_ID))
        found = await looked_up(units, get_customer, customer_id)
        return _json(
            {
                "Customer info": found.customer.record,
                "Segmentation info": found.segment.label,
                "Business strategy": found.segment.strategy,
            }
        )

    @needs(Role.WRITER)
    async def update_customer_details_to_database(asked: Asked) -> bytes:
        """Change the attributes given, keep the others, and segment the customer anew."""
        customer_id, changes = accept_update(_fields(asked))
        updated = await written(units, update_customer, customer_id, changes)
        return _json(
            {
                "message": f"Customer id {customer_id} updated successfully",
                "updated_customer": updated.customer.record,
            }
        )

    @needs(Role.WRITER)
    async def delete_customer_from_database(asked: Asked) -> bytes:
        """Delete a customer from the database, and so from every later training."""
        customer_id = int(read_query_number(asked.query, CUSTOMER_ID))
        await written(units, delete_customer, customer_id)
        return _json({"message": f"Customer with ID {customer_id} deleted successfully"})

    @needs(Role.WRITER)
    async def add_customer_to_database(asked: Asked) -> bytes:
        """Store a new customer, segmented at once; every field is required."""
        customer_id, attributes = accept_new_customer(_fields(asked))
        added = await written(units, add_customer, customer_id, attributes)
        return _json(
            {
                "message": "Customer successfully added to databank",
                "updated_customer": added.customer.record,
            }
        )

    @needs(Role.READER)
    async def predict_customer_segment_in_real_time(asked: Asked) -> bytes:
        """Tell which segment someone with these attributes is in; nothing is stored."""
        check_json(asked.content_type)
        segment = predict_segment(units, accept_person(asked.body))
        return _json(f"{segment.label} , Business strategy: {segment.strategy}")

    @needs(Role.ADMIN)
    async def retrain_model_with_latest_data(asked: Asked) -> bytes:
        """Train on the current customers; answer once the new model is active.

        Meanwhile every other call is answered by the model before. The segments keep their
        numbers, names and strategies.
        """
        await run_in_threadpool(retrain, units, settings, Origin(Trigger.REQUEST, asked.actor))
        return _json("Model successfully updated")

    by_path: dict[tuple[str, str], Function] = {}
    for function in (
        get_customer_info_from_database,
        update_customer_details_to_database,
        delete_customer_from_database,
        add_customer_to_database,
        predict_customer_segment_in_real_time,
        retrain_model_with_latest_data,
    ):
        documentation = FUNCTIONS[function.__name__]
        for path in (f"/{function.__name__}", documentation.older_path):
            by_path[documentation.method, path] = function
        _document(app, function, documentation)
    return by_path


def _document(app: FastAPI, function: Function, documentation: FunctionDocs) -> None:
    """Add a function to an app at both of its paths, so that it is in the document."""

    @needs(needed_role(function))
    async def endpoint(request: Request) -> Response:
        content = await function(await asked_by(request))
        return Response(content, media_type=JSON)

    name = function.__name__
    app.add_api_route(
        f"/{name}",
        endpoint,
        methods=[documentation.method],
        name=name,
        operation_id=name,
        summary=name.replace("_", " ").capitalize(),
        description=inspect.getdoc(function),
        tags=[_TAG],
        responses=documentation.responses,
        openapi_extra=documentation.request,
    )
    app.add_api_route(
        documentation.older_path,
        endpoint,
        methods=[documentation.method],
        include_in_schema=False,
    )


def _fields(asked: Asked) -> dict[str, object]:
    check_json(asked.content_type)
    return decode_object(asked.body)


def _json(content: object) -> bytes:
    return msgspec.json.encode(content)
