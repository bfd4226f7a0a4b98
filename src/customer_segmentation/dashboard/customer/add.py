"""Adding a customer."""

import streamlit as st

from customer_segmentation.client import ServiceError
from customer_segmentation.dashboard.fields import (
    attribute_fields,
    check_attributes,
    check_id,
    faults_of,
    id_field,
)
from customer_segmentation.dashboard.service import forget, may, refusals_told, service
from customer_segmentation.domain.features import CUSTOMER_ID

_FAULTS, _ADDED = "faults of a new customer", "customer that was added"
_TAKEN, _INVALID = 409, 422


def add_customer() -> None:
    """Ask for a new customer's id and attributes, and add it."""
    allowed = may("writer")
    faults = st.session_state.pop(_FAULTS, {})
    done = st.session_state.pop(_ADDED, None)
    if done:
        st.success(done, icon=":material/check:")
    with st.form("add"):
        identifier = id_field("New customer id", "", "add-id", faults.get(CUSTOMER_ID.name))
        given = attribute_fields({}, "add", faults)
        if not st.form_submit_button("Add", type="primary", disabled=not allowed):
            return
    number, fault = check_id(identifier)
    values, wrong = check_attributes(given)
    if fault:
        wrong[CUSTOMER_ID.name] = fault
    with refusals_told():
        if number is not None and not wrong:
            try:
                stored = service().add_customer(int(number), values)
            except ServiceError as refusal:
                if refusal.status not in (_TAKEN, _INVALID):
                    raise
                wrong = faults_of(refusal) or {CUSTOMER_ID.name: str(refusal)}
            else:
                forget()
                st.session_state[_ADDED] = (
                    f"Customer {number:,} is added, and in segment {stored['segment']}: "
                    f"{stored['segment_name']}."
                )
        if wrong:
            st.session_state[_FAULTS] = wrong
        st.rerun()
