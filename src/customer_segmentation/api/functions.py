"""The six functions, the face that existing clients call."""

import msgspec
from fastapi import FastAPI, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from customer_segmentation.api.function_docs import FUNCTIONS
from customer_segmentation.api.lean import Endpoint, LeanRoutes
from customer_segmentation.api.requests import read_object, read_query_number
from customer_segmentation.api.running import looked_up, written
from customer_segmentation.api.security import actor_of
from customer_segmentation.domain.customer import (
    accept_attributes,
    accept_new_customer,
    accept_update,
)
from customer_segmentation.domain.features import CUSTOMER_ID
from customer_segmentation.domain.jobs import Origin, Trigger
from customer_segmentation.services.customers import (
    add_customer,
    delete_customer,
    get_customer,
    update_customer,
)
from customer_segmentation.services.prediction import predict_segment
from customer_segmentation.services.settings import Settings
from customer_segmentation.services.training import retrain
from customer_segmentation.services.unit_of_work import UnitsOfWork

_TAG = "The six functions"


def add_functions(app: FastAPI, units: UnitsOfWork, settings: Settings) -> None:
    """Add the six functions to an app, each at its path and at its older one."""

    async def fields_of(request: Request) -> dict[str, object]:
        return await read_object(request)

    async def get_customer_info_from_database(request: Request) -> Response:
        """Return a customer's record, its segment and the business strategy for it."""
        customer_id = int(read_query_number(request, CUSTOMER_ID))
        found = await looked_up(units, get_customer, customer_id)
        return _json(
            {
                "Customer info": found.customer.record,
                "Segmentation info": found.segment.label,
                "Business strategy": found.segment.strategy,
            }
        )

    async def update_customer_details_to_database(request: Request) -> Response:
        """Change the attributes given, keep the others, and segment the customer anew."""
        customer_id, changes = accept_update(await fields_of(request))
        updated = await written(units, update_customer, customer_id, changes)
        return _json(
            {
                "message": f"Customer id {customer_id} updated successfully",
                "updated_customer": updated.customer.record,
            }
        )

    async def delete_customer_from_database(request: Request) -> Response:
        """Delete a customer from the database, and so from every later training."""
        customer_id = int(read_query_number(request, CUSTOMER_ID))
        await written(units, delete_customer, customer_id)
        return _json({"message": f"Customer with ID {customer_id} deleted successfully"})

    async def add_customer_to_database(request: Request) -> Response:
        """Store a new customer, segmented at once; every field is required."""
        customer_id, attributes = accept_new_customer(await fields_of(request))
        added = await written(units, add_customer, customer_id, attributes)
        return _json(
            {
                "message": "Customer successfully added to databank",
                "updated_customer": added.customer.record,
            }
        )

    async def predict_customer_segment_in_real_time(request: Request) -> Response:
        """Tell which segment someone with these attributes is in; nothing is stored."""
        segment = predict_segment(units, accept_attributes(await fields_of(request)))
        return _json(f"{segment.label} , Business strategy: {segment.strategy}")

    async def retrain_model_with_latest_data(request: Request) -> Response:
        """Train on the customers as they are now; answer once the new model serves.

        Meanwhile every other call is answered by the model before. The segments keep their
        numbers, names and strategies.
        """
        origin = Origin(Trigger.REQUEST, actor_of(request))
        await run_in_threadpool(retrain, units, settings, origin)
        return _json("Model successfully updated")

    lean: dict[tuple[str, str], Endpoint] = {}
    for endpoint in (
        get_customer_info_from_database,
        update_customer_details_to_database,
        delete_customer_from_database,
        add_customer_to_database,
        predict_customer_segment_in_real_time,
        retrain_model_with_latest_data,
    ):
        lean |= _add_routes(app, endpoint)
    app.add_middleware(LeanRoutes, endpoints=lean)


def _add_routes(app: FastAPI, endpoint: Endpoint) -> dict[tuple[str, str], Endpoint]:
    """Add an endpoint to an app at both of its paths; return it by method and path."""
    name = endpoint.__name__
    documentation = FUNCTIONS[name]
    app.add_api_route(
        f"/{name}",
        endpoint,
        methods=[documentation.method],
        operation_id=name,
        summary=name.replace("_", " ").capitalize(),
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
    paths = (f"/{name}", documentation.older_path)
    return {(documentation.method, path): endpoint for path in paths}


def _json(content: object) -> Response:
    return Response(msgspec.json.encode(content), media_type="application/json")
