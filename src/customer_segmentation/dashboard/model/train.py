"""Training a new version."""

from typing import Any

import streamlit as st

from customer_segmentation.dashboard import parts
from customer_segmentation.dashboard.model.follow import find_running, follow, tell_end
from customer_segmentation.dashboard.service import may, read_models, refusals_told, service
from customer_segmentation.dashboard.style import label_of
from customer_segmentation.domain.features import FEATURE_NAMES

_DONE = "how the training ended"
_LEAST, _MOST = 2, 12


def show_training(models: list[dict[str, Any]]) -> None:
    """Start a training, or follow the one that runs."""
    st.write(
        "A training makes a new version on the current customers; segments keep their numbers and "
        "names. It is activated if it passes the gates; otherwise it stays a candidate."
    )
    ended = st.session_state.pop(_DONE, None)
    if ended is not None:
        _tell(ended)
    allowed = may("admin")
    running = find_running("training")
    if running is not None:
        follow(running, _DONE)
        return
    _ask(models, allowed=allowed)


def _tell(job: dict[str, Any]) -> None:
    version = job["model_version"]
    made = next((m for m in read_models() if m["version"] == version), None)
    if made is not None and not made["is_active"]:
        reasons = "".join(f"\n- {parts.literal(reason)}" for reason in made["held_back"])
        st.warning(
            f"Version {version} is trained, but held back as a candidate:\n{reasons}\n\n"
            "Look at what it would change on the tab *Compare*; the tab *Versions* activates it.",
            icon=":material/front_hand:",
        )
        return
    tell_end(job, f"Model version {version} is now active.")


def _ask(models: list[dict[str, Any]], *, allowed: bool) -> None:
    active = next((model for model in models if model["is_active"]), None)
    now = len(active["quality"]["sizes"]) if active else None
    with st.form("train", border=True):
        k = st.number_input(
            "Number of segments",
            _LEAST,
            _MOST,
            value=None,
            placeholder=f"as set{f', now {now}' if now else ''}",
            disabled=not allowed,
            width=320,
        )
        excluded = st.pills(
            "Attributes to leave out (overrides the default)",
            FEATURE_NAMES,
            selection_mode="multi",
            format_func=label_of,
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
            service().begin_training(**request)
            st.rerun()
