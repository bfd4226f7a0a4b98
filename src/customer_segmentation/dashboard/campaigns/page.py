"""Campaigns: all of them, one of them, and planning another."""

from typing import Any

import streamlit as st

from customer_segmentation.dashboard import parts
from customer_segmentation.dashboard.address_bar import tabs
from customer_segmentation.dashboard.campaigns.card import DONE, show_card
from customer_segmentation.dashboard.campaigns.planning import plan
from customer_segmentation.dashboard.service import (
    read_audiences,
    read_campaigns,
    read_segments,
    refusals_told,
)
from customer_segmentation.dashboard.style import titles_of
from customer_segmentation.domain.plurals import counted

_VIEWS = {"": "All", "one": "Campaign", "plan": "Plan"}
"""By what the address says, the tab."""

_VIEW = "campaigns-view"


def page() -> None:
    """Show the tab that the address names."""
    st.title("Campaigns")
    with refusals_told():
        segments, audiences = read_segments()["segments"], read_audiences()
        campaigns = read_campaigns()
        if done := st.session_state.pop(DONE, None):
            st.success(done, icon=":material/check:")
        every, one, new = tabs(_VIEWS, _VIEW)
        names = {audience["id"]: str(audience["name"]) for audience in audiences}
        if every.open:
            with every, refusals_told():
                _show_all(campaigns, names)
        if one.open:
            with one, refusals_told():
                show_card(campaigns, names)
        if new.open:
            with new, refusals_told():
                plan(names, titles_of(segments))


def _show_all(campaigns: list[dict[str, Any]], audiences: dict[int, str]) -> None:
    if not campaigns:
        st.info(
            "There is no campaign yet. Say on the tab *Plan* whom you address with what.",
            icon=":material/campaign:",
        )
        return
    parts.lead(f"{counted(len(campaigns), 'campaign')}. Choose a row to look closer.")
    rows = [
        {
            "name": one["name"],
            "state": one["state"],
            "audience": audiences.get(one["audience_id"], "deleted"),
            "customers": one["customers"] or None,
            "brings": one["plan"]["outcome"]["what"],
            "owner": one["plan"]["owner"],
            "started": (one["started_at"] or "")[:10],
            "ended": (one["ended_at"] or "")[:10],
        }
        for one in campaigns
    ]
    chosen = st.dataframe(
        rows,
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        key="campaigns",
        column_config={
            name: st.column_config.NumberColumn("Customers", format="localized")
            if name == "customers"
            else name.capitalize()
            for name in rows[0]
        },
        placeholder="none yet",
    )["selection"]["rows"]
    parts.download(rows, "campaigns")
    if chosen:
        st.query_params.from_dict({"view": "one", "campaign": str(campaigns[chosen[0]]["id"])})
        st.rerun()
