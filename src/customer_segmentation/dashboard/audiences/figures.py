"""An audience in figures: how many, what they are like, whom it shares, how it has grown."""

from typing import Any

import streamlit as st

from customer_segmentation.dashboard import parts, plots
from customer_segmentation.dashboard.schema import declared
from customer_segmentation.dashboard.service import service
from customer_segmentation.dashboard.style import (
    EVERYBODY,
    choices_of,
    colour_of,
    labelled,
    number_of,
    share_of,
)
from customer_segmentation.domain.attributes import NOT_KNOWN, Attribute

_LARGE = 1_000
_TOLD = 3


def show_count(count: dict[str, Any], titles: dict[int, str]) -> None:
    """Show how many customers are meant, and in which segments they are."""
    of_all = f"of {number_of(count['of'])} customers"
    parts.tiles(
        [
            parts.Tile("Customers", number_of(count["customers"])),
            parts.Tile("Share", share_of(count["share"]), of_all),
        ]
    )
    if count["segments"]:
        st.markdown("**By segment**")
        show_segments(count, titles)


def show_segments(count: dict[str, Any], titles: dict[int, str]) -> None:
    """Show in which segments customers are who were counted."""
    parts.bars(
        [
            parts.Bar(
                titles.get(one["segment"], str(one["segment"])),
                one["customers"] or 0,
                number_of(one["customers"]),
                colour_of(one["segment"]),
            )
            for one in count["segments"]
        ]
    )


def show_profile(audience: dict[str, Any], titles: dict[int, str]) -> None:
    """Show what an audience's customers are like, beside everybody."""
    profile = service().get_audience_profile(audience["id"])
    if not profile["attributes"]:
        st.info("There are too few customers in this audience to show more.")
        return
    chart, table = st.columns([5, 7], gap="large")
    with chart:
        st.subheader("By segment")
        show_segments(profile["count"], titles)
    with table:
        st.subheader("Compared with all customers")
        st.caption("The mean of those of whom it is known, or the shares of the commonest values.")
        rows = [
            {
                "attribute": labelled(attribute),
                "audience": _usual(attribute, one["mean"], one["shares"]),
                "everybody": _usual(attribute, one["mean_of_all"], one["shares_of_all"]),
            }
            for attribute, one in declared(profile["attributes"])
        ]
        parts.table(rows)
        parts.download(rows, f"audience-{audience['id']}-profile")


def show_overlaps(audience: dict[str, Any]) -> None:
    """Show how many customers each other audience has too, the largest share first."""
    found = service().get_audience_overlaps(audience["id"])["overlaps"]
    if not found:
        st.info("There is no other audience.")
        return
    st.caption("The share of this audience's customers who are in the other one too.")
    found.sort(key=lambda one: -(one["share"] or 0.0))
    parts.bars(
        [
            parts.Bar(
                one["name"],
                one["share"] or 0.0,
                f"{number_of(one['customers'])}, {share_of(one['share'])}"
                if one["customers"] is not None
                else number_of(None),
                EVERYBODY,
            )
            for one in found
        ],
        most=1.0,
    )
    rows = [{name: one[name] for name in ("name", "customers", "share")} for one in found]
    parts.download(rows, f"audience-{audience['id']}-overlaps")


def show_sizes(audience: dict[str, Any]) -> None:
    """Show how many customers an audience had on each day since it was saved."""
    sizes = service().get_audience_sizes(audience["id"])["sizes"]
    st.caption("Customers by day, in UTC, from the day when the audience was saved.")
    days = [one["day"] for one in sizes]
    line = {audience["name"]: (0, [one["customers"] for one in sizes])}
    what = f"Customers of {audience['name']} by day"
    plots.show(plots.over_time(days, line), f"audience-{audience['id']}-size", 360, what)
    parts.download(sizes, f"audience-{audience['id']}-sizes")


def _usual(attribute: Attribute, mean: float | None, shares: dict[str, float]) -> str:
    """Return a mean for people; of codes and categories, the shares of the commonest."""
    if shares:
        names = dict(zip(attribute.labels.values(), choices_of(attribute).values(), strict=True))
        if len(shares) == 2:
            label, share = [*shares.items()][1]
            return f"{share_of(share)} {names[label]}"
        most = sorted(shares, key=lambda label: -shares[label])[:_TOLD]
        return ", ".join(f"{names[label]} {share_of(shares[label])}" for label in most)
    if mean is None:
        return NOT_KNOWN
    if choices_of(attribute):
        return f"{share_of(mean)} yes"
    return number_of(mean, 0 if abs(mean) >= _LARGE else 1)
