"""Adding a customer."""

import streamlit as st

from customer_segmentation.client import ServiceError
from customer_segmentation.dashboard import parts
from customer_segmentation.dashboard.fields import (
    attribute_fields,
    check_attributes,
    check_id,
    default_values,
    faults_of,
    id_field,
)
from customer_segmentation.dashboard.schema import the_schema
from customer_segmentation.dashboard.service import forget, may, refusals_told, service
from customer_segmentation.dashboard.style import id_of

_FAULTS, _ADDED = "faults of a new customer", "customer that was added"
_TAKEN, _INVALID = 409, 422


def add_customer() -> None:
    """Ask for a new customer's id and attributes, and add it."""
    allowed, schema = may("writer"), the_schema()
    faults = st.session_state.pop(_FAULTS, {})
    done = st.session_state.pop(_ADDED, None)
    if done:
        st.success(done, icon=":material/check:")
    with st.form("add"):
        label = parts.label(f"New {schema.id.title}")
        identifier = id_field(label, "", "add-id", faults.get(schema.id.name))
        given = attribute_fields(default_values(schema), "add", faults)
        if not st.form_submit_button("Add", type="primary", disabled=not allowed):
            return
    customer_id, fault = check_id(schema, identifier)
    values, wrong = check_attributes(schema, given)
    if fault:
        wrong[schema.id.name] = fault
    with refusals_told():
        if not wrong:
            try:
                stored = service().add_customer(customer_id, values, schema.id.name)
            except ServiceError as refusal:
                if refusal.status not in (_TAKEN, _INVALID):
                    raise
                wrong = faults_of(refusal) or {schema.id.name: str(refusal)}
            else:
                forget()
                st.session_state[_ADDED] = parts.literal(
                    f"Customer {id_of(customer_id)} is added, and in segment {stored['segment']}: "
                    f"{stored['segment_name']}."
                )
        if wrong:
            st.session_state[_FAULTS] = wrong
        st.rerun()
