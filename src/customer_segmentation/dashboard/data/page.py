"""Data in and out."""

import streamlit as st

from customer_segmentation.dashboard.data.exporting import show_export
from customer_segmentation.dashboard.data.importing import show_import
from customer_segmentation.dashboard.data.own_table import show_own_table
from customer_segmentation.dashboard.service import refusals_told


def page() -> None:
    """Show import, export, and how an own table begins."""
    st.title("Data")
    tabs = ["Import", "Export", "Own table"]
    bring, take, own = st.tabs(tabs, key="data-view", on_change="rerun")
    if bring.open:
        with bring, refusals_told():
            show_import()
    if take.open:
        with take, refusals_told():
            show_export()
    if own.open:
        with own, refusals_told():
            show_own_table()
