"""The words for a segment: name, description and strategies."""

from typing import Any

import streamlit as st

from customer_segmentation.client import ServiceError
from customer_segmentation.dashboard import parts
from customer_segmentation.dashboard.fields import faults_of
from customer_segmentation.dashboard.opened import close, opened
from customer_segmentation.dashboard.schema import the_schema
from customer_segmentation.dashboard.service import forget, may, refusals_told, service
from customer_segmentation.domain.segments import ANY_CHANNEL

_NO_STRATEGY = {"text": "", "channel": ANY_CHANNEL}
"""A row to write the first one in."""

_SAVED = "segment whose words were saved"
_INVALID = 422


def edit_words(segment: dict[str, Any]) -> None:
    """Show a segment's words, to edit with a key that may."""
    number = segment["number"]
    if st.session_state.pop(_SAVED, None) == number:
        st.success("Saved.", icon=":material/check:")
    allowed = may("admin")
    form = f"words-{number}"
    shown = opened(form, segment, segment["tag"], "name")
    with st.form(form):
        name = st.text_input(
            "Name",
            shown.values["name"],
            max_chars=200,
            disabled=not allowed,
            key=f"{shown.key}-name",
        )
        name_fault = st.container()
        description = st.text_area(
            "Description",
            shown.values["description"],
            max_chars=2000,
            disabled=not allowed,
            key=f"{shown.key}-description",
        )
        st.markdown("**Strategies**, the main one first")
        strategies = st.data_editor(
            shown.values["strategies"] or [_NO_STRATEGY],
            num_rows="dynamic" if allowed else "fixed",
            disabled=not allowed,
            key=f"{shown.key}-strategies",
            column_config={
                "text": st.column_config.TextColumn("What to do", required=True, width="large"),
                "channel": st.column_config.SelectboxColumn(
                    "By which channel",
                    options=[ANY_CHANNEL, *the_schema().channels],
                    default=ANY_CHANNEL,
                ),
            },
        )
        if not st.form_submit_button("Save", type="primary", disabled=not allowed):
            return
    with refusals_told():
        if not shown.values["strategies"]:
            # The row to write the first one in may stay blank.
            strategies = [one for one in strategies if (one["text"] or "").strip()]
        try:
            service().edit_segment(
                number, shown.tag, name=name, description=description, strategies=strategies or None
            )
        except ServiceError as refusal:
            if refusal.status != _INVALID:
                raise
            faults = faults_of(refusal)
            if "name" in faults:
                with name_fault:
                    parts.wrong(f"The {faults.pop('name')}.")
            for field, message in faults.items():
                parts.wrong(f"{field.replace('.', ' ').capitalize()}: {message}")
            return
        forget()
        close(form)
        # Running the page anew drops what this run showed last, so the next one tells.
        st.session_state[_SAVED] = number
        st.rerun()
