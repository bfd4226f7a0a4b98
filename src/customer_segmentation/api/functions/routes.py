"""The six functions, the face that existing clients call."""

from typing import Annotated

import msgspec
from fastapi import Depends, FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse

from customer_segmentation.api.functions.declarations import (
    FunctionAnswers,
    Message,
    declare_functions,
)
from customer_segmentation.api.http.ids import read_query_id
from customer_segmentation.api.http.requests import check_json, decode_object
from customer_segmentation.api.http.roles import needs
from customer_segmentation.api.http.schemas import CustomerTypes
from customer_segmentation.api.http.threads import looked_up, written
from customer_segmentation.api.middleware.fast_path import Asked, Function, asked_by
from customer_segmentation.api.v1.predictions.row import PersonReader
from customer_segmentation.domain.customer import CustomerTable
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
_Asked = Annotated[Asked, Depends(asked_by)]


def add_functions(
    app: FastAPI,
    units: UnitsOfWork,
    settings: Settings,
    types: CustomerTypes,
    answers: FunctionAnswers,
) -> dict[tuple[str, str], Function]:
    """Add the six functions to an app, each at its path and at its older one.

    Args:
        app: to which.
        units: over the database.
        settings: of the service.
        types: of customers in requests.
        answers: what the functions answer with.

    Returns:
        them, by method and path, for `FastPath`.
    """
    key, customers = units.schema.id, CustomerTable(units.schema)
    person = PersonReader(units.schema)
    declarations = declare_functions(units.schema, types, answers)

    async def get_customer_info_from_database(asked: _Asked) -> bytes:
        """Return a customer's record, its segment and the business strategy for it."""
        customer_id = read_query_id(asked.query, key)
        found = await looked_up(units, get_customer, customer_id)
        return _json(answers.info_of(found.customer, found.segment))

    async def update_customer_details_to_database(asked: _Asked) -> bytes:
        """Change the attributes given, keep the others, and segment the customer anew."""
        customer_id, changes = customers.accept_update(_fields(asked))
        updated = await written(units, update_customer, customer_id, changes)
        told = f"Customer id {customer_id} updated successfully"
        return _json(answers.stored_of(told, updated.customer))

    async def delete_customer_from_database(asked: _Asked) -> bytes:
        """Delete a customer from the database, and so from every later training."""
        customer_id = read_query_id(asked.query, key)
        await written(units, delete_customer, customer_id)
        return _json(Message(f"Customer with ID {customer_id} deleted successfully"))

    async def add_customer_to_database(asked: _Asked) -> bytes:
        """Store a new customer, segmented at once; every field is required."""
        customer_id, attributes = customers.accept_new_customer(_fields(asked))
        added = await written(units, add_customer, customer_id, attributes)
        return _json(answers.stored_of("Customer successfully added to databank", added.customer))

    async def predict_customer_segment_in_real_time(asked: _Asked) -> bytes:
        """Tell which segment someone with these attributes is in; nothing is stored."""
        check_json(asked.content_type)
        segment = predict_segment(units, person.accept(asked.body))
        return _json(f"{segment.label} , Business strategy: {segment.strategy}")

    async def retrain_model_with_latest_data(asked: _Asked) -> bytes:
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
        declared = declarations[function.__name__]
        for path in (f"/{function.__name__}", declared.older_path):
            by_path[declared.method, path] = function
            app.add_api_route(
                path,
                needs(declared.role)(function),
                methods=[declared.method],
                operation_id=function.__name__,
                summary=function.__name__.replace("_", " ").capitalize(),
                tags=[_TAG],
                response_model=None,
                response_class=_Encoded,
                responses=declared.responses,
                openapi_extra=declared.request,
                include_in_schema=path != declared.older_path,
            )
    return by_path


class _Encoded(JSONResponse):
    """An answer that is JSON already, of which FastAPI makes a text."""

    def render(self, content: str) -> bytes:
        """Return the answer's bytes."""
        return content.encode()


def _fields(asked: Asked) -> dict[str, object]:
    check_json(asked.content_type)
    return decode_object(asked.body)


def _json(content: object) -> bytes:
    return msgspec.json.encode(content)
