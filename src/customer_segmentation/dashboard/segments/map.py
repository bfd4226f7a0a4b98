"""The map of customers drawn by chance."""

from typing import Any

import streamlit as st

from customer_segmentation.dashboard import plots
from customer_segmentation.dashboard.service import read_map
from customer_segmentation.dashboard.style import label_of, titles_of
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
    told = ", ".join(
        f"less {label_of(name[1:]).lower()}"
        if name.startswith("-")
        else f"more {label_of(name).lower()}"
        for name in axis["attributes"][:2]
    )
    return f"{where}: {told}."
