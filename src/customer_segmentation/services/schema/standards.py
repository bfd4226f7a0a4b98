"""A schema in the words of others: TOML, Table Schema and JSON Schema."""

import json
from enum import StrEnum
from typing import Any

from customer_segmentation.domain.attributes import (
    ID_PATTERN,
    LONGEST_ID,
    Attribute,
    IdType,
    Kind,
    Missing,
    Unknown,
)
from customer_segmentation.domain.numbers import LARGEST_INTEGER
from customer_segmentation.domain.schema import (
    Schema,
    derivation_content,
    transactions_content,
)
from customer_segmentation.services.runtime.current_schema import CurrentSchema


class SchemaForm(StrEnum):
    """How a schema is written."""

    JSON = "json"
    TOML = "toml"
    TABLE_SCHEMA = "table-schema"
    JSON_SCHEMA = "json-schema"


def write_schema_as(current: CurrentSchema, form: SchemaForm) -> str:
    """Return a schema in a form other than the API's own."""
    if form is SchemaForm.TOML:
        return current.text
    make = table_schema if form is SchemaForm.TABLE_SCHEMA else json_schema
    return json.dumps(make(current.schema), ensure_ascii=False, indent=2) + "\n"


def table_schema(schema: Schema) -> dict[str, Any]:
    """Return a schema as Table Schema has it, of files that bear the record names.

    It allows further properties: they tell what follows from transactions, as TOML does.

    Source: https://specs.frictionlessdata.io/table-schema/.
    """
    key = schema.id
    is_text = key.type is IdType.TEXT
    first = {
        "name": key.record_name,
        "title": key.title,
        "description": key.description,
        "type": "string" if is_text else "integer",
        "constraints": {"required": True, "unique": True}
        | ({"minLength": 1} if is_text else {"minimum": 1}),
    }
    return {
        "fields": [first, *map(_field, schema.attributes)],
        "primaryKey": key.record_name,
        "missingValues": list(schema.missing_values),
    } | (
        {}
        if schema.transactions is None
        else {"transactions": transactions_content(schema.transactions)}
    )


def _field(attribute: Attribute) -> dict[str, Any]:
    constraints: dict[str, Any] = {"required": attribute.missing is Missing.REFUSED}
    if attribute.categories:
        if attribute.unknown is Unknown.REFUSED:
            constraints["enum"] = list(attribute.categories)
    elif attribute.codes:
        constraints["enum"] = list(attribute.choices)
    else:
        constraints |= _limits(attribute)
    return {
        "name": attribute.record_name,
        "title": attribute.title,
        "description": attribute.description,
        "type": _type(attribute),
        "constraints": constraints,
    } | derivation_content(attribute.derivation)


def _limits(attribute: Attribute) -> dict[str, int]:
    limits = {"minimum": attribute.minimum, "maximum": attribute.maximum}
    return {key: limit for key, limit in limits.items() if limit is not None}


def _type(attribute: Attribute) -> str:
    if attribute.categories:
        return "string"
    return "number" if attribute.kind is Kind.AMOUNT else "integer"


def json_schema(schema: Schema) -> dict[str, Any]:
    """Return a schema as JSON Schema has it, of a customer that a request adds.

    Source: https://json-schema.org/draft/2020-12/schema.
    """
    key = schema.id
    whose: dict[str, Any] = {"title": key.title, "description": key.description}
    if key.type is IdType.TEXT:
        whose |= {"type": "string", "minLength": 1, "maxLength": LONGEST_ID, "pattern": ID_PATTERN}
    else:
        whose |= {"type": "integer", "minimum": 1, "maximum": LARGEST_INTEGER}
    needed = [a.name for a in schema.attributes if not a.may_be_left_out]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {key.name: whose, **{a.name: _property(a) for a in schema.attributes}},
        "required": [key.name, *needed],
        "additionalProperties": False,
    }


def _property(attribute: Attribute) -> dict[str, Any]:
    told: dict[str, Any] = {"title": attribute.title, "description": attribute.description}
    may_lack = attribute.missing is Missing.ALLOWED
    kind = _type(attribute)
    told["type"] = [kind, "null"] if may_lack else kind
    if attribute.categories and attribute.unknown is Unknown.REFUSED:
        told["enum"] = [*attribute.categories, *([None] if may_lack else [])]
    elif attribute.codes:
        told["oneOf"] = [
            {"const": code, "title": label} for code, label in attribute.codes.items()
        ] + ([{"const": None}] if may_lack else [])
    else:
        told |= _limits(attribute)
    if attribute.default is not None:
        told["default"] = attribute.default
    if attribute.derivation is not None:
        told["$comment"] = f"Follows from transactions: {attribute.derivation.summary}"
    return told
