"""How an explained assignment looks: segment, confidence, what decided, what would change it."""

from datetime import UTC, datetime
from html import escape
from typing import Any

import streamlit as st

from customer_segmentation.dashboard import parts, plots
from customer_segmentation.dashboard.schema import declared
from customer_segmentation.dashboard.style import (
    colour_of,
    label_of,
    moment_of,
    number_of,
    signed,
    title_of,
    value_of,
)
from customer_segmentation.domain.segments import ANY_CHANNEL, NO_STRATEGY

_TOLD = 8
_SURE, _DOUBTFUL = 0.3, 0.1
_CAUSES = {
    "added": "Added",
    "updated": "Changed",
    "deleted": "Deleted",
    "retrained": "A new model",
    "rolled back": "Back to an older model",
    "transaction": "A transaction",
    "time": "A day began",
}


def show_assignment(found: dict[str, Any], titles: dict[int, str]) -> None:
    """Show which segment someone is in, what to do, and why."""
    segment, why = found["segment"], found["explanation"]
    st.html(
        f'<div class="card person" style="--c:{colour_of(segment["number"])}">'
        f"<h2>{escape(title_of(segment))}</h2>"
        f"<p>{_action(found['next_best_action'])}</p>"
        f'<p class="soft">{_confidence(why, titles)}</p></div>'
    )
    if found["is_outlier"]:
        st.warning(
            "Far from every segment, unlike nearly all customers: treat this segment with caution.",
            icon=":material/explore_off:",
        )
    near, pulls = st.columns(2, gap="large")
    with near:
        st.subheader("Distance to each segment")
        st.caption("Shorter is nearer.")
        parts.bars(_distances(why["distances"], titles))
        _show_changes(why["changes"], titles)
    with pulls:
        st.subheader("Why this segment")
        other = parts.literal(titles.get(why["other"], str(why["other"])))
        st.caption(f"Bars to the right point to the nearest segment, bars to the left to {other}.")
        parts.bars(_pulls(why))


def show_history(changes: list[dict[str, Any]], titles: dict[int, str]) -> None:
    """Show a customer's way from segment to segment, the last step first."""
    moves = [(change["changed_at"], change["to_segment"]) for change in changes]
    if len(moves) > 1:
        figure = plots.steps(moves, titles, datetime.now(UTC).isoformat())
        number = len({segment for _, segment in moves})
        plots.show(figure, "segments-over-time", 90 + 48 * number, "The segment over time")
    steps = "".join(_step(change, titles) for change in reversed(changes))
    st.html(f'<ol class="steps">{steps}</ol>')


def _action(action: dict[str, Any] | None) -> str:
    """Return the next best action as HTML; none where nobody wrote a strategy."""
    if action is None:
        return f"{NO_STRATEGY}: write one under Segments, Strategies."
    where = "on any channel" if action["channel"] == ANY_CHANNEL else f"by {action['channel']}"
    return f"<strong>{escape(action['text'])}</strong>, {escape(where)}."


def _confidence(why: dict[str, Any], titles: dict[int, str]) -> str:
    share = why["confidence"]
    if share >= _SURE:
        words = "clearly in this segment"
    elif share >= _DOUBTFUL:
        words = "nearer to this segment than to any other"
    else:
        other = escape(titles.get(why["other"], str(why["other"])))
        words = f"on the border to {other}"
    return f"Confidence {share:.0%}: {words}."


def _distances(distances: dict[str, float], titles: dict[int, str]) -> list[parts.Bar]:
    ordered = sorted((float(distance), int(number)) for number, distance in distances.items())
    return [
        parts.Bar(
            titles.get(number, str(number)), distance, number_of(distance, 2), colour_of(number)
        )
        for distance, number in ordered
    ]


def _pulls(why: dict[str, Any]) -> list[parts.Bar]:
    return [
        parts.Bar(
            f"{label_of(attribute)}: {value_of(attribute, one['value'])}",
            one["pull"],
            signed(one["pull"]),
            colour_of(why["segment"] if one["pull"] > 0 else why["other"]),
        )
        for attribute, one in declared(why["contributions"])[:_TOLD]
    ]


def _show_changes(changes: list[dict[str, Any]], titles: dict[int, str]) -> None:
    st.subheader("What would change this customer's segment")
    if not changes:
        st.write("No single attribute that can be changed leads to another segment.")
        return
    told = "".join(
        f'<li style="--c:{colour_of(change["segment"])}">'
        f"<strong>{escape(label_of(attribute))}</strong> from "
        f"{escape(value_of(attribute, change['value']))} to "
        f"<strong>{escape(value_of(attribute, change['needed']))}</strong><br>"
        f"<span class='soft'>leads to {escape(titles.get(change['segment'], '?'))}</span></li>"
        for attribute, change in declared(changes)
    )
    st.html(f'<ul class="steps">{told}</ul>')


def _step(change: dict[str, Any], titles: dict[int, str]) -> str:
    entered, left = change["to_segment"], change["from_segment"]
    where = "gone" if entered is None else titles.get(entered, f"segment {entered}")
    colour = "gray" if entered is None else colour_of(entered)
    came = "" if left is None else f", from {titles.get(left, f'segment {left}')}"
    cause = _CAUSES.get(change["cause"], change["cause"].replace("_", " ").capitalize())
    when = moment_of(change["changed_at"], st.context.timezone)
    return (
        f'<li style="--c:{colour}"><strong>{escape(where)}</strong>{escape(came)}<br>'
        f"<span class='soft'>{escape(cause)}, {escape(when)}, "
        f"model version {change['model_version']}</span></li>"
    )
