"""Inputs for customers' attributes, made from the feature table."""

from collections.abc import Mapping

import streamlit as st

from customer_segmentation.dashboard.style import label_of
from customer_segmentation.domain.features import FEATURES, Feature

_COLUMNS = 3
_MOST = 2**53 - 1


def attribute_inputs(values: Mapping[str, float], key: str) -> dict[str, int | float]:
    """Show an input for each attribute; return what is in them.

    Args:
        values: what the inputs hold at first.
        key: tells these inputs from others on the page.
    """
    columns = st.columns(_COLUMNS)
    given = {}
    for place, feature in enumerate(FEATURES):
        with columns[place % _COLUMNS]:
            given[feature.name] = _input(feature, values[feature.name], f"{key}-{feature.name}")
    return given


def example_values() -> dict[str, int | float]:
    """Return a typical value of each attribute."""
    return {feature.name: feature.example for feature in FEATURES}


def _input(feature: Feature, value: float, key: str) -> int | float:
    label = label_of(feature.name)
    unit = f", in {feature.unit}" if feature.unit else ""
    about = f"{feature.meaning}{unit}; {feature.allowed}"
    if feature.codes:
        codes = list(feature.codes)
        return st.selectbox(
            label,
            codes,
            index=codes.index(int(value)),
            format_func=lambda code: feature.codes[code],
            help=about,
            key=key,
        )
    if feature.is_integer:
        return st.number_input(
            label,
            value=int(value),
            min_value=feature.minimum,
            max_value=feature.maximum or _MOST,
            step=1,
            help=about,
            key=key,
        )
    least = None if feature.minimum is None else float(feature.minimum)
    return st.number_input(
        label, value=float(value), min_value=least, step=100.0, format="%.2f", help=about, key=key
    )
