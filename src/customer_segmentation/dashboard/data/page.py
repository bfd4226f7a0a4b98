"""Data in and out."""

import streamlit as st

from customer_segmentation.dashboard.data.exporting import show_export
from customer_segmentation.dashboard.data.importing import show_import
from customer_segmentation.dashboard.service import refusals_told


def page() -> None:
    """Show import and export."""
    st.title("Data")
    bring, take = st.tabs(["Import", "Export"], key="data-view", on_change="rerun")
    if bring.open:
        with bring, refusals_told():
            show_import()
    if take.open:
        with take, refusals_told():
            show_export()
