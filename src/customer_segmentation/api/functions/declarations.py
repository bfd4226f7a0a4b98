"""The six functions as they are declared: method, paths, role, and what `/docs` says of each.

The examples hold to the letter on the shipped data; a test sends each one.
"""
# mypy: allow-subclassing-any

from dataclasses import dataclass
from typing import Annotated, Any

from msgspec import Meta, Struct

from customer_segmentation.api.http import problems
from customer_segmentation.api.http.openapi import (
    Responses,
    Schema,
    json_body,
    json_response,
    problem_responses,
    schema_of,
)
from customer_segmentation.api.http.problems import ProblemType
from customer_segmentation.api.http.schemas import (
    ATTRIBUTES,
    CHANGES,
    NEW_CUSTOMER,
    CustomerAttributes,
    CustomerChanges,
    NewCustomer,
    meta_of,
    structure_of,
)
from customer_segmentation.domain.access import Role
from customer_segmentation.domain.customer import SEGMENT_RECORD_NAME, Customer
from customer_segmentation.domain.features import CUSTOMER_ID, FEATURE_NAMES, FEATURES, SHIPPED
from customer_segmentation.domain.segments import Segment, Strategy

_RECORD_NAMES = {f.name: f.record_name for f in FEATURES} | {
    "cluster_num": SEGMENT_RECORD_NAME,
    CUSTOMER_ID.name: CUSTOMER_ID.record_name,
}
_SEGMENT = Segment(0, SHIPPED.profiles[0].name, (Strategy(SHIPPED.profiles[0].strategy),))
_Done = Annotated[str, Meta(description="What was done, for people.")]


_Attributes: Any = structure_of(FEATURES, rename=_RECORD_NAMES)


class CustomerRecord(_Attributes):
    """A stored customer and the number of its segment."""

    cluster_num: Annotated[
        int,
        Meta(
            ge=0,
            title=SEGMENT_RECORD_NAME,
            description="The number of the segment that the customer is in.",
            examples=[0],
        ),
    ]
    customer_id: Annotated[int, meta_of(CUSTOMER_ID)]


class CustomerInfo(
    Struct,
    rename={
        "record": "Customer info",
        "segment": "Segmentation info",
        "strategy": "Business strategy",
    },
    forbid_unknown_fields=True,
):
    """A customer, the segment it is in, and what to do about it."""

    record: CustomerRecord
    segment: Annotated[
        str, Meta(description="The segment's number and name.", examples=[_SEGMENT.label])
    ]
    strategy: Annotated[
        str,
        Meta(description="What to do about its customers.", examples=[_SEGMENT.strategy]),
    ]


class StoredCustomer(Struct, forbid_unknown_fields=True):
    """What was done, and the customer as it is stored now."""

    message: _Done
    updated_customer: CustomerRecord


class Message(Struct, forbid_unknown_fields=True):
    """What was done."""

    message: _Done


def record_of(customer: Customer) -> CustomerRecord:
    """Return a customer's record."""
    return CustomerRecord(*customer.attributes.values(), customer.segment, customer.customer_id)


@dataclass(frozen=True, slots=True)
class Declaration:
    """How a function is declared.

    Attributes:
        method: its HTTP method.
        older_path: the path that earlier clients use.
        role: the least role that may call it.
        request: its parameters and body, as OpenAPI has them.
        responses: its answers and errors by status code, as OpenAPI has them.
    """

    method: str
    older_path: str
    role: Role
    request: Schema
    responses: Responses


def _id_parameter(example: int) -> Schema:
    schema = schema_of(Annotated[int, meta_of(CUSTOMER_ID)])
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


def _responses(kind: object, example: object, *errors: ProblemType) -> Responses:
    return json_response(kind, "Done", example=example) | problem_responses(*errors)


_SomeChanges = Annotated[CustomerChanges, Meta(extra_json_schema={"minProperties": 2})]
_BODY_ERRORS = (problems.MEDIA, problems.INVALID)
_STORE_ERRORS = (problems.NOT_READY, problems.STORE_UNAVAILABLE)

_CUSTOMER_56 = CustomerRecord(29, 0, 8074, 2488, 725, 0, 0, 1, 1, 0, 31789, 13472.29, 3, 1, 0, 56)
_CUSTOMER_7287 = CustomerRecord(53, 1, 12770, 112, 489, 1, 1, 1, 1, 1, 1068.94, 9876, 3, 1, 3, 7287)
_CUSTOMER_20001 = CustomerRecord(*(NEW_CUSTOMER[name] for name in FEATURE_NAMES), 0, 20_001)

FUNCTIONS: dict[str, Declaration] = {
    "get_customer_info_from_database": Declaration(
        method="GET",
        older_path="/GetCustomerInfo",
        role=Role.READER,
        request=_id_parameter(56),
        responses=_responses(
            CustomerInfo,
            CustomerInfo(
                _CUSTOMER_56,
                "Cluster 0: High-Value Power Users",
                "Upsell bank products to increase profits",
            ),
            problems.NOT_FOUND,
            problems.INVALID,
            *_STORE_ERRORS,
        ),
    ),
    "update_customer_details_to_database": Declaration(
        method="POST",
        older_path="/UpdateCustomerDetails",
        role=Role.WRITER,
        request=json_body(_SomeChanges, CHANGES),
        responses=_responses(
            StoredCustomer,
            StoredCustomer("Customer id 7287 updated successfully", _CUSTOMER_7287),
            problems.NOT_FOUND,
            *_BODY_ERRORS,
            *_STORE_ERRORS,
        ),
    ),
    "delete_customer_from_database": Declaration(
        method="POST",
        older_path="/DeleteCustomer",
        role=Role.WRITER,
        request=_id_parameter(787),
        responses=_responses(
            Message,
            Message("Customer with ID 787 deleted successfully"),
            problems.NOT_FOUND,
            problems.INVALID,
            *_STORE_ERRORS,
        ),
    ),
    "add_customer_to_database": Declaration(
        method="POST",
        older_path="/AddCustomer",
        role=Role.WRITER,
        request=json_body(NewCustomer, NEW_CUSTOMER),
        responses=_responses(
            StoredCustomer,
            StoredCustomer("Customer successfully added to databank", _CUSTOMER_20001),
            problems.EXISTS,
            problems.ERASED,
            *_BODY_ERRORS,
            *_STORE_ERRORS,
        ),
    ),
    "predict_customer_segment_in_real_time": Declaration(
        method="POST",
        older_path="/RealTimeSegmentation",
        role=Role.READER,
        request=json_body(CustomerAttributes, ATTRIBUTES),
        responses=_responses(
            str,
            "Cluster 1: Value-Driven Frequent Users , "
            "Business strategy: Build loyalty to reduce churn",
            *_BODY_ERRORS,
            *_STORE_ERRORS,
        ),
    ),
    "retrain_model_with_latest_data": Declaration(
        method="POST",
        older_path="/RetrainModel",
        role=Role.ADMIN,
        request={},
        responses=_responses(
            str,
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
