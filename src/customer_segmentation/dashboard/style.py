"""Colours, numbers and names, the same on every page."""

from typing import Any

import plotly.graph_objects as go

from customer_segmentation.domain.features import FEATURE_BY_NAME, Feature, Kind

_COLOURS = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#CC79A7",
    "#56B4E9",
    "#D55E00",
    "#999999",
    "#F0E442",
)
"""Safe for colour-blind people. Source: Okabe, Ito 2008, "Color Universal Design"."""

LEVELS = {
    "stable": "stable: the customers are like those that the model was trained on",
    "moderate": "moderate: look at the attributes that moved",
    "large": "large: a retrain is due",
}


def stability_in_words(stability: float) -> str:
    """Return what a mean adjusted Rand index over bootstraps means.

    Source: Steinley 2004, doi:10.1037/1082-989X.9.3.386, who calls 0.9 excellent, 0.8 good and 0.65
    moderate.
    """
    if stability >= 0.9:
        return "The segments are stable: trainings on samples find the same ones."
    if stability >= 0.65:
        return "The segments are moderately stable: trainings on samples differ at their borders."
    return "The segments are not stable: trainings on samples find others, so do not rely on them."


def separation_in_words(silhouette: float) -> str:
    """Return what a mean silhouette means.

    Source: Kaufman and Rousseeuw 1990, "Finding Groups in Data", table 4: above 0.5 a reasonable
    structure, above 0.25 a weak one.
    """
    if silhouette > 0.5:
        return "They are clearly apart."
    if silhouette > 0.25:
        return "They overlap, as customers' habits do."
    return "They hardly differ at their borders."


def colour_of(segment: int) -> str:
    """Return a segment's colour, on every page the same."""
    return _COLOURS[segment % len(_COLOURS)]


def label_of(name: str) -> str:
    """Return an attribute's name for people."""
    return name.replace("_", " ").capitalize()


def number_of(value: float | None, digits: int = 0) -> str:
    """Return a number with separators of thousands; a hidden one as such."""
    return "hidden" if value is None else f"{value:,.{digits}f}"


def value_of(name: str, value: float) -> str:
    """Return an attribute's value with its unit, or what its code stands for."""
    feature: Feature = FEATURE_BY_NAME[name]
    if feature.codes and float(value).is_integer():
        return feature.codes.get(int(value), str(value))
    digits = 0 if float(value).is_integer() else 2
    # Which currency it is, the bank knows and the service does not.
    unit = "" if feature.kind is Kind.AMOUNT else feature.unit
    return f"{value:,.{digits}f} {unit}".strip()


def plain(figure: go.Figure, height: int) -> go.Figure:
    """Return a figure without decoration."""
    figure.update_layout(
        height=height,
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        legend={"orientation": "h", "y": -0.15},
    )
    return figure


def bars(labels: list[str], values: list[float], colours: list[str], texts: list[str]) -> go.Figure:
    """Return horizontal bars, the first on top."""
    figure = go.Figure(
        go.Bar(
            x=values,
            y=labels,
            orientation="h",
            marker_color=colours,
            text=texts,
            hovertemplate="%{y}: %{text}<extra></extra>",
        )
    )
    figure.update_yaxes(autorange="reversed")
    return plain(figure, 60 + 34 * len(labels))


def title_of(segment: dict[str, Any]) -> str:
    """Return a segment's number and name."""
    return f"{segment['number']}: {segment['name']}"
