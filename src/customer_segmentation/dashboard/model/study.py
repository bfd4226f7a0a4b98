"""The study over the number of segments."""

from typing import Any

import streamlit as st

from customer_segmentation.dashboard import parts, plots
from customer_segmentation.dashboard.model.follow import find_job, follow, remember, tell_end
from customer_segmentation.dashboard.service import may, refusals_told, service
from customer_segmentation.dashboard.style import share_of
from customer_segmentation.domain.segments import MAX_SEGMENTS, MIN_SEGMENTS

_FIRST = (2, 8)


def show_study() -> None:
    """Start a study, follow the one that runs, and show what the last one found."""
    st.write(
        "How many segments suit the customers? A study tries several numbers; nothing changes."
    )
    with refusals_told():
        job = find_job("study")
        if job is not None and job["state"] == "running":
            follow(job["id"])
            return
        if job is not None and job["state"] != "succeeded":
            tell_end(job, "")
        _ask(allowed=may("admin"))
        last = _find_last()
        if last is not None:
            _show(service().get_study(last).get("result"))


def _find_last() -> str | None:
    """Return the id of the newest study that succeeded."""
    jobs = service().list_jobs()["jobs"]
    return next((j["id"] for j in jobs if j["kind"] == "study" and j["state"] == "succeeded"), None)


def _ask(*, allowed: bool) -> None:
    least, most = st.slider(
        "Numbers of segments to try",
        MIN_SEGMENTS,
        MAX_SEGMENTS,
        _FIRST,
        disabled=not allowed,
        width=420,
    )
    if st.button(f"Study {least} to {most} segments", type="primary", disabled=not allowed):
        remember(service().begin_study(ks=list(range(least, most + 1))))
        st.rerun()


def _show(result: dict[str, Any] | None) -> None:
    if result is None:
        return
    st.info(parts.literal(result["reason"]), icon=":material/lightbulb:")
    trials = result["trials"]
    # The first preparation is the one that trainings use.
    shown = [trial for trial in trials if trial["weighting"] == trials[0]["weighting"]]
    ks = [trial["k"] for trial in shown]
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader("The higher, the better")
        lines = {name: [t[name] for t in shown] for name in ("stability", "silhouette")}
        lines["smallest segment's share"] = [trial["least_share"] for trial in shown]
        figure = plots.curve(ks, lines, result["recommended"])
        plots.show(figure, "study-quality", 380, "Stability, silhouette and smallest share over k")
    with right:
        st.subheader("Where it bends, more segments gain little")
        figure = plots.curve(ks, {"inertia": [t["inertia"] for t in shown]}, result["recommended"])
        figure.update_yaxes(rangemode="tozero", tickformat=",.0f")
        plots.show(figure, "study-inertia", 380, "Inertia over the number of segments")
    parts.table([_row(trial) for trial in trials])


def _row(trial: dict[str, Any]) -> dict[str, Any]:
    return {
        "segments": trial["k"],
        "preparation": trial["weighting"],
        "stability": f"{trial['stability']:.3f}",
        "silhouette": f"{trial['silhouette']:.3f}",
        "Calinski-Harabasz": f"{trial['calinski_harabasz']:,.0f}",
        "Davies-Bouldin": f"{trial['davies_bouldin']:.3f}",
        "smallest": share_of(trial["least_share"]),
        "passes the gates": "yes" if trial["passes"] else "no",
    }
