"""The map of customers drawn by chance."""

from typing import Any

import streamlit as st

from customer_segmentation.dashboard import parts, plots
from customer_segmentation.dashboard.schema import the_schema
from customer_segmentation.dashboard.service import read_map
from customer_segmentation.dashboard.style import titles_of
from customer_segmentation.domain.attributes import Attribute, Kind
from customer_segmentation.domain.plurals import counted

_SAMPLE = 1_500
_AXES = ("To the right", "Upwards")


def show_map(segments: list[dict[str, Any]]) -> None:
    """Show how near segments are to one another."""
    found = read_map(_SAMPLE)
    if not found["points"]:
        st.info("There are too few customers for a map.")
        return
    points, shares = found["points"], [axis["share"] for axis in found["axes"]]
    st.caption(
        f"{counted(len(points), 'customer')} drawn by chance, as the model sees them, from where "
        f"they differ most (principal components, {sum(shares):.0%} of the variance). "
        + " ".join(map(_axis, _AXES, found["axes"]))
    )
    figure = plots.scatter(points, found["centroids"], titles_of(segments))
    plots.show(figure, "map", 600, "Customers on a plane, coloured by segment")


def _axis(where: str, axis: dict[str, Any]) -> str:
    """Return what rises and falls along an axis."""
    known = the_schema().by_name
    ways = [(name.removeprefix("-"), name.startswith("-")) for name in axis["attributes"]]
    told = [_way(known[name], falls=falls) for name, falls in ways if name in known]
    return parts.literal(f"{where}: {', '.join(list(dict.fromkeys(told))[:2])}.")


def _way(attribute: Attribute, *, falls: bool) -> str:
    if attribute.kind is Kind.NOMINAL:
        return f"another {attribute.title}"
    return f"{'less' if falls else 'more'} {attribute.title}"
