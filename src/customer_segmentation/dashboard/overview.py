"""The first page: how the bank's customers and the model are today."""

from datetime import UTC, datetime, timedelta
from typing import Any

import streamlit as st

from customer_segmentation.dashboard.service import (
    read_drift,
    read_models,
    read_segments,
    read_sizes,
    refusals_told,
)
from customer_segmentation.dashboard.style import (
    LEVELS,
    bars,
    colour_of,
    number_of,
    separation_in_words,
    stability_in_words,
    title_of,
)


def page() -> None:
    """Show sizes, changes, the active model and drift at a glance."""
    st.title("Overview")
    with refusals_told():
        found, models, drift = read_segments(), read_models(), read_drift()
        active = next(model for model in models if model["is_active"])
        _show_figures(found, active, drift)
        _show_sizes(found)
        activated = datetime.fromisoformat(active["created_at"])
        _show_table(
            found["segments"],
            last_week=read_sizes(datetime.now(UTC) - timedelta(days=7)),
            last_version=read_sizes(activated),
        )
        st.write(
            f"{stability_in_words(active['quality']['stability'])} "
            f"{separation_in_words(active['quality']['silhouette'])} "
            f"Drift is {LEVELS[drift['level']]}."
        )


def _show_figures(found: dict[str, Any], active: dict[str, Any], drift: dict[str, Any]) -> None:
    age = datetime.now(UTC) - datetime.fromisoformat(active["created_at"])
    quality = active["quality"]
    columns = st.columns(5)
    columns[0].metric("Customers", number_of(found["customers"]))
    columns[1].metric("Active model", f"version {active['version']}")
    columns[2].metric("Its age", f"{age.days} days" if age.days else f"{age.seconds // 3600} hours")
    columns[3].metric(
        "Stability",
        f"{quality['stability']:.2f}",
        help="How much trainings on samples agree (adjusted Rand index); 1 is fully.",
    )
    columns[4].metric(
        "Drift",
        drift["level"],
        help=f"Population stability index {drift['psi']:.3f}; below 0.1 stable, from 0.25 large.",
    )


def _show_sizes(found: dict[str, Any]) -> None:
    shown = [segment for segment in found["segments"] if segment["size"] is not None]
    st.subheader("Customers by segment")
    st.plotly_chart(
        bars(
            [title_of(segment) for segment in shown],
            [segment["size"] for segment in shown],
            [colour_of(segment["number"]) for segment in shown],
            [f"{segment['size']:,} ({segment['share']:.1%})" for segment in shown],
        ),
        key="sizes",
    )


def _show_table(
    segments: list[dict[str, Any]], last_week: dict[int, int], last_version: dict[int, int]
) -> None:
    st.subheader("What to do about each")
    st.dataframe(
        [
            {
                "segment": title_of(segment),
                "customers": number_of(segment["size"]),
                "in seven days": _change(segment, last_week),
                "since the last version": _change(segment, last_version),
                "business strategy": segment["strategies"][0]["text"],
                "what they are like": segment["summary"],
            }
            for segment in segments
        ],
        hide_index=True,
    )


def _change(segment: dict[str, Any], before: dict[int, int]) -> str:
    """Return by how many customers a segment has grown."""
    if segment["size"] is None:
        return "hidden"
    if not before:
        return "new"
    return f"{segment['size'] - before.get(segment['number'], 0):+,}"
