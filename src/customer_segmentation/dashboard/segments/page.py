"""What each segment's customers are like, and what people call it and do about it."""

from functools import partial
from html import escape
from typing import Any

import streamlit as st

from customer_segmentation.dashboard import parts
from customer_segmentation.dashboard.address_bar import follow, said, say, tabs
from customer_segmentation.dashboard.data.exporting import export
from customer_segmentation.dashboard.segments.compare import show_comparison
from customer_segmentation.dashboard.segments.distributions import show_distribution
from customer_segmentation.dashboard.segments.edit import edit_words
from customer_segmentation.dashboard.segments.fairness import show_fairness
from customer_segmentation.dashboard.segments.map import show_map
from customer_segmentation.dashboard.segments.profile import show_profile
from customer_segmentation.dashboard.service import read_segments, refusals_told
from customer_segmentation.dashboard.style import number_of, share_of, title_of

_CHOSEN = "segment"
_VIEWS = {
    "": "Profile",
    "distributions": "Distributions",
    "compare": "Compare",
    "map": "Map",
    "fairness": "Fairness",
    "strategies": "Strategies",
}
"""By what the address says, the tab."""


def page() -> None:
    """Show a segment, and all segments side by side."""
    st.title("Segments")
    with refusals_told():
        segments = read_segments()["segments"]
        segment = _choose(segments)
        if segment is None:
            return
        profile, spread, compare, where, fair, words = tabs(_VIEWS, "segments-view")
        # Only what is looked at is asked for and drawn.
        if profile.open:
            with profile:
                _show_head(segment)
                show_profile(segment)
        if spread.open:
            with spread:
                show_distribution(segment)
        if compare.open:
            with compare:
                show_comparison(segments)
        if where.open:
            with where:
                show_map(segments)
        if fair.open:
            with fair:
                show_fairness(segments)
        if words.open:
            with words:
                edit_words(segment)


def _choose(segments: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Show the segments; return the one that is chosen, None where the address asks for another."""
    by_number = {str(segment["number"]): segment for segment in segments}

    def read(asked: str) -> str | None:
        return asked if asked in by_number else None if asked else next(iter(by_number))

    follow("segment", _CHOSEN, read)
    chosen = st.pills(
        "Segment",
        list(by_number),
        format_func=lambda number: parts.literal(title_of(by_number[number])),
        required=True,
        label_visibility="collapsed",
        key=_CHOSEN,
    )
    if chosen is None:
        st.info("There is no such segment. Choose one of these.", icon=":material/groups:")
        return None
    # The first one is shown where the address names none.
    if chosen != read("") or said("segment"):
        say("segment", chosen)
    return by_number[chosen]


def _show_head(segment: dict[str, Any]) -> None:
    parts.tiles(
        [
            parts.Tile("Customers", number_of(segment["size"])),
            parts.Tile("Share", share_of(segment["share"]), "of all customers"),
            parts.Tile("Outliers", number_of(segment["outliers"]), "far from every segment"),
        ]
    )
    if segment["description"]:
        # Markdown would make links of the addresses in it.
        st.html(f"<p>{escape(segment['description'])}</p>")
    st.write(parts.literal(segment["summary"]))
    st.download_button(
        "Download the audience",
        data=partial(export, {"segment": segment["number"]}, "csv"),
        file_name=f"segment-{segment['number']}.csv",
        mime="text/csv",
        on_click="ignore",
        icon=":material/download:",
        help=f"Everybody in {parts.literal(title_of(segment))}, with the strategy, as CSV.",
    )
