"""The first page: how the customers and the model are today."""

from datetime import UTC, datetime, timedelta
from html import escape
from typing import Any

import streamlit as st

from customer_segmentation.dashboard import parts
from customer_segmentation.dashboard.schema import declared
from customer_segmentation.dashboard.service import (
    read_drift,
    read_growth,
    read_model,
    read_models,
    read_segments,
    refusals_told,
)
from customer_segmentation.dashboard.style import (
    age_of,
    colour_of,
    difference_of,
    moment_of,
    number_of,
    share_of,
    strategy_of,
    title_of,
)
from customer_segmentation.dashboard.words import (
    DRIFT,
    Grade,
    separation_meaning,
    stability_meaning,
)
from customer_segmentation.domain.plurals import counted

_WEEK = timedelta(days=7)
_COLUMNS = 4
_TOLD = 3
_JUST_BEFORE = timedelta(seconds=1)

Growth = dict[int, int | None]


def page() -> None:
    """Show sizes, changes, the active model and drift at a glance."""
    st.title("Overview")
    with refusals_told():
        found, models = read_segments(), read_models()
        active = read_model(found["model_version"])
        if not found["customers"]:
            st.info("There is no customer yet. Bring some on the page *Data*.")
            return
        drift = read_drift()
        week = _growth_since(_a_week_ago(), models)
        tiles = _tiles(found, active, drift, week)
        parts.lead(_sentence(found, tiles))
        parts.tiles(tiles)
        st.subheader("Segments")
        _show_shares(found["segments"])
        _show_segments(found["segments"], week, _growth_since_activation(active))


def _sentence(found: dict[str, Any], tiles: list[parts.Tile]) -> str:
    """Return how things are, in a sentence that agrees with every tile."""
    grades = {tile.meaning.grade for tile in tiles if tile.meaning is not None}
    state = "all is well"
    if Grade.POOR in grades:
        state = "the model needs attention"
    elif Grade.FAIR in grades:
        state = "the model is usable, with something to look at"
    customers = counted(found["customers"], "customer")
    return f"{customers} in {counted(len(found['segments']), 'segment')}, and {state}."


def _tiles(
    found: dict[str, Any], active: dict[str, Any], drift: dict[str, Any], week: Growth | None
) -> list[parts.Tile]:
    quality = active["quality"]
    grown = None if week is None or None in week.values() else sum(n or 0 for n in week.values())
    if week is None:
        grown_note = "All are new in the last seven days."
    elif grown is None:
        grown_note = "How many came in seven days is hidden."
    else:
        grown_note = f"{difference_of(grown).capitalize()} in seven days."
    return [
        parts.Tile("Customers", number_of(found["customers"]), grown_note),
        parts.Tile(
            "Active model",
            f"version {active['version']}",
            f"{age_of(active['created_at']).capitalize()} old: trained on "
            f"{counted(active['customers'], 'customer')}, "
            f"{moment_of(active['created_at'], st.context.timezone)}.",
        ),
        parts.Tile(
            "Stability",
            f"{quality['stability']:.2f}",
            "1 is full agreement.",
            stability_meaning(quality["stability"]),
        ),
        parts.Tile(
            "Separation",
            f"{quality['silhouette']:.2f}",
            "Silhouette, \N{MINUS SIGN}1 to 1.",
            separation_meaning(quality["silhouette"]),
        ),
        parts.Tile(
            "Drift",
            DRIFT[drift["level"]].short,
            f"Stability index {drift['psi']:.3f}; from 0.25 large.",
            DRIFT[drift["level"]],
        ),
    ]


def _show_shares(segments: list[dict[str, Any]]) -> None:
    """Show all customers as one bar."""
    told = [segment for segment in segments if segment["size"]]
    spans = "".join(
        f'<span style="--c:{colour_of(segment["number"])};flex:{segment["size"]}"></span>'
        for segment in told
    )
    entries = [(colour_of(s["number"]), f"{title_of(s)}, {share_of(s['share'])}") for s in told]
    st.html(f'<div class="whole" aria-hidden="true">{spans}</div>{parts.key(entries)}')


def _show_segments(
    segments: list[dict[str, Any]], week: Growth | None, version: Growth | None
) -> None:
    for start in range(0, len(segments), _COLUMNS):
        some = segments[start : start + _COLUMNS]
        for column, segment in zip(st.columns(_COLUMNS), some, strict=False):
            with column:
                st.html(_card(segment, week, version))
                parts.link("Segments", "Look closer", "arrow_forward", segment=segment["number"])


def _card(segment: dict[str, Any], week: Growth | None, version: Growth | None) -> str:
    number = segment["number"]
    others = len(segment["strategies"]) - 1
    more = f' <span class="soft">and {others} more</span>' if others > 0 else ""
    return (
        f'<div class="card segment" style="--c:{colour_of(number)}">'
        f"<h3>{escape(title_of(segment))}</h3>"
        f'<div class="count">{number_of(segment["size"])}'
        f"<small>{share_of(segment['share'])} of all</small></div>"
        f'<p class="soft">{escape(_character(segment))}</p>'
        f"<dl><dt>in seven days</dt><dd>{_change(number, week)}</dd>"
        f"<dt>since the last version</dt><dd>{_change(number, version)}</dd></dl>"
        f'<p class="todo">{escape(strategy_of(segment))}{more}</p></div>'
    )


def _character(segment: dict[str, Any]) -> str:
    """Return which attributes tell a segment apart most, and which way."""
    clear = [one for one in segment["profile"] if one["is_clear"]]
    strongest = sorted(clear, key=lambda one: -abs(one["deviations"] or 0.0))
    told = [
        f"{'↑' if (one['deviations'] or 0.0) > 0 else '↓'} {attribute.title}"
        for attribute, one in declared(strongest)
    ]
    return ", ".join(told[:_TOLD]) or "Much like everybody else."


def _change(number: int, growth: Growth | None) -> str:
    return "new" if growth is None else difference_of(growth.get(number, 0))


def _a_week_ago() -> datetime:
    # Of the minute, so that what is found is found again within it.
    return datetime.now(UTC).replace(second=0, microsecond=0) - _WEEK


def _growth_since(moment: datetime, models: list[dict[str, Any]]) -> Growth | None:
    """Return each segment's growth since a moment, None where there was no model yet."""
    first = datetime.fromisoformat(models[-1]["created_at"])
    return None if first > moment else read_growth(moment)


def _growth_since_activation(active: dict[str, Any]) -> Growth | None:
    """Return each segment's growth since the active version took over, None for the first one."""
    last = active["activations"][-1]
    if last["previous"] is None:
        return None
    return read_growth(datetime.fromisoformat(last["activated_at"]) - _JUST_BEFORE)
