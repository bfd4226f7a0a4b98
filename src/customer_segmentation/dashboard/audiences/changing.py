"""Changing an audience and deleting it."""

from typing import Any

import streamlit as st

from customer_segmentation.client import ServiceError
from customer_segmentation.dashboard import parts
from customer_segmentation.dashboard.fields import faults_of
from customer_segmentation.dashboard.opened import close, opened
from customer_segmentation.dashboard.service import forget, may, refusals_told, service

DONE = "what was done with an audience"
_TAKEN, _INVALID = 409, 422


def change(audience_id: int) -> None:
    """Show an audience's words and rule, to edit with a key that may."""
    allowed, audience = may("writer"), service().get_audience(audience_id)
    form = f"audience-{audience_id}"
    shown = opened(form, audience, audience["tag"], "name")
    held, key = shown.values, shown.key
    with st.form(form, enter_to_submit=False):
        left, right = st.columns(2)
        common: dict[str, Any] = {"disabled": not allowed}
        given = {
            "name": left.text_input(
                "Name", held["name"], max_chars=200, key=f"{key}-name", **common
            ),
            "owner": right.text_input(
                "Owner", held["owner"], max_chars=200, key=f"{key}-owner", **common
            ),
            "description": st.text_area(
                "Description", held["description"], max_chars=2_000, key=f"{key}-words", **common
            ),
            "rule": st.text_area(
                "Rule",
                held["rule"],
                max_chars=4_000,
                key=f"{key}-rule",
                disabled=not allowed or held["is_frozen"],
                help="The rule of a frozen audience stays, as its customers do."
                if held["is_frozen"]
                else "Whoever comes or goes by another rule is in the feed.",
            ),
        }
        if not st.form_submit_button("Save changes", type="primary", **common):
            return
    changes = {field: text for field, text in given.items() if text != held[field]}
    if not changes:
        st.info("There are no changes to save.")
        return
    with refusals_told():
        try:
            service().change_audience(audience_id, shown.tag, **changes)
        except ServiceError as refusal:
            if refusal.status not in (_TAKEN, _INVALID):
                raise
            for message in faults_of(refusal).values() or [str(refusal)]:
                parts.wrong(message)
            return
        forget()
        close(form)
        st.session_state[DONE] = parts.literal(f"{given['name']} is saved.")
        st.rerun()


def delete(audience: dict[str, Any]) -> None:
    """Ask whether somebody is sure, and delete an audience."""
    if not may("writer"):
        return
    st.write("The audience goes, with its sizes by day. Its customers stay, and so do its events.")
    name = audience["name"]
    # Whoever is sure is so of the audience as it is shown: another tag, and another box.
    sure = st.checkbox(
        f"I want {parts.label(name)} to be deleted", key=f"sure-{audience['id']}-{audience['tag']}"
    )
    if st.button("Delete", type="primary", disabled=not sure, icon=":material/delete:") and sure:
        with refusals_told():
            service().delete_audience(audience["id"])
            forget()
            st.session_state[DONE] = parts.literal(f"{name} is deleted.")
            st.query_params.clear()
            st.rerun()
