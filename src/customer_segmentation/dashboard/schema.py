"""The schema of the customers, as the service tells it."""

from collections.abc import Iterable
from typing import Any

import streamlit as st

from customer_segmentation.dashboard.service import service
from customer_segmentation.domain.attributes import Attribute
from customer_segmentation.domain.schema import Schema, make_schema

_FRESH_SECONDS = 5


@st.cache_data(ttl=_FRESH_SECONDS, show_spinner=False)
def the_schema() -> Schema:
    """Return what a customer is made of."""
    return make_schema(service().get_schema())


def declared(entries: Iterable[dict[str, Any]]) -> list[tuple[Attribute, dict[str, Any]]]:
    """Return what is told of attributes, each with its declaration.

    A model may have been trained on one that the schema has no more: that is left out.
    """
    known = the_schema().by_name
    return [(known[entry["attribute"]], entry) for entry in entries if entry["attribute"] in known]
