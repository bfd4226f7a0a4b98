"""A segment's profile: how it compares with all customers, and its typical values."""

from typing import Any

import streamlit as st

from customer_segmentation.dashboard import parts
from customer_segmentation.dashboard.style import (
    code_of,
    colour_of,
    label_of,
    labelled,
    number_of,
    share_of,
    signed,
)
from customer_segmentation.domain.features import FEATURE_BY_NAME

_LARGE = 1_000
TRIMMED = "The 5% who have least and the 5% who have most of an amount are left out"


def show_profile(segment: dict[str, Any]) -> None:
    """Show every attribute of a segment, the one that tells it apart most first."""
    if not segment["profile"]:
        st.info("There are too few customers in this segment to show more.")
        return
    strongest = sorted(segment["profile"], key=lambda a: -abs(a["trimmed_deviations"]))
    chart, table = st.columns(2, gap="large")
    with chart:
        st.subheader("Compared with all customers")
        st.caption(
            "In standard deviations: to the right more than everybody, to the left less. "
            f"{TRIMMED}."
        )
        parts.bars(
            [
                parts.Bar(
                    label_of(a["attribute"]),
                    a["trimmed_deviations"],
                    signed(a["trimmed_deviations"]),
                    colour_of(segment["number"]),
                )
                for a in strongest
            ]
        )
    with table:
        st.subheader("Typical values")
        st.caption("The middle half of the customers, or the share of each code.")
        parts.table(
            [
                {
                    "attribute": labelled(FEATURE_BY_NAME[a["attribute"]]),
                    "mean": mean_of(a, "mean"),
                    "trimmed mean": mean_of(a, "trimmed_mean"),
                    "usual": usual(a),
                }
                for a in strongest
            ]
        )


def mean_of(attribute: dict[str, Any], name: str) -> str:
    """Return a mean of an attribute, for a yes or no the share of yes."""
    feature = FEATURE_BY_NAME[attribute["attribute"]]
    if len(feature.codes) == 2:
        return f"{share_of(attribute['shares'].get('1'))} {code_of(feature, 1)}"
    return number_of(attribute[name], 0 if abs(attribute[name]) >= _LARGE else 1)


def usual(attribute: dict[str, Any]) -> str:
    """Return the middle half of the customers, or the shares of an attribute's codes."""
    feature = FEATURE_BY_NAME[attribute["attribute"]]
    if feature.codes:
        shares = {int(code): share for code, share in attribute["shares"].items()}
        return ", ".join(
            f"{code_of(feature, code)} "
            f"{'hidden' if shares.get(code) is None else format(shares[code], '.0%')}"
            for code in feature.codes
        )
    return f"{number_of(attribute['lower_quartile'])} to {number_of(attribute['upper_quartile'])}"
