"""How a segment's customers are spread over the values of an attribute, next to everybody."""

from typing import Any

import streamlit as st

from customer_segmentation.dashboard import plots
from customer_segmentation.dashboard.service import read_distributions
from customer_segmentation.dashboard.style import (
    EVERYBODY,
    code_of,
    colour_of,
    label_of,
    title_of,
    unit_of,
)
from customer_segmentation.domain.attributes import Attribute
from customer_segmentation.domain.features import FEATURE_BY_NAME, FEATURE_NAMES

_THOUSAND, _MILLION = 1_000, 1_000_000


def show_distribution(segment: dict[str, Any]) -> None:
    """Show an attribute that is chosen; at first the one that tells the segment apart most."""
    if not segment["profile"]:
        st.info("There are too few customers in this segment to show more.")
        return
    order = {a["attribute"]: -abs(a["trimmed_deviations"]) for a in segment["profile"]}
    name = st.selectbox(
        "Attribute",
        sorted(FEATURE_NAMES, key=lambda one: order[one]),
        format_func=label_of,
        width=320,
    )
    feature, groups = FEATURE_BY_NAME[name], read_distributions()[name]["groups"]
    ours = [group["counts"][str(segment["number"])] for group in groups]
    # Of whose parts some are hidden, no share of the whole is told.
    everybody = [
        None if None in group["counts"].values() else sum(group["counts"].values())
        for group in groups
    ]
    labels = [_label(feature, place, groups) for place in range(len(groups))]
    shares = {title_of(segment): (colour_of(segment["number"]), _shares(ours))}
    shares["Everybody"] = (EVERYBODY, _shares(everybody))
    what = f"Shares of {title_of(segment)} and of everybody by {label_of(name)}"
    st.caption(f"{feature.description}: share of the segment's customers, and of everybody.")
    plots.show(plots.columns(labels, shares), "distribution", 420, what)
    if None in ours or None in everybody:
        st.caption("Columns that are missing are hidden, as few customers are in them.")


def _shares(counts: list[int | None]) -> list[float | None]:
    total = sum(count or 0 for count in counts) or 1
    return [None if count is None else count / total for count in counts]


def _label(feature: Attribute, place: int, groups: list[dict[str, Any]]) -> str:
    """Return which values a group holds."""
    least, below = groups[place]["least"], groups[place]["below"]
    if feature.codes:
        return code_of(feature, int(least))
    unit = f" {unit_of(feature)}" if unit_of(feature) == "years" else ""
    if below is None:
        return f"{_short(least)}{unit} and more"
    if feature.is_integer:
        last = _short(below - 1)
        return last if least == below - 1 else f"{_short(least)} to {last}"
    return (
        f"below {_short(below)}"
        if least is None or place == 0
        else f"{_short(least)} to {_short(below)}"
    )


def _short(value: float) -> str:
    """Return a number in few characters."""
    for size, sign in ((_MILLION, " M"), (10 * _THOUSAND, " k")):
        if abs(value) >= size:
            return f"{value / (_MILLION if sign == ' M' else _THOUSAND):,.3g}{sign}"
    return f"{value:,.0f}" if abs(value) >= 10 or value == int(value) else f"{value:.1f}"
