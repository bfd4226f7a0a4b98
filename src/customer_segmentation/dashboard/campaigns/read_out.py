"""What a campaign brought: in sentences, as a plot with intervals and as a table."""

from dataclasses import dataclass
from typing import Any

import streamlit as st

from customer_segmentation.dashboard import parts, plots
from customer_segmentation.dashboard.style import number_of

Found = dict[str, Any]


def show_read_out(found: Found) -> None:
    """Show a read-out; first whatever keeps it from being trusted."""
    if found["split"]["is_mismatch"]:
        st.error(
            "The groups did not come out as drawn: trust no figure before it is known why.",
            icon=":material/balance:",
        )
    if not found["is_complete"]:
        st.caption("So far; outcomes are still coming.")
    for arm in found["arms"]:
        _tell(arm)
    rows = [row for place, arm in enumerate(found["arms"]) for row in _rows_of(place, arm)]
    scale = 100 if found["is_rate"] else 1
    effects = [(row, row.comparison["effect"]) for row in rows if row.comparison["effect"]]
    if intervals := [_interval(row, effect, scale) for row, effect in effects]:
        unit = "percentage points" if found["is_rate"] else found["unit"] or found["outcome"]
        st.subheader("How much each arm brought")
        st.caption(
            f"The lift in {parts.literal(unit)}, with the range that covers the true one in 95 of "
            "100 campaigns. The faint range stays valid however often one looks."
        )
        height = 110 + 44 * len(intervals)
        plots.show(plots.intervals(intervals, unit), "read-out", height, _alt(found))
    table = [_told(row, is_rate=found["is_rate"]) for row in rows]
    parts.table(table)
    parts.download(table, f"campaign-{found['campaign']}-read-out")


@dataclass(frozen=True, slots=True)
class _Row:
    """An arm against who is held out, among everybody or in a segment."""

    place: int
    arm: str
    among: str
    comparison: Found


def _interval(row: _Row, effect: Found, scale: int) -> plots.Interval:
    always = row.comparison["always"] or effect["interval"]
    return plots.Interval(
        f"{row.arm}, {row.among}",
        row.place,
        effect["lift"] * scale,
        (effect["interval"]["low"] * scale, effect["interval"]["high"] * scale),
        (always["low"] * scale, always["high"] * scale),
    )


def _told(row: _Row, *, is_rate: bool) -> dict[str, object]:
    effect = row.comparison["effect"]
    return {
        "arm": row.arm,
        "among": row.among,
        "customers": number_of(row.comparison["size"]),
        "held out": number_of(row.comparison["control_size"]),
        "lift": "" if effect is None else _lift(effect["lift"], is_rate=is_rate),
        "95% interval": "" if effect is None else _range(effect["interval"], is_rate=is_rate),
        "always valid": _range(row.comparison["always"], is_rate=is_rate),
    }


def _rows_of(place: int, arm: Found) -> list[_Row]:
    # Of one segment alone the figures are those of everybody.
    segments = arm["segments"] if len(arm["segments"]) > 1 else []
    return [
        _Row(place, arm["name"], "everybody", arm["overall"]),
        *(_Row(place, arm["name"], one["segment_name"], one) for one in segments),
    ]


def _tell(arm: Found) -> None:
    """Say in sentences what an arm brought."""
    overall = arm["overall"]
    parts.lead(overall["sentence"])
    told = []
    if worth := overall["worth"]:
        low, high = worth["net_interval"]["low"], worth["net_interval"]["high"]
        told.append(
            f"In money: {worth['value']:,.0f} for a cost of {worth['cost']:,.0f}; "
            f"{worth['net']:,.0f} net ({low:,.0f} to {high:,.0f})."
        )
    if wrongly := arm["contamination"]:
        told.append(
            f"{wrongly['addressed_although_held_out']:,} were addressed although held out, and "
            f"{wrongly['not_addressed']:,} of {wrongly['to_address']:,} were not addressed."
        )
    st.caption(" ".join(told))
    if len(arm["segments"]) > 1:
        with st.expander(f"{parts.label(arm['name'])} by segment"):
            for one in arm["segments"]:
                st.write(parts.literal(one["sentence"]))


def _lift(value: float, *, is_rate: bool) -> str:
    text = f"{value * 100:+.1f} points" if is_rate else f"{value:+,.4g}"
    return text.replace("-", "\N{MINUS SIGN}")


def _range(found: Found | None, *, is_rate: bool) -> str:
    if found is None:
        return ""
    scale = 100 if is_rate else 1
    low, high = (f"{found[end] * scale:+,.3g}" for end in ("low", "high"))
    return f"{low} to {high}".replace("-", "\N{MINUS SIGN}")


def _alt(found: Found) -> str:
    return " ".join(arm["overall"]["sentence"] for arm in found["arms"])
