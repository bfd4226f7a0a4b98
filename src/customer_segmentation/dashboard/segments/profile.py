"""A segment's profile: how it compares with all customers, and its typical values."""

from typing import Any

import streamlit as st

from customer_segmentation.dashboard import parts
from customer_segmentation.dashboard.segments.differences import differences
from customer_segmentation.dashboard.style import (
    choices_of,
    colour_of,
    labelled,
    number_of,
    share_of,
)
from customer_segmentation.domain.attributes import NOT_KNOWN, Attribute

_LARGE = 1_000
_TOLD = 5
TRIMMED = "The 5% who have least and the 5% who have most of an amount are left out"


def show_profile(segment: dict[str, Any]) -> None:
    """Show every attribute of a segment, the one that tells it apart most first."""
    if not segment["profile"]:
        st.info("There are too few customers in this segment to show more.")
        return
    strongest = differences(segment)
    chart, table = st.columns(2, gap="large")
    with chart:
        st.subheader("Compared with all customers")
        st.caption(
            "In standard deviations: to the right more than everybody, to the left less; of "
            f"categories, the one that tells most apart. {TRIMMED}."
        )
        colour = colour_of(segment["number"])
        parts.bars([parts.Bar(one.label, one.deviations, one.figure, colour) for one in strongest])
    with table:
        st.subheader("Typical values")
        st.caption("The middle half of the customers, or the share of each code or category.")
        parts.table(
            [
                {
                    "attribute": labelled(one.attribute),
                    "mean": mean_of(one.attribute, one.profile, "mean"),
                    "trimmed mean": mean_of(one.attribute, one.profile, "trimmed_mean"),
                    "usual": usual(one.attribute, one.profile),
                }
                for one in strongest
            ]
        )


def mean_of(attribute: Attribute, profile: dict[str, Any], name: str) -> str:
    """Return a mean of an attribute: of a yes or no the share of yes, of categories the commonest.

    Args:
        attribute: which.
        profile: of a segment.
        name: of the mean.
    """
    if profile["missing"] == 1.0:
        return NOT_KNOWN
    shares = _shares(attribute, profile)
    if len(shares) == 2:
        label, share = shares[1]
        return f"{share_of(share)} {label}"
    if attribute.categories:
        known = [(share, label) for label, share in shares if share is not None]
        share, label = max(known, default=(None, ""), key=lambda one: one[0])
        return f"{label} {share_of(share)}".strip()
    mean = profile[name]
    return number_of(mean, 0 if abs(mean) >= _LARGE else 1)


def usual(attribute: Attribute, profile: dict[str, Any]) -> str:
    """Return the middle half of the customers, or the shares of what they may be."""
    missing = profile["missing"]
    if missing == 1.0:
        return NOT_KNOWN
    lacking = "" if missing == 0.0 else f"; {_percent(missing)} {NOT_KNOWN}"
    shares = _shares(attribute, profile)
    if shares:
        # Of many categories, those that most have.
        shown = sorted(shares, key=lambda one: -(one[1] or 0.0))[:_TOLD]
        told = ", ".join(
            f"{label} {_percent(share)}" for label, share in shares if (label, share) in shown
        )
        more = len(shares) - len(shown)
        return f"{told}{f', {more} more' if more else ''}{lacking}"
    lower, upper = profile["lower_quartile"], profile["upper_quartile"]
    digits = 1 if abs(upper) < 10 and not attribute.is_integer else 0
    return f"{number_of(lower, digits)} to {number_of(upper, digits)}{lacking}"


def _percent(share: float | None) -> str:
    if share is None:
        return "hidden"
    return "under 1%" if 0.0 < share < 0.005 else f"{share:.0%}"


def _shares(attribute: Attribute, profile: dict[str, Any]) -> list[tuple[str, float | None]]:
    """Return the share of each that the attribute may be; empty for a number."""
    choices = choices_of(attribute)
    if choices and not profile["shares"]:  # A yes or no without codes has a mean only.
        share = profile["mean"]
        return [("no", 1.0 - share), ("yes", share)]
    return [(label, profile["shares"].get(str(code))) for code, label in choices.items()]
