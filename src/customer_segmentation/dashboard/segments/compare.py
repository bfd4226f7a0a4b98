"""Segments side by side."""

from typing import Any

import streamlit as st

from customer_segmentation.dashboard import parts, plots
from customer_segmentation.dashboard.segments.profile import TRIMMED, mean_of
from customer_segmentation.dashboard.style import labelled, number_of, share_of, titles_of
from customer_segmentation.domain.features import FEATURE_BY_NAME, FEATURE_NAMES

_AROUND = 8


def show_comparison(segments: list[dict[str, Any]]) -> None:
    """Show the segments that are chosen around a circle and in a table."""
    told = {segment["number"]: segment for segment in segments if segment["profile"]}
    if not told:
        st.info("There are too few customers in every segment to show more.")
        return
    titles = titles_of(segments)
    numbers = st.pills(
        "Side by side",
        list(told),
        default=list(told)[:4],
        selection_mode="multi",
        format_func=lambda n: parts.literal(titles[n]),
    )
    if not numbers:
        st.info("Choose at least one segment.")
        return
    chosen = [told[number] for number in numbers]
    circle, table = st.columns([5, 6], gap="large")
    with circle:
        _show_circle(chosen, titles)
    with table:
        st.subheader("What they are like")
        st.caption(f"Means; of a yes or no, the share. {TRIMMED}.")
        parts.table(_rows(chosen, titles))


def _show_circle(chosen: list[dict[str, Any]], titles: dict[int, str]) -> None:
    deviations = {
        segment["number"]: {a["attribute"]: a["trimmed_deviations"] for a in segment["profile"]}
        for segment in chosen
    }
    spread = {name: max(abs(one[name]) for one in deviations.values()) for name in FEATURE_NAMES}
    # Those that tell little apart would only make the circle hard to read.
    strongest = sorted(FEATURE_NAMES, key=lambda name: -spread[name])[:_AROUND]
    around = [name for name in FEATURE_NAMES if name in strongest]
    st.subheader("Compared with all customers")
    st.caption(f"In standard deviations, the {_AROUND} attributes that tell most apart. {TRIMMED}.")
    figure = plots.radar(
        {n: (titles[n], {name: of[name] for name in around}) for n, of in deviations.items()}
    )
    plots.show(figure, "radar", 520, "Segments' differences from everybody, by attribute")


def _rows(chosen: list[dict[str, Any]], titles: dict[int, str]) -> list[dict[str, str]]:
    rows = [
        {"attribute": "Customers"} | {titles[s["number"]]: number_of(s["size"]) for s in chosen},
        {"attribute": "Share"} | {titles[s["number"]]: share_of(s["share"]) for s in chosen},
    ]
    means = {
        segment["number"]: {a["attribute"]: mean_of(a, "trimmed_mean") for a in segment["profile"]}
        for segment in chosen
    }
    rows += [
        {"attribute": labelled(FEATURE_BY_NAME[name])}
        | {titles[n]: of[name] for n, of in means.items()}
        for name in FEATURE_NAMES
    ]
    main = {titles[s["number"]]: s["strategies"][0]["text"] for s in chosen}
    return [*rows, {"attribute": "Strategy"} | main]
