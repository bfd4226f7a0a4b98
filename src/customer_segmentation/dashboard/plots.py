"""Plots that are more than bars: distributions, profiles side by side, maps, flows and curves."""

import textwrap
from dataclasses import dataclass
from html import escape
from typing import Any

import plotly.graph_objects as go
import streamlit as st

from customer_segmentation.dashboard.style import (
    EVERYBODY,
    colour_of,
    dash_of,
    faint,
    symbol_of,
)

_CONFIG = {
    "displayModeBar": "hover",
    "modeBarButtons": [["toImage"]],
    "displaylogo": False,
    "scrollZoom": False,
    "responsive": True,
}
_GRID = "rgba(128,138,148,0.25)"
_LINE = 20
_MARGIN = {"l": 8, "r": 8, "t": 12, "b": 8}

NEW, GONE = -1, -2
"""In place of a segment's number, for customers who were in none, or are in none any more."""

Points = list[dict[str, Any]]


def show(figure: go.Figure, key: str, height: int, alt: str) -> None:
    """Show a figure without decoration, and with a button that downloads it as PNG.

    Args:
        figure: what to show.
        key: tells it from others on the page, and names the file.
        height: in pixels.
        alt: says what it shows to who does not see it.
    """
    figure.update_layout(
        height=height,
        margin=_MARGIN,
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        legend={"orientation": "h", "x": 0, "itemsizing": "constant", "font": {"size": 13}},
        font={"size": 13},
        separators=".,",
    )
    if figure.layout.legend.y is None:
        figure.update_layout(legend={"y": 1.02, "yanchor": "bottom"})
    for update in (figure.update_xaxes, figure.update_yaxes):
        update(gridcolor=_GRID, automargin=True, fixedrange=True, tickfont={"size": 13})
    # Twice as many points are sharp in print too.
    config = {**_CONFIG, "toImageButtonOptions": {"filename": key, "scale": 2}}
    st.plotly_chart(figure, key=key, config=config, alt=alt)


def columns(groups: list[str], shares: dict[str, tuple[str, list[float | None]]]) -> go.Figure:
    """Return columns side by side: by name, a colour and a share for each group."""
    figure = go.Figure(
        [
            go.Bar(
                x=groups,
                y=values,
                name=_literal(name),
                marker_color=colour,
                hovertemplate="%{x}: %{y:.1%}<extra>%{fullData.name}</extra>",
            )
            for name, (colour, values) in shares.items()
        ]
    )
    figure.update_layout(bargap=0.25, barmode="group")
    figure.update_xaxes(
        type="category",
        showgrid=False,
        tickvals=groups,
        ticktext=[_literal(group) for group in groups],
    )
    figure.update_yaxes(tickformat=".0%", rangemode="tozero")
    return figure


def radar(profiles: dict[int, tuple[str, list[tuple[str, float]]]]) -> go.Figure:
    """Return profiles around a circle: by segment, its title, and attributes with deviations."""
    figure = go.Figure()
    for number, (title, deviations) in profiles.items():
        around = [*deviations, deviations[0]]
        figure.add_trace(
            go.Scatterpolar(
                r=[value for _, value in around],
                theta=[_literal(label).replace(" ", "<br>") for label, _ in around],
                name=_literal(title),
                mode="lines+markers",
                line={"color": colour_of(number), "width": 2, "dash": dash_of(number)},
                marker={"symbol": symbol_of(number), "size": 7},
                fill="toself",
                fillcolor=faint(colour_of(number), 0.08),
                hovertemplate="%{theta}: %{r:+.2f}<extra>%{fullData.name}</extra>",
            )
        )
    # A label beside the circle has little room.
    figure.update_layout(legend={"y": -0.12, "yanchor": "top"})
    figure.update_polars(
        domain={"x": [0.16, 0.84], "y": [0.04, 0.96]},
        bgcolor="rgba(0,0,0,0)",
        radialaxis={"gridcolor": _GRID, "tickformat": "+.1f", "nticks": 5, "showline": False},
        angularaxis={"gridcolor": _GRID},
    )
    return figure


def scatter(points: Points, centroids: Points, titles: dict[int, str]) -> go.Figure:
    """Return a map: a dot for each point and a large sign for each centroid."""
    figure = go.Figure()
    for number, title in titles.items():
        own = [point for point in points if point["segment"] == number]
        figure.add_trace(
            go.Scattergl(
                x=[point["x"] for point in own],
                y=[point["y"] for point in own],
                name=_literal(title),
                mode="markers",
                marker={
                    "color": faint(colour_of(number), 0.55),
                    "symbol": symbol_of(number),
                    "size": 6,
                },
                hovertemplate="%{fullData.name}<extra></extra>",
            )
        )
    named = [point for point in centroids if point["segment"] in titles]
    figure.add_trace(
        go.Scatter(
            x=[point["x"] for point in named],
            y=[point["y"] for point in named],
            mode="markers",
            showlegend=False,
            marker={
                "color": [colour_of(point["segment"]) for point in named],
                "symbol": [symbol_of(point["segment"]) for point in named],
                "size": 19,
                "line": {"color": "white", "width": 2},
            },
            hovertext=[f"Centre of {_literal(titles[point['segment']])}" for point in named],
            hovertemplate="%{hovertext}<extra></extra>",
        )
    )
    figure.update_xaxes(showticklabels=False, zeroline=False, showgrid=False)
    figure.update_yaxes(showticklabels=False, zeroline=False, showgrid=False)
    return figure


def sankey(matrix: dict[str, dict[str, int | None]], titles: dict[int, str]) -> go.Figure:
    """Return who moves from where to where: customers by segment before and by segment after."""
    befores = [int(number) for number in matrix]
    afters = sorted({int(number) for row in matrix.values() for number in row})
    flows = [
        (befores.index(int(left)), len(befores) + afters.index(int(entered)), count, int(left))
        for left, row in matrix.items()
        for entered, count in row.items()
        if count
    ]
    ends = [*befores, *afters]
    return go.Figure(
        go.Sankey(
            node={
                "label": [_literal(titles.get(number, str(number))) for number in ends],
                "color": [_colour(number) for number in ends],
                "pad": 22,
                "thickness": 16,
                "line": {"width": 0},
                "hovertemplate": "%{label}: %{value:,}<extra></extra>",
            },
            link={
                "source": [flow[0] for flow in flows],
                "target": [flow[1] for flow in flows],
                "value": [flow[2] for flow in flows],
                "color": [faint(_colour(flow[3]), 0.35) for flow in flows],
                "hovertemplate": "%{source.label} → %{target.label}: %{value:,}<extra></extra>",
            },
            valueformat=",",
            textfont={"size": 14},
        )
    )


def curve(xs: list[int], lines: dict[str, list[float | None]], marked: int | None) -> go.Figure:
    """Return curves over whole numbers, one of which may be marked."""
    figure = go.Figure(
        [
            go.Scatter(
                x=xs,
                y=values,
                name=name,
                mode="lines+markers",
                line={"color": colour_of(place), "dash": dash_of(place)},
                marker={"symbol": symbol_of(place), "size": 8},
            )
            for place, (name, values) in enumerate(lines.items())
        ]
    )
    if marked is not None:
        figure.add_vline(marked, line={"color": EVERYBODY, "dash": "dash"})
    figure.update_xaxes(title="number of segments", dtick=1)
    return figure


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure with two ranges around it.

    Attributes:
        name: what it is of.
        colour: the number that colours it.
        value: the figure.
        ends: of the narrow range.
        faint_ends: of the wide one.
    """

    name: str
    colour: int
    value: float
    ends: tuple[float, float]
    faint_ends: tuple[float, float]


def intervals(shown: list[Interval], unit: str) -> go.Figure:
    """Return figures with their ranges, the first on top, and where nothing is."""
    figure = go.Figure()
    for one in shown:
        colour, name = colour_of(one.colour), _in_lines(one.name)
        for ends, width, opacity in ((one.faint_ends, 9, 0.25), (one.ends, 3, 1.0)):
            figure.add_trace(
                go.Scatter(
                    x=list(ends),
                    y=[name, name],
                    mode="lines",
                    line={"color": faint(colour, opacity), "width": width},
                    hovertemplate=f"{ends[0]:+,.3g} to {ends[1]:+,.3g}<extra></extra>",
                )
            )
        figure.add_trace(
            go.Scatter(
                x=[one.value],
                y=[name],
                mode="markers",
                marker={"color": colour, "symbol": symbol_of(one.colour), "size": 12},
                hovertemplate=f"{one.value:+,.3g}<extra></extra>",
            )
        )
    figure.add_vline(0, line={"color": EVERYBODY, "dash": "dash"})
    figure.update_layout(showlegend=False)
    figure.update_yaxes(autorange="reversed", showgrid=False)
    figure.update_xaxes(title=_literal(unit), tickformat="+,")
    return figure


def steps(moves: list[tuple[str, int | None]], titles: dict[int, str], until: str) -> go.Figure:
    """Return a way from segment to segment over time.

    Args:
        moves: the moments, as ISO 8601 has them, and the segments that were entered then; None is
            gone.
        titles: of the segments, by number.
        until: to which moment the last one goes.
    """
    names = [
        "gone" if number is None else _in_lines(titles.get(number, f"segment {number}"))
        for _, number in moves
    ]
    colours = [EVERYBODY if number is None else colour_of(number) for _, number in moves]
    signs = ["circle" if number is None else symbol_of(number) for _, number in moves]
    figure = go.Figure(
        go.Scatter(
            x=[*(moment for moment, _ in moves), until],
            y=[*names, names[-1]],
            mode="lines+markers",
            line={"shape": "hv", "color": EVERYBODY, "width": 2},
            # The last point is now, where nothing happens.
            marker={
                "color": [*colours, EVERYBODY],
                "symbol": [*signs, "circle"],
                "size": [*[13] * len(moves), 1],
                "opacity": 1.0,
            },
            hovertemplate="%{y}, %{x}<extra></extra>",
        )
    )
    figure.update_yaxes(type="category", categoryorder="category ascending")
    figure.update_xaxes(type="date", showgrid=True)
    return figure


def _in_lines(text: str) -> str:
    """Return words beside a plot, which on a phone has little room, in short lines."""
    return "<br>".join(_literal(line) for line in textwrap.wrap(text, _LINE))


def over_time(days: list[str], lines: dict[str, tuple[int, list[int | None]]]) -> go.Figure:
    """Return sizes over days: by name, the number that colours it and a size for each day."""
    figure = go.Figure(
        [
            go.Scatter(
                x=days,
                y=sizes,
                name=_literal(name),
                mode="lines+markers",
                line={"color": colour_of(number), "width": 2, "dash": dash_of(number)},
                marker={"symbol": symbol_of(number), "size": 7},
                hovertemplate="%{x|%d %b %Y}: %{y:,}<extra>%{fullData.name}</extra>",
            )
            for name, (number, sizes) in lines.items()
        ]
    )
    figure.update_layout(showlegend=len(lines) > 1)
    figure.update_xaxes(type="date", tickformat="%d %b<br>%Y", showgrid=False)
    figure.update_yaxes(tickformat=",", rangemode="tozero")
    return figure


def _colour(number: int) -> str:
    return EVERYBODY if number in (NEW, GONE) else colour_of(number)


def _literal(text: str) -> str:
    """Return people's own words for where Plotly reads HTML, so that it shows them as is."""
    return escape(text, quote=False)
