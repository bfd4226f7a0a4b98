"""Training a new version."""

from typing import Any

import streamlit as st

from customer_segmentation.dashboard import parts
from customer_segmentation.dashboard.model.follow import find_job, follow, remember, tell_end
from customer_segmentation.dashboard.schema import the_schema
from customer_segmentation.dashboard.service import may, refusals_told, service
from customer_segmentation.dashboard.style import label_of
from customer_segmentation.domain.segments import MAX_SEGMENTS, MIN_SEGMENTS


def show_training(models: list[dict[str, Any]]) -> None:
    """Start a training, or follow the one that runs."""
    st.write(
        "A training makes a new version on the current customers; segments keep their numbers and "
        "names. It is activated if it passes the gates; otherwise it stays a candidate."
    )
    job = find_job("training")
    if job is not None and job["state"] == "running":
        follow(job["id"])
        return
    if job is not None:
        _tell(job)
    _ask(models, allowed=may("admin"))


def _tell(job: dict[str, Any]) -> None:
    version = job["model_version"]
    # Not from `read_models`, which may have been read before the version was made.
    made = next((m for m in service().list_models()["models"] if m["version"] == version), None)
    if made is not None and not made["is_active"]:
        if not made["held_back"]:  # It was active, until somebody activated another.
            return
        reasons = "".join(f"\n- {parts.literal(reason)}" for reason in made["held_back"])
        st.warning(
            f"Version {version} is trained, but held back as a candidate:\n{reasons}\n\n"
            "Look at what it would change on the tab *Compare*; the tab *Versions* activates it.",
            icon=":material/front_hand:",
        )
        return
    tell_end(job, f"Model version {version} is now active.")


def _ask(models: list[dict[str, Any]], *, allowed: bool) -> None:
    schema = the_schema()
    active = next((model for model in models if model["is_active"]), None)
    now = len(active["quality"]["sizes"]) if active else None
    with st.form("train", border=True):
        k = st.number_input(
            "Number of segments",
            MIN_SEGMENTS,
            MAX_SEGMENTS,
            value=None,
            placeholder=f"as set{f', now {now}' if now else ''}",
            disabled=not allowed,
            width=320,
        )
        excluded = st.pills(
            "Attributes to leave out (overrides the default)",
            schema.names,
            selection_mode="multi",
            format_func=lambda name: parts.literal(label_of(schema.by_name[name])),
            disabled=not allowed,
        )
        reason = st.text_input(
            "Why", placeholder="for the record", max_chars=2000, disabled=not allowed
        )
        sent = st.form_submit_button(
            "Retrain", type="primary", disabled=not allowed, icon=":material/play_arrow:"
        )
    if sent:
        request: dict[str, object] = {"reason": reason or "from the dashboard"}
        if k is not None:
            request["k"] = k
        if excluded:
            request["exclude"] = excluded
        with refusals_told():
            remember(service().begin_training(**request))
            st.rerun()
