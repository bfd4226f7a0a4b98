"""The versions that are kept, and letting another one serve."""

from typing import Any

import streamlit as st

from customer_segmentation.dashboard import parts
from customer_segmentation.dashboard.service import forget, may, refusals_told, service
from customer_segmentation.dashboard.style import moment_of, number_of
from customer_segmentation.dashboard.words import separation_meaning, stability_meaning

_DONE = "which version was activated"


def show_versions(models: list[dict[str, Any]]) -> None:
    """Show every version, why some are held back, and let one be activated."""
    done = st.session_state.pop(_DONE, None)
    if done:
        st.success(done, icon=":material/check:")
    if not models:
        st.info("There is no model yet. Train one on the tab *Train*.")
        return
    parts.table([_row(model) for model in models])
    for model in models:
        if model["held_back"] and not model["has_served"]:
            reasons = "\n".join(f"- {parts.literal(reason)}" for reason in model["held_back"])
            st.warning(
                f"**Version {model['version']}** was not activated: it failed a quality check:"
                f"\n\n{reasons}",
                icon=":material/front_hand:",
            )
    _activate(models)


def _row(model: dict[str, Any]) -> dict[str, Any]:
    quality = model["quality"]
    state = "previously active" if model["has_served"] else "candidate"
    return {
        "version": f"version {model['version']}",
        "state": "active" if model["is_active"] else state,
        "trained": moment_of(model["created_at"], st.context.timezone),
        "asked by": model["created_by"] or model["trigger"],
        "why": model["reason"],
        "customers": number_of(model["customers"]),
        "stability": f"{quality['stability']:.2f}, {stability_meaning(quality['stability']).short}",
        "separation": (
            f"{quality['silhouette']:.2f}, {separation_meaning(quality['silhouette']).short}"
        ),
    }


def _activate(models: list[dict[str, Any]]) -> None:
    st.subheader("Switch model version")
    active = next((model["version"] for model in models if model["is_active"]), None)
    others = [model["version"] for model in models if not model["is_active"]]
    if not others:
        st.info("There is one version yet. Train another on the tab *Train*.")
        return
    if not may("admin"):
        return
    before = [model["version"] for model in models if model["is_previous"]]
    st.write(
        "It takes effect within one second. "
        + (f"Version {before[0]} is the one to roll back to." if before else "")
    )
    left, right = st.columns(2)
    chosen = left.selectbox("Version", others, format_func=lambda v: f"version {v}")
    reason = right.text_input("Why", placeholder="for the record", max_chars=2000)
    # Whoever is sure is so of a change from the version that is shown to be active.
    sure = st.checkbox(
        f"Every customer is to be segmented by version {chosen} at once",
        key=f"sure-{active}-{chosen}",
    )
    if st.button("Activate", type="primary", disabled=not sure) and sure:
        with refusals_told():
            service().activate_model(chosen, reason=reason or "from the dashboard")
            forget()
            st.session_state[_DONE] = f"Version {chosen} is now active."
            st.rerun()
