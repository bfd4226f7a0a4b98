"""Fields for customers' attributes, made from the schema; what is wrong is told at each."""

import re
from collections.abc import Mapping
from typing import Any

import streamlit as st

from customer_segmentation.client import ServiceError
from customer_segmentation.dashboard import parts
from customer_segmentation.dashboard.schema import the_schema
from customer_segmentation.dashboard.style import choices_of, label_of, labelled
from customer_segmentation.domain.attributes import NOT_KNOWN, Attribute, Column, Missing, Value
from customer_segmentation.domain.schema import Schema

_COLUMNS = 3
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d*)?")

Faults = Mapping[str, str]
Values = Mapping[str, Value | None]


def example_values(schema: Schema) -> dict[str, Value | None]:
    """Return a typical value of each attribute."""
    return {attribute.name: attribute.example for attribute in schema.attributes}


def default_values(schema: Schema) -> dict[str, Value | None]:
    """Return what customers have who are added without an attribute, where that is said."""
    return {
        attribute.name: attribute.default
        for attribute in schema.attributes
        if attribute.default is not None
    }


def attribute_fields(values: Values, key: str, faults: Faults) -> dict[str, Any]:
    """Show a field for each attribute; return what is in them, unchecked.

    Args:
        values: what the fields hold at first; a field without a value is empty.
        key: tells these fields from others on the page.
        faults: by attribute, what is wrong with what was in its field.
    """
    given: dict[str, Any] = {}
    for attribute, column in parts.in_rows(the_schema().attributes, _COLUMNS):
        name = attribute.name
        with column:
            given[name] = _field(attribute, values.get(name), f"{key}-{name}")
            if name in faults:
                parts.wrong(faults[name])
    return given


def id_field(label: str, value: str, key: str, fault: str | None = None) -> str:
    """Show a field for a customer's id; return what is in it, unchecked."""
    allowed = "A text." if the_schema().id.is_text else "A whole number of at least 1."
    given = st.text_input(label, value, key=key, help=allowed)
    if fault:
        parts.wrong(fault)
    return given


def check_attributes(
    schema: Schema, given: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return what is allowed of what was given, and by name what is wrong with the rest."""
    found: dict[str, Any] = {}
    faults: dict[str, str] = {}
    for attribute in schema.attributes:
        try:
            found[attribute.name] = _accept(attribute, given[attribute.name])
        except ValueError as fault:
            faults[attribute.name] = _for_people(attribute, fault)
    return found, faults


def check_id(schema: Schema, given: str) -> tuple[Any, str | None]:
    """Return the id that a text is, or what is wrong with it."""
    try:
        if schema.id.is_text:
            return schema.id.accept_text(given), None
        return schema.id.accept_text(_without_thousands(schema.id, given)), None
    except ValueError as fault:
        return None, _for_people(schema.id, fault)


def faults_of(refusal: ServiceError) -> dict[str, str]:
    """Return by field what the service says is wrong."""
    return {fault["field"]: fault["message"] for fault in refusal.problem.get("errors", [])}


def about(attribute: Attribute) -> str:
    """Return what an attribute is and what is allowed, for a field's help."""
    unit = f", in {attribute.unit}" if attribute.unit else ""
    what = f"{attribute.description or label_of(attribute)}{unit}"
    if choices_of(attribute):
        return parts.literal(f"{what}.")
    allowed = attribute.allowed.removesuffix(" or null")
    return parts.literal(f"{what}; {allowed}{_or_empty(attribute)}.")


def may_lack(attribute: Attribute) -> bool:
    """Return whether a customer may lack an attribute."""
    return attribute.missing is Missing.ALLOWED


def _or_empty(attribute: Attribute) -> str:
    return ", or nothing where it is not known" if may_lack(attribute) else ""


def _for_people(column: Column, fault: ValueError) -> str:
    return str(fault).replace(column.name, label_of(column), 1)


def _accept(attribute: Attribute, value: Value | None) -> Value | None:
    """Return what is in an attribute's field, as the service takes it.

    Raises:
        ValueError: it is not allowed, or has a comma that may be meant as a decimal point.
    """
    if value is None and not may_lack(attribute):
        raise ValueError(attribute.refusal("nothing"))
    if isinstance(value, str) and not attribute.categories:
        return attribute.show(attribute.accept_text(_without_thousands(attribute, value)))
    return attribute.show(attribute.accept(value))


def _without_thousands(column: Column, text: str) -> str:
    # People separate thousands by commas, as the dashboard does.
    if "," in text and not _THOUSANDS.fullmatch(text.strip()):
        told = "a text whose comma does not separate thousands; 8,074.50 has one that does"
        raise ValueError(column.refusal(told))
    return text.replace(",", "")


def _field(attribute: Attribute, value: Value | None, key: str) -> Any:  # noqa: ANN401
    choices = choices_of(attribute)
    if not choices:
        text = "" if value is None else f"{value:,}"
        hint = NOT_KNOWN if may_lack(attribute) else None
        return st.text_input(
            parts.label(labelled(attribute)), text, placeholder=hint, help=about(attribute), key=key
        )
    options = [*([None] if may_lack(attribute) else []), *choices]
    return st.selectbox(
        parts.label(label_of(attribute)),
        options,
        index=options.index(value) if value in options else None,
        placeholder="Choose",
        format_func=lambda choice: choices.get(choice, NOT_KNOWN),
        help=about(attribute),
        key=key,
    )
