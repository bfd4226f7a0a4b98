"""JSON Schemas of requests and answers, made from the feature table, and their examples."""

from collections.abc import Mapping
from typing import Any

from customer_segmentation.domain.features import (
    CUSTOMER_ID,
    FEATURES,
    LARGEST_INTEGER,
    SEGMENT_RECORD_NAME,
    SHIPPED,
    Feature,
    Number,
)
from customer_segmentation.domain.segments import Segment, Strategy

Schema = dict[str, Any]

NEW_CUSTOMER = {f.name: f.example for f in (CUSTOMER_ID, *FEATURES)}
"""The documented customer to add."""

BATCH_ROWS = 1_000
"""How many operations a batch may hold."""

CHANGES = {"customer_id": 7287, "total_deposit_amount": 9876, "transaction_count": 3}
"""The documented update."""

ATTRIBUTES: dict[str, Number] = {
    "age": 34,
    "gender": 1,
    "monthly_income": 9763,
    "account_balance": 26514,
    "loyalty_score": 45,
    "education_level": 2,
    "facebook_interaction": 1,
    "twitter_interaction": 0,
    "email_interaction": 0,
    "instagram_interaction": 0,
    "total_withdrawal_amount": 926,
    "total_deposit_amount": 0,
    "transaction_count": 1,
    "has_loan": 1,
}
"""The documented prediction."""


def feature_schema(feature: Feature) -> Schema:
    """Return the schema of one attribute's value."""
    codes = ", ".join(f"{code} = {label}" for code, label in feature.codes.items())
    description = f"{feature.meaning}{f': {codes}' if codes else ''}. Allowed: {feature.allowed}"
    if feature.unit:
        description += f". Unit: {feature.unit}"
    schema: Schema = {
        "type": "integer" if feature.is_integer else "number",
        "title": feature.record_name,
        "description": f"{description}.",
        "examples": [feature.example],
    }
    # Whole numbers end at 2^53 either way; amounts with a fraction may be larger.
    if feature.minimum is not None:
        schema["minimum"] = feature.minimum
    elif feature.is_integer:
        schema["minimum"] = -LARGEST_INTEGER
    if feature.maximum is not None:
        schema["maximum"] = feature.maximum
    elif feature.is_integer:
        schema["maximum"] = LARGEST_INTEGER
    return schema


def object_schema(
    title: str,
    description: str,
    properties: Mapping[str, Schema],
    *,
    required: tuple[str, ...] | None = None,
    example: object = None,
) -> Schema:
    """Return the schema of an object that has these properties and no others.

    Args:
        title: its name.
        description: what it is.
        properties: the schema of each property.
        required: which must be there; all unless given.
        example: a whole example.
    """
    schema: Schema = {
        "type": "object",
        "title": title,
        "description": description,
        "properties": dict(properties),
        "required": list(properties if required is None else required),
        "additionalProperties": False,
    }
    if example is not None:
        schema["examples"] = [example]
    return schema


_SEGMENT = Segment(0, SHIPPED.profiles[0].name, (Strategy(SHIPPED.profiles[0].strategy),))
_ATTRIBUTE_SCHEMAS = {feature.name: feature_schema(feature) for feature in FEATURES}
_ID_SCHEMA = {CUSTOMER_ID.name: feature_schema(CUSTOMER_ID)}
_RECORD_SCHEMA = (
    {feature.record_name: feature_schema(feature) for feature in FEATURES}
    | {
        SEGMENT_RECORD_NAME: {
            "type": "integer",
            "title": SEGMENT_RECORD_NAME,
            "description": "The number of the segment that the customer is in.",
            "minimum": 0,
            "examples": [0],
        }
    }
    | {CUSTOMER_ID.record_name: feature_schema(CUSTOMER_ID)}
)

SCHEMAS: dict[str, Schema] = {
    "CustomerAttributes": object_schema(
        "CustomerAttributes",
        "Everything the model looks at, without an id: someone to segment without storing.",
        _ATTRIBUTE_SCHEMAS,
        example=ATTRIBUTES,
    ),
    "NewCustomer": object_schema(
        "NewCustomer",
        "A customer to add: an id that is free, and every attribute.",
        _ID_SCHEMA | _ATTRIBUTE_SCHEMAS,
        example=NEW_CUSTOMER,
    ),
    "CustomerChanges": object_schema(
        "CustomerChanges",
        "The customer to change and at least one attribute; those not given stay as they are.",
        _ID_SCHEMA | _ATTRIBUTE_SCHEMAS,
        required=(CUSTOMER_ID.name,),
        example=CHANGES,
    )
    | {"minProperties": 2},
    "CustomerRecord": object_schema(
        "CustomerRecord", "A stored customer and the number of its segment.", _RECORD_SCHEMA
    ),
    "Customer": object_schema(
        "Customer",
        "A stored customer, the segment it is in, and what to do about it.",
        _ID_SCHEMA
        | _ATTRIBUTE_SCHEMAS
        | {
            "segment": {
                "type": "integer",
                "minimum": 0,
                "description": "The number of the segment that holds.",
            },
            "segment_name": {"type": "string", "description": "Its name."},
            "raw_segment": {
                "type": "integer",
                "minimum": 0,
                "description": "The number of the nearest segment; another one only where "
                "hysteresis keeps the customer in its own.",
            },
            "is_outlier": {
                "type": "boolean",
                "description": "Whether the customer is far from every centroid.",
            },
            "next_best_action": {
                "type": "object",
                "description": "The first strategy on a channel that reached the customer before.",
                "properties": {
                    "text": {"type": "string", "description": "What to do."},
                    "channel": {"type": "string", "description": "On which channel."},
                },
                "required": ["text", "channel"],
                "additionalProperties": False,
            },
            "model_version": {"type": "integer", "description": "Which gave the segment."},
        },
    ),
    "Batch": object_schema(
        "Batch",
        "Operations to do in one transaction.",
        {
            "operations": {
                "type": "array",
                "minItems": 1,
                "maxItems": BATCH_ROWS,
                "description": "In the order in which they are done.",
                "items": {
                    "description": "An action, and a customer: whole to add, the id and some "
                    "attributes to update, the id to delete. A row that is not so fails alone.",
                },
            }
        },
    ),
    "BatchOutcome": object_schema(
        "BatchOutcome",
        "What came of each row.",
        {
            **{
                name: {"type": "integer", "description": f"How many rows were {name}."}
                for name in ("added", "updated", "deleted", "failed")
            },
            "outcomes": {
                "type": "array",
                "description": "In the order of the operations.",
                "items": object_schema(
                    "RowOutcome",
                    "What came of one row.",
                    {
                        "row": {"type": "integer", "description": "Its place, from 0."},
                        "status": {
                            "enum": ["added", "updated", "deleted", "failed"],
                            "description": "What was done.",
                        },
                        "customer_id": {
                            "type": "integer",
                            "description": "With which customer; not there where it failed.",
                        },
                        "customer": {"$ref": "#/components/schemas/Customer"},
                        "problem": {"$ref": "#/components/schemas/Problem"},
                    },
                    required=("row", "status"),
                ),
            },
        },
    ),
    "CustomerPage": object_schema(
        "CustomerPage",
        "Some customers, and how to go on.",
        {
            "customers": {"type": "array", "items": {"$ref": "#/components/schemas/Customer"}},
            "next_cursor": {
                "type": ["string", "null"],
                "description": "`cursor` of the next page; null after the last.",
            },
        },
    ),
    "AttributeChanges": object_schema(
        "AttributeChanges",
        "At least one attribute; those not given stay as they are.",
        _ATTRIBUTE_SCHEMAS,
        required=(),
        example={"total_deposit_amount": 9876, "transaction_count": 3},
    )
    | {"minProperties": 1},
    "CustomerInfo": object_schema(
        "CustomerInfo",
        "A customer, the segment it is in, and what to do about it.",
        {
            "Customer info": {"$ref": "#/components/schemas/CustomerRecord"},
            "Segmentation info": {
                "type": "string",
                "description": "The segment's number and name.",
                "examples": [_SEGMENT.label],
            },
            "Business strategy": {
                "type": "string",
                "description": "What to do about its customers.",
                "examples": [_SEGMENT.strategy],
            },
        },
    ),
    "StoredCustomer": object_schema(
        "StoredCustomer",
        "What was done, and the customer as it is stored now.",
        {
            "message": {"type": "string", "description": "What was done, for people."},
            "updated_customer": {"$ref": "#/components/schemas/CustomerRecord"},
        },
    ),
    "Message": object_schema(
        "Message",
        "What was done.",
        {"message": {"type": "string", "description": "What was done, for people."}},
    ),
    "Problem": object_schema(
        "Problem",
        "What went wrong, as RFC 9457 describes it. A failed request changes nothing.",
        {
            "type": {"type": "string", "description": "Which kind of problem it is."},
            "title": {"type": "string", "description": "The kind of problem, for people."},
            "status": {"type": "integer", "description": "The HTTP status code."},
            "detail": {"type": "string", "description": "This very problem, for people."},
            "errors": {
                "type": "array",
                "description": "The fields at fault, where there are any.",
                "items": object_schema(
                    "FieldError",
                    "A field and what is wrong with it.",
                    {
                        "field": {"type": "string", "description": "Which field."},
                        "message": {
                            "type": "string",
                            "description": "What its value is, and what is allowed.",
                        },
                    },
                ),
            },
        },
        required=("type", "title", "status", "detail"),
    ),
}
"""By name: the components of the OpenAPI document."""


def reference(name: str) -> Schema:
    """Return a reference to one of `SCHEMAS`."""
    return {"$ref": f"#/components/schemas/{name}"}
