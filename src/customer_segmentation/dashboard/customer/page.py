"""One customer: find, look at, change, add and delete."""

import streamlit as st

from customer_segmentation.dashboard.customer.add import add_customer
from customer_segmentation.dashboard.customer.card import show_card
from customer_segmentation.dashboard.customer.search import CHOSEN, search
from customer_segmentation.dashboard.service import read_segments, refusals_told

_CARD, _SEARCH, _ADD = "Card", "Search", "Add"
_VIEW = "customer-view"


def page() -> None:
    """Show a customer, or look for some."""
    st.title("Customer")
    with refusals_told():
        segments = read_segments()["segments"]
        chosen = st.session_state.pop(CHOSEN, None)
        if chosen is not None:
            st.query_params["id"] = str(chosen)
            st.session_state[_VIEW] = _CARD
        card, find, new = st.tabs([_CARD, _SEARCH, _ADD], key=_VIEW, on_change="rerun")
        if card.open:
            with card, refusals_told():
                show_card(segments)
        if find.open:
            with find, refusals_told():
                search(segments)
        if new.open:
            with new, refusals_told():
                add_customer()
