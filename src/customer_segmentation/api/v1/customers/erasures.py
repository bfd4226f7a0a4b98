"""The receipts of erased customers; an id that has one is suppressed."""

from typing import Any

from fastapi import Response

from customer_segmentation.api.http.ids import path_id, router_by_id
from customer_segmentation.api.http.openapi import problem_responses
from customer_segmentation.api.http.problems import INVALID, NOT_FOUND, STORE_UNAVAILABLE
from customer_segmentation.api.http.roles import needs
from customer_segmentation.api.http.routers import Router
from customer_segmentation.api.v1.customers.answers import ErasureAnswer, whose
from customer_segmentation.domain.access import Role
from customer_segmentation.services.customers.erasure import get_erasure, lift_erasure
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork


def erasures_router(units: UnitsOfWork) -> Router:
    """Return the routes under `/v1/erasures`."""
    key = units.schema.id
    router = router_by_id(key, "/v1/erasures", "Customers")
    of_path: Any = path_id(key)
    receipt_type = whose(ErasureAnswer, key)

    @router.get(
        "/{customer_id}",
        summary="The receipt of an erasure",
        response_model=receipt_type,
        operation_id="get_erasure",
        responses=problem_responses(NOT_FOUND, INVALID, STORE_UNAVAILABLE),
    )
    @needs(Role.READER)
    def erasure(customer_id: of_path) -> ErasureAnswer:
        """Return what was removed of a customer who was erased, when, and by whom."""
        return receipt_type.model_validate(get_erasure(units, customer_id))

    @router.delete(
        "/{customer_id}",
        status_code=204,
        summary="Let an erased customer come back",
        operation_id="lift_erasure",
        responses=problem_responses(NOT_FOUND, INVALID, STORE_UNAVAILABLE),
    )
    @needs(Role.ADMIN)
    def lift(customer_id: of_path) -> Response:
        """Take the id off the suppression list, so that the customer can be added anew."""
        lift_erasure(units, customer_id)
        return Response(status_code=204)

    return router
