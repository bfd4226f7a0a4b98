"""The card of a customer, and what can be done with one."""

from typing import Any

import streamlit as st

from customer_segmentation.client import Reply, ServiceError
from customer_segmentation.dashboard import parts
from customer_segmentation.dashboard.address_bar import follow, say
from customer_segmentation.dashboard.assignment import show_assignment, show_history
from customer_segmentation.dashboard.fields import (
    attribute_fields,
    check_attributes,
    check_id,
    faults_of,
)
from customer_segmentation.dashboard.opened import close, opened
from customer_segmentation.dashboard.service import forget, may, refusals_told, service
from customer_segmentation.dashboard.style import label_of, title_of, titles_of, value_of
from customer_segmentation.domain.features import FEATURES

_NOT_FOUND, _INVALID = 404, 422
_DONE, _ASKED = "what was done with a customer", "customer-id"


def show_card(segments: list[dict[str, Any]]) -> None:
    """Ask for an id and show that customer."""
    follow("id", _ASKED, str)
    asked = st.text_input(
        "Customer id",
        placeholder="such as 56",
        icon=":material/search:",
        width=320,
        key=_ASKED,
    )
    done = st.session_state.pop(_DONE, None)
    if done:
        st.success(done, icon=":material/check:")
    if not asked:
        st.info(
            "Enter an id, or look for customers by what they are like on the tab *Search*.",
            icon=":material/badge:",
        )
        return
    number, fault = check_id(asked)
    if number is None:
        parts.wrong(str(fault))
        return
    say("id", str(number))
    try:
        found = service().get_customer(int(number))
    except ServiceError as refusal:
        if refusal.status != _NOT_FOUND:
            raise
        if not done:
            parts.wrong(f"There is no customer with id {number:,}. Add one on the tab Add.")
        return
    _show(int(number), found, segments)


def _show(number: int, found: Reply, segments: list[dict[str, Any]]) -> None:
    titles = titles_of(segments)
    show_assignment(service().explain_customer(number), titles)
    about, history, change, remove = st.tabs(
        ["Attributes", "History", "Change", "Delete"], key=f"card-{number}", on_change="rerun"
    )
    if about.open:
        with about:
            _show_attributes(found)
            parts.link("What if", "Try other values", "tune", id=number)
    if history.open:
        with history:
            show_history(service().get_history(number)["changes"], titles)
    if change.open:
        with change:
            _change(number, found, titles)
    if remove.open:
        with remove:
            _delete(number, found)


def _show_attributes(found: Reply) -> None:
    parts.table(
        [
            {"attribute": label_of(f.name), "value": value_of(f.name, found[f.name])}
            for f in FEATURES
        ]
    )


def _change(number: int, found: Reply, titles: dict[int, str]) -> None:
    allowed = may("writer")
    faults = st.session_state.pop(f"faults-{number}", {})
    form = f"change-{number}"
    shown = opened(form, found, str(found.tag), FEATURES[0].name)
    with st.form(form):
        given = attribute_fields(shown.values, shown.key, faults)
        sent = st.form_submit_button("Save and re-segment", type="primary", disabled=not allowed)
    if not sent:
        return
    values, wrong = check_attributes(given)
    changed = {name: value for name, value in values.items() if value != shown.values[name]}
    if not wrong and not changed:
        st.info("There are no changes to save.")
        return
    with refusals_told():
        if not wrong:
            try:
                stored = service().update_customer(number, changed, shown.tag)
            except ServiceError as refusal:
                if refusal.status != _INVALID:
                    raise
                wrong = faults_of(refusal)
            else:
                forget()
                close(form)
                where = parts.literal(titles[stored["segment"]])
                st.session_state[_DONE] = f"Customer {number:,} is saved, and in {where}."
        if wrong:
            st.session_state[f"faults-{number}"] = wrong
        st.rerun()


def _delete(number: int, found: Reply) -> None:
    if not may("writer"):
        return
    where = title_of({"number": found["segment"], "name": found["segment_name"]})
    st.write(
        "The customer goes from every page, and from every later training; its history stays. "
        f"It is in {parts.literal(where)}."
    )
    # Whoever is sure is so of the customer as it is shown: another tag, and another box.
    sure = st.checkbox(
        f"I want customer {number:,} to be deleted", key=f"sure-{number}-{found.tag}"
    )
    if st.button("Delete", type="primary", disabled=not sure, icon=":material/delete:") and sure:
        with refusals_told():
            service().delete_customer(number, found.tag)
            forget()
            st.session_state[_DONE] = f"Customer {number:,} is deleted."
            st.rerun()
