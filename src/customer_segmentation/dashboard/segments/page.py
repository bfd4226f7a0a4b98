"""What each segment's customers are like, and what people call it and do about it."""

from functools import partial
from typing import Any

import streamlit as st

from customer_segmentation.dashboard import parts
from customer_segmentation.dashboard.data.exporting import export
from customer_segmentation.dashboard.segments.compare import show_comparison
from customer_segmentation.dashboard.segments.distributions import show_distribution
from customer_segmentation.dashboard.segments.edit import edit_words
from customer_segmentation.dashboard.segments.map import show_map
from customer_segmentation.dashboard.segments.profile import show_profile
from customer_segmentation.dashboard.service import read_segments, refusals_told
from customer_segmentation.dashboard.style import number_of, share_of, title_of, titles_of
from customer_segmentation.files.formats import Format


def page() -> None:
    """Show a segment, and all segments side by side."""
    st.title("Segments")
    with refusals_told():
        segments = read_segments()["segments"]
        segment = _choose(segments)
        profile, spread, compare, where, words = st.tabs(
            ["Profile", "Distributions", "Compare", "Map", "Strategies"],
            key="segments-view",
            on_change="rerun",
        )
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
        if words.open:
            with words:
                edit_words(segment)


def _choose(segments: list[dict[str, Any]]) -> dict[str, Any]:
    numbers = [segment["number"] for segment in segments]
    asked = st.query_params.get("segment", "")
    titles = titles_of(segments)
    known = int(asked) if asked.isdigit() and int(asked) in numbers else numbers[0]
    chosen = st.pills(
        "Segment",
        numbers,
        default=known,
        format_func=lambda number: titles[number],
        required=True,
        label_visibility="collapsed",
        key="segment",
    )
    number = known if chosen is None else int(chosen)
    st.query_params["segment"] = str(number)
    return next(segment for segment in segments if segment["number"] == number)


def _show_head(segment: dict[str, Any]) -> None:
    parts.tiles(
        [
            parts.Tile("Customers", number_of(segment["size"])),
            parts.Tile("Share", share_of(segment["share"]), "of all customers"),
            parts.Tile("Outliers", number_of(segment["outliers"]), "far from every segment"),
        ]
    )
    if segment["description"]:
        st.write(segment["description"])
    st.write(segment["summary"].replace("_", " "))
    st.download_button(
        "Download the audience",
        data=partial(export, segment["number"], Format.CSV),
        file_name=f"segment-{segment['number']}.csv",
        mime="text/csv",
        on_click="ignore",
        icon=":material/download:",
        help=f"Everybody in {title_of(segment)}, with the next best action, as CSV.",
    )
