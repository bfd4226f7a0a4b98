"""Fields for customers' attributes, made from the feature table; what is wrong is told at each."""

import re
from collections.abc import Mapping
from typing import Any

import streamlit as st

from customer_segmentation.client import ServiceError
from customer_segmentation.dashboard import parts
from customer_segmentation.dashboard.style import code_of, label_of, labelled
from customer_segmentation.domain.attributes import Attribute, Column
from customer_segmentation.domain.features import CUSTOMER_ID, FEATURES
from customer_segmentation.domain.numbers import Number

_COLUMNS = 3
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d*)?")

Faults = Mapping[str, str]


def example_values() -> dict[str, Number]:
    """Return a typical value of each attribute."""
    return {feature.name: feature.accept(feature.example) for feature in FEATURES}


def attribute_fields(values: Mapping[str, Number], key: str, faults: Faults) -> dict[str, Any]:
    """Show a field for each attribute; return what is in them, unchecked.

    Args:
        values: what the fields hold at first; a field without a value is empty.
        key: tells these fields from others on the page.
        faults: by attribute, what is wrong with what was in its field.
    """
    given: dict[str, Any] = {}
    for feature, column in parts.in_rows(FEATURES, _COLUMNS):
        with column:
            given[feature.name] = _field(feature, values.get(feature.name), f"{key}-{feature.name}")
            if feature.name in faults:
                parts.wrong(faults[feature.name])
    return given


def id_field(label: str, value: str, key: str, fault: str | None = None) -> str:
    """Show a field for a customer's id; return what is in it, unchecked."""
    given = st.text_input(label, value, key=key, help="A whole number of at least 1.")
    if fault:
        parts.wrong(fault)
    return given


def check_attributes(given: Mapping[str, Any]) -> tuple[dict[str, Number], dict[str, str]]:
    """Return what is allowed of what was given, and by name what is wrong with the rest."""
    return _check({feature.name: feature for feature in FEATURES}, given)


def check_id(given: str) -> tuple[Number | None, str | None]:
    """Return the id that a text is, or what is wrong with it."""
    found, faults = _check({CUSTOMER_ID.name: CUSTOMER_ID}, {CUSTOMER_ID.name: given})
    return found.get(CUSTOMER_ID.name), faults.get(CUSTOMER_ID.name)


def faults_of(refusal: ServiceError) -> dict[str, str]:
    """Return by field what the service says is wrong."""
    return {fault["field"]: fault["message"] for fault in refusal.problem.get("errors", [])}


def about(feature: Attribute) -> str:
    """Return what an attribute is and what is allowed, for a field's help."""
    unit = f", in {feature.unit}" if feature.unit else ""
    return f"{feature.description}{unit}; {feature.allowed}."


def _check(
    features: Mapping[str, Column], given: Mapping[str, Any]
) -> tuple[dict[str, Number], dict[str, str]]:
    found: dict[str, Number] = {}
    faults: dict[str, str] = {}
    for name, feature in features.items():
        try:
            found[name] = _accept(feature, given[name])
        except ValueError as fault:
            faults[name] = str(fault).replace(name, label_of(name), 1)
    return found, faults


def _accept(feature: Column, value: object) -> Any:  # noqa: ANN401
    """Return what is in an attribute's field, as the service takes it.

    Raises:
        ValueError: it is not allowed, or has a comma that may be meant as a decimal point.
    """
    if value is None:
        raise ValueError(feature.refusal("nothing"))
    if not isinstance(value, str):
        return feature.accept(value)
    # People separate thousands by commas, as the dashboard does.
    if "," in value and not _THOUSANDS.fullmatch(value.strip()):
        told = "a text whose comma does not separate thousands; 8,074.50 has one that does"
        raise ValueError(feature.refusal(told))
    return feature.accept_text(value.replace(",", ""))


def _field(feature: Attribute, value: Number | None, key: str) -> Any:  # noqa: ANN401
    if feature.codes:
        codes = list(feature.codes)
        return st.selectbox(
            label_of(feature.name),
            codes,
            index=None if value is None else codes.index(int(value)),
            placeholder="Choose",
            format_func=lambda code: code_of(feature, code),
            help=about(feature),
            key=key,
        )
    text = "" if value is None else f"{value:,}"
    return st.text_input(labelled(feature), text, help=about(feature), key=key)
