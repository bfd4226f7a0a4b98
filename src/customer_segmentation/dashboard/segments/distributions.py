"""How a segment's customers are spread over the values of an attribute, next to everybody."""

from typing import Any

import streamlit as st

from customer_segmentation.dashboard import parts, plots
from customer_segmentation.dashboard.segments.differences import differences
from customer_segmentation.dashboard.service import read_distributions
from customer_segmentation.dashboard.style import (
    EVERYBODY,
    choices_of,
    colour_of,
    label_of,
    title_of,
    unit_of,
)
from customer_segmentation.domain.attributes import NOT_KNOWN, Attribute

Counts = list[dict[str, int | None]]

_THOUSAND, _MILLION = 1_000, 1_000_000


def show_distribution(segment: dict[str, Any]) -> None:
    """Show an attribute that is chosen; at first the one that tells the segment apart most."""
    if not segment["profile"]:
        st.info("There are too few customers in this segment to show more.")
        return
    attributes = {one.attribute.name: one.attribute for one in differences(segment)}
    name = st.selectbox(
        "Attribute",
        list(attributes),
        format_func=lambda one: label_of(attributes[one]),
        width=320,
    )
    attribute, found = attributes[name], read_distributions()[name]
    groups = found["groups"]
    labels = [_label(attribute, place, groups) for place in range(len(groups))]
    counts: Counts = [group["counts"] for group in groups]
    if any(count != 0 for count in found["missing"].values()):
        labels.append(NOT_KNOWN)
        counts.append(found["missing"])
    ours = [of_segments[str(segment["number"])] for of_segments in counts]
    everybody = [_total(of_segments) for of_segments in counts]
    shares = {title_of(segment): (colour_of(segment["number"]), _shares(ours))}
    shares["Everybody"] = (EVERYBODY, _shares(everybody))
    what = f"Shares of {title_of(segment)} and of everybody by {attribute.title}"
    about = attribute.description or label_of(attribute)
    st.caption(f"{parts.literal(about)}: share of the segment's customers, and of everybody.")
    plots.show(plots.columns(labels, shares), "distribution", 420, what)
    if None in ours or None in everybody:
        st.caption("Columns that are missing are hidden, as few customers are in them.")


def _total(counts: dict[str, int | None]) -> int | None:
    """Return how many customers there are; of parts of which some are hidden, none is told."""
    return None if None in counts.values() else sum(count or 0 for count in counts.values())


def _shares(counts: list[int | None]) -> list[float | None]:
    total = sum(count or 0 for count in counts) or 1
    return [None if count is None else count / total for count in counts]


def _label(attribute: Attribute, place: int, groups: list[dict[str, Any]]) -> str:
    """Return which values a group holds."""
    category, least, below = (groups[place][name] for name in ("category", "least", "below"))
    if category is not None:
        return str(category)
    if choices := choices_of(attribute):
        return choices[int(least)]
    unit = f" {unit_of(attribute)}" if unit_of(attribute) == "years" else ""
    if below is None:
        return f"{_short(least)}{unit} and more"
    if attribute.is_integer and least is not None:
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
