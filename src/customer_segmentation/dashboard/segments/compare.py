"""Segments side by side."""

from typing import Any

import streamlit as st

from customer_segmentation.dashboard import parts, plots
from customer_segmentation.dashboard.schema import declared
from customer_segmentation.dashboard.segments.profile import TRIMMED, mean_of
from customer_segmentation.dashboard.style import (
    label_of,
    labelled,
    number_of,
    share_of,
    strategy_of,
    titles_of,
)
from customer_segmentation.domain.attributes import Attribute, Kind

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
        st.caption(
            f"Means; of a yes or no, the share, and of other categories the commonest. {TRIMMED}."
        )
        parts.table(_rows(chosen, titles))


def _show_circle(chosen: list[dict[str, Any]], titles: dict[int, str]) -> None:
    deviations = {
        segment["number"]: {
            attribute.name: one["trimmed_deviations"] or 0.0
            for attribute, one in _measured(segment)
        }
        for segment in chosen
    }
    attributes = [attribute for attribute, _ in _measured(chosen[0])]
    # Those that tell little apart would only make the circle hard to read.
    strongest = sorted(
        attributes, key=lambda one: -max(abs(of[one.name]) for of in deviations.values())
    )
    around = [attribute for attribute in attributes if attribute in strongest[:_AROUND]]
    if not around:
        return
    which = ""
    if len(around) < len(attributes):
        which = f", the {_AROUND} attributes that tell most apart"
    st.subheader("Compared with all customers")
    st.caption(f"In standard deviations{which}. {TRIMMED}.")
    figure = plots.radar(
        {
            number: (titles[number], [(label_of(one), of[one.name]) for one in around])
            for number, of in deviations.items()
        }
    )
    plots.show(figure, "radar", 520, "Segments' differences from everybody, by attribute")


def _measured(segment: dict[str, Any]) -> list[tuple[Attribute, dict[str, Any]]]:
    """Return the attributes of which there is more or less, and not only another one."""
    return [pair for pair in declared(segment["profile"]) if pair[0].kind is not Kind.NOMINAL]


def _rows(chosen: list[dict[str, Any]], titles: dict[int, str]) -> list[dict[str, str]]:
    rows = [
        {"attribute": "Customers"} | {titles[s["number"]]: number_of(s["size"]) for s in chosen},
        {"attribute": "Share"} | {titles[s["number"]]: share_of(s["share"]) for s in chosen},
    ]
    means = {
        segment["number"]: {
            attribute.name: mean_of(attribute, one, "trimmed_mean")
            for attribute, one in declared(segment["profile"])
        }
        for segment in chosen
    }
    rows += [
        {"attribute": labelled(attribute)}
        | {titles[number]: of[attribute.name] for number, of in means.items()}
        for attribute, _ in declared(chosen[0]["profile"])
    ]
    main = {titles[segment["number"]]: strategy_of(segment) for segment in chosen}
    return [*rows, {"attribute": "Strategy"} | main]
