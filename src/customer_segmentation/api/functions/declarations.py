"""The six functions as they are declared: method, paths, role, and what `/docs` says of each.

The examples of the shipped schema hold to the letter on its data; a test sends each one.
"""

from dataclasses import dataclass
from typing import Annotated, Any

from msgspec import Meta, Struct, defstruct

from customer_segmentation.api.functions.examples import examples_of
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
from customer_segmentation.api.http.schemas import CustomerTypes, structure_of, type_of
from customer_segmentation.domain.access import Role
from customer_segmentation.domain.attributes import Id, Value
from customer_segmentation.domain.customer import SEGMENT_RECORD_NAME, Customer, CustomerTable
from customer_segmentation.domain.schema import Schema as CustomerSchema
from customer_segmentation.domain.segments import Segment

_Done = Annotated[str, Meta(description="What was done, for people.")]


class Message(Struct, forbid_unknown_fields=True):
    """What was done."""

    message: _Done


class FunctionAnswers:
    """What the functions answer with.

    Attributes:
        record: the type of a customer's record.
        info: the type of a customer with its segment and what to do about it.
        stored: the type of what was done, with the customer's record.
    """

    def __init__(self, schema: CustomerSchema) -> None:
        """Make the types."""
        self._customers = CustomerTable(schema)
        number = Meta(
            ge=0,
            title=SEGMENT_RECORD_NAME,
            description="The number of the segment that the customer is in.",
            examples=[0],
        )
        self.record = structure_of(
            "CustomerRecord",
            "A stored customer and the number of its segment.",
            schema.attributes,
            more=[
                (SEGMENT_RECORD_NAME, Annotated[int, number]),
                (schema.id.name, type_of(schema.id)),
            ],
            rename={column.name: column.record_name for column in schema.columns},
        )
        label = Meta(
            description="The segment's number and name.",
            examples=["Cluster 0: High-Value Power Users"],
        )
        self.info = defstruct(
            "CustomerInfo",
            [
                ("record", self.record),
                ("segment", Annotated[str, label]),
                ("strategy", Annotated[str, Meta(description="What to do about its customers.")]),
            ],
            rename={
                "record": "Customer info",
                "segment": "Segmentation info",
                "strategy": "Business strategy",
            },
            forbid_unknown_fields=True,
            namespace={"__doc__": "A customer, the segment it is in, and what to do about it."},
        )
        self.stored = defstruct(
            "StoredCustomer",
            [("message", _Done), ("updated_customer", self.record)],
            forbid_unknown_fields=True,
            namespace={"__doc__": "What was done, and the customer as it is stored now."},
        )

    def record_of(self, customer: Customer) -> Any:  # noqa: ANN401
        """Return a customer's record."""
        shown = self._customers.show(customer.attributes)
        return self.record(*shown, customer.segment, customer.customer_id)

    def info_of(self, customer: Customer, segment: Segment) -> Any:  # noqa: ANN401
        """Return a customer with its segment and what to do about it."""
        return self.info(self.record_of(customer), segment.label, segment.strategy)

    def stored_of(self, message: str, customer: Customer) -> Any:  # noqa: ANN401
        """Return what was done, with the customer's record."""
        return self.stored(message, self.record_of(customer))

    @property
    def all(self) -> tuple[Any, ...]:
        """The types that the document holds."""
        return (self.info, self.stored, Message)


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


def _id_parameter(key: Id, example: Value) -> Schema:
    schema = schema_of(type_of(key))
    return {
        "parameters": [
            {
                "name": key.name,
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


_BODY_ERRORS = (problems.MEDIA, problems.INVALID)
_STORE_ERRORS = (problems.NOT_READY, problems.STORE_UNAVAILABLE)


def declare_functions(
    schema: CustomerSchema, types: CustomerTypes, answers: FunctionAnswers
) -> dict[str, Declaration]:
    """Return the six functions by name, which is also the path."""
    told = examples_of(schema, types)
    changes: Any = types.customer_changes
    some_changes = Annotated[changes, Meta(extra_json_schema={"minProperties": 2})]
    changed, found = told.changes[schema.id.name], told.found[-1]
    return {
        "get_customer_info_from_database": Declaration(
            method="GET",
            older_path="/GetCustomerInfo",
            role=Role.READER,
            request=_id_parameter(schema.id, found),
            responses=_responses(
                answers.info,
                answers.info(
                    answers.record(*told.found), told.segment.label, told.segment.strategy
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
            request=json_body(some_changes, told.changes),
            responses=_responses(
                answers.stored,
                answers.stored(
                    f"Customer id {changed} updated successfully", answers.record(*told.changed)
                ),
                problems.FOLLOWS,
                problems.NOT_FOUND,
                *_BODY_ERRORS,
                *_STORE_ERRORS,
            ),
        ),
        "delete_customer_from_database": Declaration(
            method="POST",
            older_path="/DeleteCustomer",
            role=Role.WRITER,
            request=_id_parameter(schema.id, told.deleted),
            responses=_responses(
                Message,
                Message(f"Customer with ID {told.deleted} deleted successfully"),
                problems.NOT_FOUND,
                problems.INVALID,
                *_STORE_ERRORS,
            ),
        ),
        "add_customer_to_database": Declaration(
            method="POST",
            older_path="/AddCustomer",
            role=Role.WRITER,
            request=json_body(types.new_customer, told.new_customer),
            responses=_responses(
                answers.stored,
                answers.stored(
                    "Customer successfully added to databank", answers.record(*told.added)
                ),
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
            request=json_body(types.attributes, told.someone),
            responses=_responses(
                str,
                f"{told.prediction.label} , Business strategy: {told.prediction.strategy}",
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
