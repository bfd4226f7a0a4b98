"""The segment of anyone, as the inputs move; nothing is stored."""

import streamlit as st

from customer_segmentation.client import ServiceError
from customer_segmentation.dashboard.assignment import names_of, show_assignment
from customer_segmentation.dashboard.forms import attribute_inputs, example_values
from customer_segmentation.dashboard.service import read_segments, refusals_told, service


def page() -> None:
    """Show inputs for every attribute, and which segment they lead to."""
    st.title("What if")
    st.write("Nothing that you enter here is stored.")
    with refusals_told():
        names = names_of(read_segments()["segments"])
        start = st.text_input("Start from a customer's id", placeholder="56")
        values: dict[str, int | float] = example_values()
        if start.isdigit():
            try:
                found = service().get_customer(int(start))
                values = {name: found[name] for name in values}
            except ServiceError as refusal:
                st.warning(str(refusal))
        elif start:
            st.warning("An id is a whole number of at least 1.")
        given = attribute_inputs(values, f"what-if-{start}")
        show_assignment(service().predict(given, explain=True), names, "what-if")
