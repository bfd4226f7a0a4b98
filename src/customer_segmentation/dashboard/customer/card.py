"""The card of a customer, and what can be done with one."""

from typing import Any

import streamlit as st

from customer_segmentation.client import Reply, ServiceError
from customer_segmentation.dashboard import parts
from customer_segmentation.dashboard.assignment import show_assignment, show_history
from customer_segmentation.dashboard.fields import (
    attribute_fields,
    check_attributes,
    check_id,
    faults_of,
)
from customer_segmentation.dashboard.service import forget, may, refusals_told, service
from customer_segmentation.dashboard.style import label_of, title_of, titles_of, value_of
from customer_segmentation.domain.features import FEATURES

_NOT_FOUND, _INVALID = 404, 422
_DONE = "what was done with a customer"


def show_card(segments: list[dict[str, Any]]) -> None:
    """Ask for an id and show that customer."""
    asked = st.text_input(
        "Customer id",
        st.query_params.get("id", ""),
        placeholder="such as 56",
        icon=":material/search:",
        width=320,
        key="customer-id",
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
    st.query_params["id"] = str(number)
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
            parts.link("What if", "What if these were others?", "tune", id=number)
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
    with st.form(f"change-{number}"):
        given = attribute_fields(found, f"change-{number}", faults)
        sent = st.form_submit_button("Save and segment anew", type="primary", disabled=not allowed)
    if not sent:
        return
    values, wrong = check_attributes(given)
    changed = {name: value for name, value in values.items() if value != found[name]}
    if not wrong and not changed:
        st.info("Nothing is different.")
        return
    with refusals_told():
        if not wrong:
            try:
                stored = service().update_customer(number, changed, found.tag)
            except ServiceError as refusal:
                if refusal.status != _INVALID:
                    raise
                wrong = faults_of(refusal)
            else:
                forget()
                where = titles[stored["segment"]]
                st.session_state[_DONE] = f"Customer {number:,} is saved, and in {where}."
        if wrong:
            st.session_state[f"faults-{number}"] = wrong
        st.rerun()


def _delete(number: int, found: Reply) -> None:
    if not may("writer"):
        return
    st.write(
        "The customer goes from every page, and from every later training; its history stays. "
        f"It is in {title_of({'number': found['segment'], 'name': found['segment_name']})}."
    )
    sure = st.checkbox(f"I want customer {number:,} to be deleted", key=f"sure-{number}")
    if st.button("Delete", type="primary", disabled=not sure, icon=":material/delete:"):
        with refusals_told():
            service().delete_customer(number, found.tag)
            forget()
            st.session_state[_DONE] = f"Customer {number:,} is deleted."
            st.rerun()
