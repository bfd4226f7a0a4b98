"""Following a job live, and cancelling it."""

from typing import Any

import streamlit as st

from customer_segmentation.client import ServiceError
from customer_segmentation.dashboard import parts
from customer_segmentation.dashboard.service import forget, refusals_told, service

_EVERY_SECONDS = 0.5
_PHASES = {
    "reading": "Reading the customers",
    "fitting": "Finding segments",
    "matching": "Matching them to the active segments",
    "checking": "Checking how stable they are",
    "rescoring": "Giving customers their segments",
}


def find_job(kind: str) -> dict[str, Any] | None:
    """Return the job of a kind that runs, else the last one that this session began or watched.

    Its end is read from the service each time, so that no run of the page can miss it: a job may
    end before the page has looked once, and a page may be run again while it tells.
    """
    jobs = [job for job in service().list_jobs()["jobs"] if job["kind"] == kind]
    running = next((job for job in jobs if job["state"] == "running"), None)
    if running is not None:
        remember(running)
        return running
    last = st.session_state.get(_key(kind))
    return next((job for job in jobs if job["id"] == last), None)


def remember(job: dict[str, Any]) -> None:
    """Let `find_job` find a job in this session after it has ended too."""
    st.session_state[_key(job["kind"])] = job["id"]


def _key(kind: str) -> str:
    return f"the last {kind}"


@st.fragment(run_every=_EVERY_SECONDS)
def follow(job_id: str) -> None:
    """Show how far a job is; when it has ended, run the page anew."""
    with refusals_told():
        job = service().get_job(job_id)
        if job["state"] != "running":
            forget()
            st.rerun()
        share = min(job["done"] / job["total"], 1.0) if job["total"] else 0.0
        phase = _PHASES.get(job["phase"], job["phase"].replace("_", " ").capitalize())
        count = f": {job['done']:,} of {job['total']:,}" if job["total"] else ""
        st.progress(share, f"{phase}{count}")
        if st.button("Cancel", icon=":material/stop_circle:", key=f"cancel-{job_id}"):
            _cancel(job_id)


def tell_end(job: dict[str, Any], success: str) -> None:
    """Tell how a job ended."""
    if job["state"] == "succeeded":
        st.success(success, icon=":material/check:")
    elif job["state"] == "cancelled":
        st.warning("Training cancelled. The active model is unchanged.", icon=":material/block:")
    else:
        words = job["state"].replace("_", " ").capitalize()
        st.warning(f"{words}. {parts.literal(job['error'] or '')}", icon=":material/block:")


def _cancel(job_id: str) -> None:
    try:
        service().cancel_job(job_id)
    except ServiceError as refusal:
        # It ended while the button was pressed; the next look tells how.
        st.caption(parts.literal(str(refusal)))
