"""How segments and audiences grow and shrink, and who moves between segments."""

from datetime import UTC, datetime, timedelta

import streamlit as st

from customer_segmentation.dashboard import parts, plots
from customer_segmentation.dashboard.address_bar import follow, said, say, tabs
from customer_segmentation.dashboard.service import (
    read_audience_sizes,
    read_audiences,
    read_segments,
    read_sizes,
    read_transitions,
    refusals_told,
)
from customer_segmentation.dashboard.style import titles_of
from customer_segmentation.domain.plurals import counted

_WEEKS = {"4": "4 weeks", "": "12 weeks", "26": "26 weeks", "52": "a year"}
"""By what the address says, how far back; 12 weeks where it says nothing."""

_USUAL = 12
_VIEWS = {"": "Segments", "flows": "Flows", "audiences": "Audiences"}
_WEEKS_KEY, _VIEW, _CHOSEN = "trends-weeks", "trends-view", "trends-audiences"
_SHOWN = 4
_MOST = 12

Titles = dict[int, str]


def page() -> None:
    """Show the tab and the time that the address names."""
    st.title("Trends")
    with refusals_told():
        titles = titles_of(read_segments()["segments"])
        weeks = _ask_weeks()
        sizes, flows, audiences = tabs(_VIEWS, _VIEW)
        if sizes.open:
            with sizes, refusals_told():
                _show_sizes(weeks, titles)
        if flows.open:
            with flows, refusals_told():
                _show_flows(weeks, titles)
        if audiences.open:
            with audiences, refusals_told():
                _show_audiences(weeks)


def _ask_weeks() -> int:
    follow("weeks", _WEEKS_KEY, _weeks_of)
    chosen = st.segmented_control(
        "How far back",
        list(_WEEKS),
        format_func=_WEEKS.__getitem__,
        required=True,
        key=_WEEKS_KEY,
    )
    if chosen is not None and chosen != _weeks_of(said("weeks")):
        say("weeks", chosen)
    return int(chosen or _USUAL)


def _weeks_of(asked: str) -> str:
    return asked if asked in _WEEKS else ""


def _show_sizes(weeks: int, titles: Titles) -> None:
    st.caption("Customers of each segment, a week apart, as far as the history is kept.")
    found = read_sizes(weeks)
    # Before the first customer came, nothing is known.
    known = (place for place, one in enumerate(found) if any(one["customers"].values()))
    found = found[next(known, 0) :]
    lines = {
        title: (number, [one["customers"].get(str(number)) for one in found])
        for number, title in titles.items()
    }
    days = [one["at"][:10] for one in found]
    plots.show(plots.over_time(days, lines), "segment-sizes", 460, "Customers by segment and week")
    parts.download(
        [
            {"date": day, **{title: sizes[place] for title, (_, sizes) in lines.items()}}
            for place, day in enumerate(days)
        ],
        "segment-sizes",
    )


def _show_flows(weeks: int, titles: Titles) -> None:
    st.caption("On the left where customers were then, on the right where they are now.")
    with_all = st.toggle("Show who is new, gone or stayed, too", key="trends-all")
    found = [
        one
        for one in read_transitions(weeks)
        if with_all or one["from_segment"] not in (None, one["to_segment"])
        if with_all or one["to_segment"] is not None
    ]
    if not any(one["customers"] for one in found):
        st.info(f"Nobody is known to have moved within {counted(weeks, 'week')}.")
        return
    matrix: dict[str, dict[str, int | None]] = {}
    for one in found:
        left = plots.NEW if one["from_segment"] is None else one["from_segment"]
        entered = plots.GONE if one["to_segment"] is None else one["to_segment"]
        matrix.setdefault(str(left), {})[str(entered)] = one["customers"]
    told = {plots.NEW: "new", plots.GONE: "gone", **titles}
    what = "Customers who moved from segment to segment"
    plots.show(plots.sankey(matrix, told), "flows", 460, what)
    if any(one["customers"] is None for one in found):
        st.caption("Flows that are missing are hidden, as few customers moved so.")
    parts.download(
        [
            {
                "from": "new" if one["from_segment"] is None else titles.get(one["from_segment"]),
                "to": "gone" if one["to_segment"] is None else titles.get(one["to_segment"]),
                "customers": one["customers"],
            }
            for one in found
        ],
        "flows",
    )


def _show_audiences(weeks: int) -> None:
    by_name = {one["name"]: one for one in read_audiences()}
    if not by_name:
        st.info("There is no audience yet. Build one on the page *Audiences*.")
        return
    st.caption("Customers of each audience by day, in UTC, from the day when it was saved.")
    names = list(by_name)
    chosen = st.multiselect(
        "Audiences", names, default=names[:_SHOWN], max_selections=_MOST, key=_CHOSEN
    )
    if not chosen:
        st.info("Choose at least one audience.")
        return
    since = (datetime.now(UTC) - timedelta(weeks=weeks)).date().isoformat()
    found = {name: _sizes_since(by_name[name]["id"], since) for name in chosen}
    days = sorted({day for sizes in found.values() for day in sizes})
    lines = {
        name: (names.index(name), [sizes.get(day) for day in days]) for name, sizes in found.items()
    }
    plots.show(plots.over_time(days, lines), "audience-sizes", 420, "Customers by audience and day")
    parts.download(
        [{"date": day, **{name: sizes.get(day) for name, sizes in found.items()}} for day in days],
        "audience-sizes",
    )


def _sizes_since(audience_id: int, day: str) -> dict[str, int | None]:
    sizes = read_audience_sizes(audience_id)
    return {one["day"]: one["customers"] for one in sizes if one["day"] >= day}
