"""Fields for customers' attributes, made from the feature table; what is wrong is told at each."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from customer_segmentation.client import ServiceError
from customer_segmentation.dashboard import parts
from customer_segmentation.dashboard.style import code_of, label_of, labelled
from customer_segmentation.domain.features import CUSTOMER_ID, FEATURES, Feature, Number

_COLUMNS = 3

Faults = Mapping[str, str]


def example_values() -> dict[str, Number]:
    """Return a typical value of each attribute."""
    return {feature.name: feature.example for feature in FEATURES}


def attribute_fields(values: Mapping[str, Number], key: str, faults: Faults) -> dict[str, Any]:
    """Show a field for each attribute; return what is in them, unchecked.

    Args:
        values: what the fields hold at first.
        key: tells these fields from others on the page.
        faults: by attribute, what is wrong with what was in its field.
    """
    columns = st.columns(_COLUMNS)
    given: dict[str, Any] = {}
    for place, feature in enumerate(FEATURES):
        with columns[place % _COLUMNS]:
            given[feature.name] = _field(feature, values[feature.name], f"{key}-{feature.name}")
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


def about(feature: Feature) -> str:
    """Return what an attribute is and what is allowed, for a field's help."""
    unit = f", in {feature.unit}" if feature.unit else ""
    return f"{feature.meaning}{unit}; {feature.allowed}."


def _check(
    features: Mapping[str, Feature], given: Mapping[str, Any]
) -> tuple[dict[str, Number], dict[str, str]]:
    found: dict[str, Number] = {}
    faults: dict[str, str] = {}
    for name, feature in features.items():
        value = given[name]
        try:
            # People separate thousands, as the dashboard does.
            text = value.replace(",", "") if isinstance(value, str) else None
            found[name] = feature.accept(value) if text is None else feature.accept_text(text)
        except ValueError as fault:
            faults[name] = str(fault).replace(name, label_of(name), 1)
    return found, faults


def _field(feature: Feature, value: Number, key: str) -> Any:  # noqa: ANN401
    if feature.codes:
        codes = list(feature.codes)
        return st.selectbox(
            label_of(feature.name),
            codes,
            index=codes.index(int(value)),
            format_func=lambda code: code_of(feature, code),
            help=about(feature),
            key=key,
        )
    return st.text_input(labelled(feature), f"{value:,}", help=about(feature), key=key)
