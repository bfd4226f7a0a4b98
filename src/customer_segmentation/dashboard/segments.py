"""What each segment's customers are like, and what people call it and do about it."""

from functools import partial
from typing import Any

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from customer_segmentation.dashboard.data import export
from customer_segmentation.dashboard.service import (
    forget,
    read_sample,
    read_segments,
    refusals_told,
    service,
)
from customer_segmentation.dashboard.style import (
    bars,
    colour_of,
    label_of,
    number_of,
    plain,
    title_of,
    value_of,
)
from customer_segmentation.domain.features import FEATURE_BY_NAME, FEATURES
from customer_segmentation.files.formats import Format

_SAMPLE = 1_000
_SAVED = "segment whose words were saved"


def page() -> None:
    """Show a segment's profile, its words, and all segments side by side."""
    st.title("Segments")
    with refusals_told():
        segments = read_segments()["segments"]
        chosen = st.radio("Segment", segments, format_func=title_of, horizontal=True)
        profile, compare, where = st.tabs(["Profile", "Compare", "Map"])
        with profile:
            _show_profile(chosen)
            _edit_words(chosen)
        with compare:
            _show_comparison(segments)
        with where:
            _show_map(segments)


def _show_profile(segment: dict[str, Any]) -> None:
    left, middle, right = st.columns(3)
    left.metric("Customers", number_of(segment["size"]))
    middle.metric("Share", "hidden" if segment["share"] is None else f"{segment['share']:.1%}")
    right.metric("Unlike the others", number_of(segment["outliers"]))
    if not segment["profile"]:
        st.info("There are too few customers in this segment to show more.")
        return
    st.write(segment["summary"])
    st.download_button(
        "Download the audience",
        data=partial(export, segment["number"], Format.CSV),
        file_name=f"segment-{segment['number']}.csv",
        mime="text/csv",
        on_click="ignore",
        icon=":material/download:",
    )
    strongest = sorted(segment["profile"], key=lambda a: -abs(a["deviations"]))
    chart, table = st.columns(2)
    with chart:
        st.markdown("**Difference from everybody**, in standard deviations")
        st.plotly_chart(
            bars(
                [label_of(a["attribute"]) for a in strongest],
                [a["deviations"] for a in strongest],
                [colour_of(segment["number"])] * len(strongest),
                [f"{a['deviations']:+.2f}" for a in strongest],
            ),
            key="profile",
        )
    with table:
        st.markdown("**In users' units**")
        st.dataframe(
            [
                {
                    "attribute": label_of(a["attribute"]),
                    "mean": number_of(a["mean"], 2),
                    "typical": _typical(a),
                }
                for a in strongest
            ],
            hide_index=True,
            height=60 + 34 * len(strongest),
        )


def _typical(attribute: dict[str, Any]) -> str:
    """Return the middle half of the customers, or the shares of an attribute's codes."""
    name = attribute["attribute"]
    codes = FEATURE_BY_NAME[name].codes
    if codes:
        shares = {int(code): share for code, share in attribute["shares"].items()}
        told = (
            f"{label} {'hidden' if shares.get(code) is None else format(shares[code], '.0%')}"
            for code, label in codes.items()
        )
        return ", ".join(told)
    low, high = attribute["lower_quartile"], attribute["upper_quartile"]
    return f"{value_of(name, low)} to {value_of(name, high)}"


def _edit_words(segment: dict[str, Any]) -> None:
    with st.expander("Name, description and strategies"), st.form(f"words-{segment['number']}"):
        name = st.text_input("Name", segment["name"], max_chars=200)
        description = st.text_area("Description", segment["description"], max_chars=2000)
        strategies = st.data_editor(
            segment["strategies"], num_rows="dynamic", key=f"strategies-{segment['number']}"
        )
        if st.form_submit_button("Save"):
            with refusals_told():
                service().edit_segment(
                    segment["number"], name=name, description=description, strategies=strategies
                )
                forget()
                # Running the page anew may drop what this run showed last, so the next one tells.
                st.session_state[_SAVED] = segment["number"]
                st.rerun()
    if st.session_state.pop(_SAVED, None) == segment["number"]:
        st.success("Saved; every server shows it within a second.")


def _show_comparison(segments: list[dict[str, Any]]) -> None:
    figure = go.Figure()
    for segment in segments:
        if segment["profile"]:
            figure.add_trace(
                go.Scatter(
                    x=[label_of(a["attribute"]) for a in segment["profile"]],
                    y=[a["deviations"] for a in segment["profile"]],
                    name=title_of(segment),
                    mode="lines+markers",
                    line={"color": colour_of(segment["number"])},
                )
            )
    figure.update_yaxes(title="standard deviations from everybody's mean", zeroline=True)
    st.plotly_chart(plain(figure, 460), key="comparison")


def _show_map(segments: list[dict[str, Any]]) -> None:
    customers = read_sample(_SAMPLE)
    if len(customers) < len(FEATURES):
        st.info("There are too few customers for a map.")
        return
    places = _project(customers)
    figure = go.Figure()
    for segment in segments:
        own = [i for i, c in enumerate(customers) if c["segment"] == segment["number"]]
        figure.add_trace(
            go.Scatter(
                x=places[own, 0],
                y=places[own, 1],
                name=title_of(segment),
                mode="markers",
                marker={"color": colour_of(segment["number"]), "size": 6, "opacity": 0.7},
                text=[f"customer {customers[i]['customer_id']}" for i in own],
                hovertemplate="%{text}<extra></extra>",
            )
        )
    figure.update_xaxes(title="first principal component", showticklabels=False)
    figure.update_yaxes(title="second principal component", showticklabels=False)
    st.plotly_chart(plain(figure, 520), key="map")
    st.write(f"A sample of {len(customers):,} customers, from above their thirteen dimensions.")


def _project(customers: list[dict[str, Any]]) -> np.ndarray:
    """Return each customer's place in the plane of the two greatest variances, (n, 2)."""
    columns = []
    for feature in FEATURES:
        column = np.array([float(c[feature.name]) for c in customers])
        if feature.skewed:
            column = np.sign(column) * np.log1p(np.abs(column))
        columns.append((column - column.mean()) / (column.std() or 1.0))
    table = np.stack(columns, axis=1)
    _, _, axes = np.linalg.svd(table, full_matrices=False)
    return np.asarray(table @ axes[:2].T)
