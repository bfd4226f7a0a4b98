"""How an explained assignment looks: segment, confidence, what decided, what would change it."""

import html
from typing import Any

import plotly.graph_objects as go
import streamlit as st

from customer_segmentation.dashboard.style import (
    bars,
    colour_of,
    label_of,
    number_of,
    plain,
    title_of,
    value_of,
)

_TOLD = 8


def show_assignment(found: dict[str, Any], names: dict[int, str], key: str) -> None:
    """Show which segment someone is in, and why."""
    segment, why = found["segment"], found["explanation"]
    st.markdown(
        f"<h3 style='border-left: 0.5rem solid {colour_of(segment['number'])}; "
        f"padding-left: 0.6rem'>{html.escape(title_of(segment))}</h3>",
        unsafe_allow_html=True,
    )
    confidence, action = st.columns([1, 3])
    confidence.metric(
        "Confidence",
        f"{why['confidence']:.0%}",
        help="0 % is half way between two segments, 100 % amid one.",
    )
    channel = found["next_best_action"]["channel"]
    where = "on any channel" if channel == "any" else f"by {channel}"
    action.success(f"**{found['next_best_action']['text']}**, {where}", icon=":material/lightbulb:")
    if found["is_outlier"]:
        st.warning("Far from every segment: unlike nearly all customers.")
    near, pulls = st.columns(2)
    with near:
        st.markdown("**Distance to each segment** (shorter is nearer)")
        st.plotly_chart(_distances(why["distances"], names), key=f"{key}-distances")
    with pulls:
        st.markdown(f"**What decided** against {names.get(why['other'], why['other'])}")
        st.plotly_chart(_pulls(why, segment["number"]), key=f"{key}-pulls")
    if why["changes"]:
        st.markdown("**What would move it**")
        for change in why["changes"]:
            st.markdown(
                f"- {label_of(change['attribute'])} from "
                f"{value_of(change['attribute'], change['value'])} to "
                f"**{value_of(change['attribute'], change['needed'])}** leads to "
                f"*{names.get(change['segment'], change['segment'])}*"
            )


def show_history(changes: list[dict[str, Any]], names: dict[int, str]) -> None:
    """Show a customer's way from segment to segment."""
    st.dataframe(
        [
            {
                "when (UTC)": change["changed_at"][:19].replace("T", " "),
                "why": change["cause"],
                "from": names.get(change["from_segment"], "-"),
                "to": names.get(change["to_segment"], "-"),
                "model version": change["model_version"],
            }
            for change in reversed(changes)
        ],
        hide_index=True,
    )


def names_of(segments: list[dict[str, Any]]) -> dict[int, str]:
    """Return segments' titles by number."""
    return {segment["number"]: title_of(segment) for segment in segments}


def _distances(distances: dict[str, float], names: dict[int, str]) -> go.Figure:
    ordered = sorted(((float(d), int(n)) for n, d in distances.items()))
    return bars(
        [names.get(number, str(number)) for _, number in ordered],
        [distance for distance, _ in ordered],
        [colour_of(number) for _, number in ordered],
        [number_of(distance, 2) for distance, _ in ordered],
    )


def _pulls(why: dict[str, Any], number: int) -> go.Figure:
    strongest = why["contributions"][:_TOLD]
    figure = bars(
        [f"{label_of(c['attribute'])}: {value_of(c['attribute'], c['value'])}" for c in strongest],
        [c["pull"] for c in strongest],
        [colour_of(number if c["pull"] > 0 else why["other"]) for c in strongest],
        [f"{c['pull']:+.2f}" for c in strongest],
    )
    return plain(figure, 60 + 34 * _TOLD)
