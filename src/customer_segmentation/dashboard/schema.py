"""The schema of the customers, as the service tells it."""

import streamlit as st

from customer_segmentation.dashboard.service import service
from customer_segmentation.domain.schema import Schema, make_schema

_FRESH_SECONDS = 5


@st.cache_data(ttl=_FRESH_SECONDS, show_spinner=False)
def the_schema() -> Schema:
    """Return what a customer is made of."""
    return make_schema(service().get_schema())
