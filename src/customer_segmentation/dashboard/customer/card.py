"""The card of a customer, and what can be done with one."""

from typing import Any

import streamlit as st

from customer_segmentation.client import Reply, ServiceError
from customer_segmentation.dashboard import parts
from customer_segmentation.dashboard.address_bar import follow, say
from customer_segmentation.dashboard.assignment import show_assignment, show_history
from customer_segmentation.dashboard.customer.transactions import (
    show_attributes,
    show_transactions,
)
from customer_segmentation.dashboard.fields import (
    attribute_fields,
    check_attributes,
    check_id,
    faults_of,
)
from customer_segmentation.dashboard.opened import close, opened
from customer_segmentation.dashboard.schema import the_schema
from customer_segmentation.dashboard.service import forget, may, refusals_told, service
from customer_segmentation.dashboard.style import id_of, label_of, title_of, titles_of
from customer_segmentation.domain.attributes import CustomerId

_NOT_FOUND, _INVALID = 404, 422
_DONE, _ASKED = "what was done with a customer", "customer-id"


def show_card(segments: list[dict[str, Any]]) -> None:
    """Ask for an id and show that customer."""
    follow("id", _ASKED, str)
    schema = the_schema()
    asked = st.text_input(
        parts.label(label_of(schema.id)),
        placeholder="of a customer",
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
    customer_id, fault = check_id(schema, asked)
    if fault:
        parts.wrong(fault)
        return
    say("id", str(customer_id))
    try:
        found = service().get_customer(customer_id)
    except ServiceError as refusal:
        if refusal.status != _NOT_FOUND:
            raise
        if not done:
            parts.wrong(
                f"There is no customer with id {id_of(customer_id)}. Add one on the tab Add."
            )
        return
    _show(customer_id, found, segments)


def _show(customer_id: CustomerId, found: Reply, segments: list[dict[str, Any]]) -> None:
    titles = titles_of(segments)
    show_assignment(service().explain_customer(customer_id), titles)
    has_transactions = the_schema().transactions is not None
    names = ["Attributes", *["Transactions"] * has_transactions, "History", "Change", "Delete"]
    about, *sold, history, change, remove = st.tabs(
        names, key=f"card-{customer_id}", on_change="rerun"
    )
    if about.open:
        with about:
            show_attributes(customer_id, found)
            parts.link("What if", "Try other values", "tune", id=customer_id)
    for tab in sold:
        if tab.open:
            with tab:
                show_transactions(customer_id)
    if history.open:
        with history:
            show_history(service().get_history(customer_id)["changes"], titles)
    if change.open:
        with change:
            _change(customer_id, found, titles)
    if remove.open:
        with remove:
            _delete(customer_id, found)


def _change(customer_id: CustomerId, found: Reply, titles: dict[int, str]) -> None:
    allowed, schema = may("writer"), the_schema()
    faults = st.session_state.pop(f"faults-{customer_id}", {})
    form = f"change-{customer_id}"
    shown = opened(form, found, str(found.tag), schema.names[0])
    with st.form(form):
        given = attribute_fields(shown.values, shown.key, faults)
        sent = st.form_submit_button("Save and re-segment", type="primary", disabled=not allowed)
    if not sent:
        return
    values, wrong = check_attributes(schema, given)
    changed = {name: value for name, value in values.items() if value != shown.values.get(name)}
    if not wrong and not changed:
        st.info("There are no changes to save.")
        return
    with refusals_told():
        if not wrong:
            try:
                stored = service().update_customer(customer_id, changed, shown.tag)
            except ServiceError as refusal:
                if refusal.status != _INVALID:
                    raise
                wrong = faults_of(refusal)
            else:
                forget()
                close(form)
                where = titles[stored["segment"]]
                st.session_state[_DONE] = parts.literal(
                    f"Customer {id_of(customer_id)} is saved, and in {where}."
                )
        if wrong:
            st.session_state[f"faults-{customer_id}"] = wrong
        st.rerun()


def _delete(customer_id: CustomerId, found: Reply) -> None:
    if not may("writer"):
        return
    where = title_of({"number": found["segment"], "name": found["segment_name"]})
    st.write(
        "The customer goes from every page, and from every later training; its history stays. "
        f"It is in {parts.literal(where)}."
    )
    # Whoever is sure is so of the customer as it is shown: another tag, and another box.
    told = parts.label(id_of(customer_id))
    sure = st.checkbox(
        f"I want customer {told} to be deleted", key=f"sure-{customer_id}-{found.tag}"
    )
    if st.button("Delete", type="primary", disabled=not sure, icon=":material/delete:") and sure:
        with refusals_told():
            service().delete_customer(customer_id, found.tag)
            forget()
            st.session_state[_DONE] = parts.literal(f"Customer {id_of(customer_id)} is deleted.")
            st.rerun()
