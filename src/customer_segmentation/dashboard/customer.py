"""One customer: find, look at, change, add and delete."""

from typing import Any

import streamlit as st

from customer_segmentation.client import ServiceError
from customer_segmentation.dashboard.assignment import names_of, show_assignment, show_history
from customer_segmentation.dashboard.forms import attribute_inputs, example_values
from customer_segmentation.dashboard.service import (
    forget,
    read_segments,
    refusals_told,
    service,
)
from customer_segmentation.dashboard.style import label_of, title_of
from customer_segmentation.domain.features import FEATURES

_FOUND = 200
_LARGEST_ID = 2**53 - 1


def page() -> None:
    """Show a customer, or look for some."""
    st.title("Customer")
    card, search, new = st.tabs(["By id", "Search", "Add"])
    with card, refusals_told():
        _show_card()
    with search, refusals_told():
        _search()
    with new, refusals_told():
        _add()


def _show_card() -> None:
    known = st.query_params.get("id", "56")
    first = int(known) if known.isdigit() else 56
    number = st.number_input("Customer id", 1, _LARGEST_ID, min(first, _LARGEST_ID), step=1)
    st.query_params["id"] = str(number)
    names = names_of(read_segments()["segments"])
    try:
        found = service().get_customer(number)
    except ServiceError as refusal:
        if refusal.status != 404:
            raise
        st.warning(f"There is no customer with id {number}. Add one on the tab *Add*.")
        return
    show_assignment(service().explain_customer(number), names, "card")
    history, change, remove = st.tabs(["History", "Change", "Delete"])
    with history:
        show_history(service().get_history(number)["changes"], names)
    with change:
        _change(number, found)
    with remove:
        _delete(number)


def _change(number: int, found: dict[str, Any]) -> None:
    with st.form(f"change-{number}"):
        given = attribute_inputs(found, f"change-{number}")
        if st.form_submit_button("Save and segment anew", type="primary"):
            changed = {name: value for name, value in given.items() if value != found[name]}
            with refusals_told():
                stored = service().update_customer(number, changed)
                forget()
                st.success(f"Saved. The customer is in segment {stored['segment']}.")


def _delete(number: int) -> None:
    sure = st.checkbox(f"I want customer {number} to be deleted", key=f"sure-{number}")
    if st.button("Delete", type="primary", disabled=not sure):
        with refusals_told():
            service().delete_customer(number)
            forget()
            st.success(f"Customer {number} is deleted.")


def _search() -> None:
    segments = read_segments()["segments"]
    left, middle, right = st.columns(3)
    chosen = left.selectbox(
        "In segment", [None, *segments], format_func=lambda s: title_of(s) if s else "any"
    )
    name = middle.selectbox("Sort by", [f.name for f in FEATURES], format_func=label_of, index=2)
    falling = right.toggle("Greatest first", value=True)
    selection: dict[str, object] = {"sort": f"-{name}" if falling else name, "limit": _FOUND}
    if chosen is not None:
        selection["segment"] = chosen["number"]
    st.markdown("**With values between**")
    columns = st.columns(3)
    for place, feature in enumerate(f for f in FEATURES if not f.codes):
        with columns[place % 3]:
            least = st.text_input(f"{label_of(feature.name)} from", key=f"from-{feature.name}")
            most = st.text_input(f"{label_of(feature.name)} to", key=f"to-{feature.name}")
        if least:
            selection[f"{feature.name}_min"] = least
        if most:
            selection[f"{feature.name}_max"] = most
    found = service().list_customers(None, **selection)["customers"]
    if not found:
        st.info("No customer is like that. Widen a range.")
        return
    st.write(f"The first {len(found):,} customers.")
    st.dataframe(
        [
            {
                "customer id": c["customer_id"],
                "segment": c["segment_name"],
                **{label_of(f.name): c[f.name] for f in FEATURES},
            }
            for c in found
        ],
        hide_index=True,
    )


def _add() -> None:
    with st.form("add"):
        number = st.number_input("New customer id", 1, _LARGEST_ID, 20_001, step=1)
        given = attribute_inputs(example_values(), "add")
        if st.form_submit_button("Add", type="primary"):
            with refusals_told():
                stored = service().add_customer(number, given)
                forget()
                st.success(
                    f"Customer {number} is added to segment {stored['segment']}, "
                    f"{stored['segment_name']}."
                )
