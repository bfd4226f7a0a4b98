"""What `/docs` says of each of the six functions: request, answer, errors, and their examples.

The examples hold to the letter on the shipped data; a test sends each one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from customer_segmentation.api.http import problems
from customer_segmentation.api.http.openapi import json_body, problem_responses
from customer_segmentation.api.http.problems import ProblemType
from customer_segmentation.api.http.schemas import (
    ATTRIBUTES,
    CHANGES,
    NEW_CUSTOMER,
    Schema,
    feature_schema,
    reference,
)
from customer_segmentation.domain.customer import Customer
from customer_segmentation.domain.features import CUSTOMER_ID, FEATURE_NAMES, Number


@dataclass(frozen=True, slots=True)
class FunctionDocs:
    """The documentation of one function.

    Attributes:
        method: its HTTP method.
        older_path: the path that earlier clients use.
        request: its parameters and body, as OpenAPI has them.
        responses: its answers and errors by status code, as OpenAPI has them.
    """

    method: str
    older_path: str
    request: Schema
    responses: dict[int | str, dict[str, Any]]


def _id_parameter(example: int) -> Schema:
    schema = feature_schema(CUSTOMER_ID)
    return {
        "parameters": [
            {
                "name": CUSTOMER_ID.name,
                "in": "query",
                "required": True,
                "description": schema["description"],
                "schema": schema,
                "example": example,
            }
        ]
    }


def _responses(
    schema: Schema, example: object, *errors: ProblemType
) -> dict[int | str, dict[str, Any]]:
    by_status: dict[int | str, dict[str, Any]] = {
        200: {
            "description": "Done",
            "content": {"application/json": {"schema": schema, "example": example}},
        }
    }
    return by_status | problem_responses(*errors)


def _record(customer_id: int, segment: int, attributes: Mapping[str, Number]) -> dict[str, Number]:
    return Customer(customer_id, attributes, segment).record


def _attributes(*values: Number) -> dict[str, Number]:
    return dict(zip(FEATURE_NAMES, values, strict=True))


_BODY_ERRORS = (problems.MEDIA, problems.INVALID)
_STORE_ERRORS = (problems.NOT_READY, problems.STORE_UNAVAILABLE)

_CUSTOMER_56 = _attributes(29, 0, 8074, 2488, 725, 0, 0, 1, 1, 0, 31789, 13472.29, 3, 1)
_CUSTOMER_7287 = _attributes(53, 1, 12770, 112, 489, 1, 1, 1, 1, 1, 1068.94, 9876, 3, 1)

FUNCTIONS: dict[str, FunctionDocs] = {
    "get_customer_info_from_database": FunctionDocs(
        method="GET",
        older_path="/GetCustomerInfo",
        request=_id_parameter(56),
        responses=_responses(
            reference("CustomerInfo"),
            {
                "Customer info": _record(56, 0, _CUSTOMER_56),
                "Segmentation info": "Cluster 0: High-Value Power Users",
                "Business strategy": "Upsell bank products to increase profits",
            },
            problems.NOT_FOUND,
            problems.INVALID,
            *_STORE_ERRORS,
        ),
    ),
    "update_customer_details_to_database": FunctionDocs(
        method="POST",
        older_path="/UpdateCustomerDetails",
        request=json_body("CustomerChanges", CHANGES),
        responses=_responses(
            reference("StoredCustomer"),
            {
                "message": "Customer id 7287 updated successfully",
                "updated_customer": _record(7287, 3, _CUSTOMER_7287),
            },
            problems.NOT_FOUND,
            *_BODY_ERRORS,
            *_STORE_ERRORS,
        ),
    ),
    "delete_customer_from_database": FunctionDocs(
        method="POST",
        older_path="/DeleteCustomer",
        request=_id_parameter(787),
        responses=_responses(
            reference("Message"),
            {"message": "Customer with ID 787 deleted successfully"},
            problems.NOT_FOUND,
            problems.INVALID,
            *_STORE_ERRORS,
        ),
    ),
    "add_customer_to_database": FunctionDocs(
        method="POST",
        older_path="/AddCustomer",
        request=json_body("NewCustomer", NEW_CUSTOMER),
        responses=_responses(
            reference("StoredCustomer"),
            {
                "message": "Customer successfully added to databank",
                "updated_customer": _record(
                    20001, 0, {name: NEW_CUSTOMER[name] for name in FEATURE_NAMES}
                ),
            },
            problems.EXISTS,
            problems.ERASED,
            *_BODY_ERRORS,
            *_STORE_ERRORS,
        ),
    ),
    "predict_customer_segment_in_real_time": FunctionDocs(
        method="POST",
        older_path="/RealTimeSegmentation",
        request=json_body("CustomerAttributes", ATTRIBUTES),
        responses=_responses(
            {"type": "string"},
            "Cluster 1: Value-Driven Frequent Users , "
            "Business strategy: Build loyalty to reduce churn",
            *_BODY_ERRORS,
            *_STORE_ERRORS,
        ),
    ),
    "retrain_model_with_latest_data": FunctionDocs(
        method="POST",
        older_path="/RetrainModel",
        request={},
        responses=_responses(
            {"type": "string"},
            "Model successfully updated",
            problems.JOB_RUNNING,
            problems.TRAINING_REFUSED,
            problems.HELD_BACK,
            problems.TRAINING_CANCELLED,
            problems.TRAINING_FAILED,
            *_STORE_ERRORS,
        ),
    ),
}
"""By name, which is also the path."""
