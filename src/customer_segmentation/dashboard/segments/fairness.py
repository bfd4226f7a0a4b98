"""How protected groups are spread over the segments."""

from typing import Any

import streamlit as st

from customer_segmentation.dashboard import parts
from customer_segmentation.dashboard.schema import the_schema
from customer_segmentation.dashboard.service import read_disparity
from customer_segmentation.dashboard.style import number_of, titles_of


def show_fairness(segments: list[dict[str, Any]]) -> None:
    """Show, by protected attribute, the share of each group that is in each segment."""
    found, known = read_disparity(), the_schema().by_name
    groups = {name: told for name, told in found["groups"].items() if name in known}
    if not groups:
        st.info("The schema protects no attribute.")
        return
    st.caption(
        "The share of each group that is in a segment, and in brackets as a multiple of "
        "everybody's: 1.00 is parity, and below 0.8 or above 1.25 is worth a look."
    )
    titles = titles_of(segments)
    for name, told in groups.items():
        st.subheader(parts.literal(f"By {known[name].title}"))
        if name in found["excluded"]:
            st.caption("The model does not use it.")
        parts.table([_row(group, titles) for group in told])


def _row(group: dict[str, Any], titles: dict[int, str]) -> dict[str, str]:
    return {"group": group["group"], "customers": number_of(group["size"])} | {
        title: _share(group["shares"].get(str(number)), group["ratios"].get(str(number)))
        for number, title in titles.items()
    }


def _share(share: float | None, ratio: float | None) -> str:
    if share is None:
        return number_of(None)
    return f"{share:.1%}" if ratio is None else f"{share:.1%} ({ratio:.2f})"
