"""Audiences: all of them, one of them, and building another."""

from typing import Any

import streamlit as st

from customer_segmentation.dashboard import parts
from customer_segmentation.dashboard.address_bar import tabs
from customer_segmentation.dashboard.audiences.building import build
from customer_segmentation.dashboard.audiences.card import kind_of, show_card
from customer_segmentation.dashboard.audiences.changing import DONE
from customer_segmentation.dashboard.service import (
    read_audiences,
    read_segments,
    refusals_told,
)
from customer_segmentation.domain.plurals import counted

_VIEWS = {"": "All", "one": "Audience", "build": "Build"}
"""By what the address says, the tab."""

_VIEW = "audiences-view"


def page() -> None:
    """Show the tab that the address names."""
    st.title("Audiences")
    with refusals_told():
        found, audiences = read_segments(), read_audiences()
        if done := st.session_state.pop(DONE, None):
            st.success(done, icon=":material/check:")
        every, one, new = tabs(_VIEWS, _VIEW)
        if every.open:
            with every, refusals_told():
                _show_all(audiences, found["customers"])
        if one.open:
            with one, refusals_told():
                show_card(audiences, found)
        if new.open:
            with new, refusals_told():
                build(found["segments"])


def _show_all(audiences: list[dict[str, Any]], customers: int) -> None:
    if not audiences:
        st.info(
            "There is no audience yet. Say on the tab *Build* whom you want to address.",
            icon=":material/campaign:",
        )
        return
    parts.lead(f"{counted(len(audiences), 'audience')}. Choose a row to look closer.")
    rows = [_row(audience, customers) for audience in audiences]
    chosen = st.dataframe(
        rows,
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        key="audiences",
        column_config={
            "name": st.column_config.TextColumn("Name", width="medium"),
            "customers": st.column_config.NumberColumn("Customers", format="localized"),
            "share": st.column_config.NumberColumn("Share", format="percent"),
            "kind": "Kind",
            "owner": "Owner",
            "rule": st.column_config.TextColumn("Rule", width="large"),
        },
        placeholder="hidden",
    )["selection"]["rows"]
    parts.download(rows, "audiences")
    if chosen:
        st.query_params.from_dict({"view": "one", "audience": str(audiences[chosen[0]]["id"])})
        st.rerun()


def _row(audience: dict[str, Any], customers: int) -> dict[str, Any]:
    size = audience["size"]
    return {
        "name": audience["name"],
        "customers": size,
        "share": None if size is None or not customers else size / customers,
        "kind": kind_of(audience),
        "owner": audience["owner"],
        "rule": " ".join(audience["rule"].split()),
    }
