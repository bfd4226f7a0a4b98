"""The card of a campaign: how far it is, and what can be done with it."""

from functools import partial
from html import escape
from typing import Any

import streamlit as st

from customer_segmentation.dashboard import parts
from customer_segmentation.dashboard.address_bar import follow, said, say
from customer_segmentation.dashboard.campaigns.forecast import show_forecast
from customer_segmentation.dashboard.campaigns.outcomes import take_outcomes
from customer_segmentation.dashboard.campaigns.read_out import show_read_out
from customer_segmentation.dashboard.data.exporting import FORMATS, export
from customer_segmentation.dashboard.service import (
    forget,
    may,
    read_forecast,
    refusals_told,
    service,
)
from customer_segmentation.dashboard.style import moment_of, number_of

DONE = "what was done with a campaign"
_CHOSEN = "campaign"
_PLANNED, _RUNNING = "planned", "running"


def show_card(campaigns: list[dict[str, Any]], audiences: dict[int, str]) -> None:
    """Show the campaign that is chosen.

    Args:
        campaigns: all of them.
        audiences: their names, by id.
    """
    if not campaigns:
        st.info("There is no campaign yet. Plan one on the tab *Plan*.")
        return
    by_id = {str(campaign["id"]): campaign for campaign in campaigns}
    first = next(iter(by_id))
    follow("campaign", _CHOSEN, lambda asked: asked if asked in by_id else None if asked else first)
    chosen = st.selectbox(
        "Which campaign",
        list(by_id),
        format_func=lambda one: str(by_id[one]["name"]),
        placeholder="Choose a campaign",
        width=420,
        key=_CHOSEN,
    )
    if chosen is None:
        st.info("There is no such campaign. Choose one of these.", icon=":material/campaign:")
        return
    # The first one is shown where the address names none.
    if chosen != first or said("campaign"):
        say("campaign", chosen)
    campaign = by_id[chosen]
    _show_head(campaign, audiences)
    if campaign["state"] == _PLANNED:
        _show_planned(campaign)
    else:
        _show_started(campaign)


def _show_head(campaign: dict[str, Any], audiences: dict[int, str]) -> None:
    plan, zone = campaign["plan"], st.context.timezone
    moment = campaign["ended_at"] or campaign["due_at"]
    ends = "ended" if campaign["ended_at"] else "ends"
    parts.tiles(
        [
            parts.Tile(
                "State",
                campaign["state"],
                "" if moment is None else f"{ends} {moment_of(moment, zone)}",
            ),
            parts.Tile(
                "Audience",
                audiences.get(campaign["audience_id"], "deleted"),
                f"{number_of(campaign['customers'])} customers drawn"
                if campaign["started_at"]
                else "drawn at the start",
            ),
            parts.Tile(
                "Arms",
                number_of(len(plan["arms"])),
                ", ".join(arm["name"] for arm in plan["arms"])
                + f"; {plan['holdout_percent']:g}% held out",
            ),
            parts.Tile(
                "To bring", plan["outcome"]["what"], f"within {plan['outcome']['days']} days"
            ),
        ]
    )
    if plan["description"]:
        # Markdown would make links of the addresses in it.
        st.html(f"<p>{escape(plan['description'])}</p>")


def _show_planned(campaign: dict[str, Any]) -> None:
    plan = {name: value for name, value in campaign["plan"].items() if value is not None}
    arms, outcome = plan.pop("arms"), plan.pop("outcome")
    left, right = st.columns(2, gap="large")
    with left, refusals_told():
        show_forecast(read_forecast(campaign["audience_id"], arms, outcome, plan), outcome)
    with right:
        st.subheader("Start")
        st.write(
            "The audience is drawn into the arms, and stays so whatever becomes of it. Export the "
            "arms then, and address them."
        )
        if may("writer"):
            _ask_and("start", campaign, "Start the campaign", "is running")
            _ask_and("delete", campaign, "Delete the campaign", "is deleted")


def _show_started(campaign: dict[str, Any]) -> None:
    key = f"campaign-{campaign['id']}-view"
    names = ["Read-out", "Export", "Outcomes", "End or delete"]
    brought, away, outcomes, end = st.tabs(names, key=key, on_change="rerun")
    if brought.open:
        with brought, refusals_told():
            show_read_out(service().read_out_campaign(campaign["id"]))
    if away.open:
        with away:
            _export(campaign)
    if outcomes.open:
        with outcomes, refusals_told():
            take_outcomes(campaign)
    if end.open and may("writer"):
        with end:
            if campaign["state"] == _RUNNING:
                st.write("Outcomes that come later count no more.")
                _ask_and("end", campaign, "End the campaign", "has ended")
            else:
                st.write("The campaign goes, with its arms and outcomes.")
                _ask_and("delete", campaign, "Delete the campaign", "is deleted")


def _ask_and(what: str, campaign: dict[str, Any], label: str, done: str) -> None:
    """Ask whether somebody is sure, and do it."""
    name = campaign["name"]
    sure = st.checkbox(f"I want to {what} {parts.label(name)}", key=f"sure-{what}-{campaign['id']}")
    if st.button(label, type="primary", disabled=not sure) and sure:
        with refusals_told():
            getattr(service(), f"{what}_campaign")(campaign["id"])
            forget()
            st.session_state[DONE] = parts.literal(f"{name} {done}.")
            if what == "delete":
                st.query_params.clear()
            st.rerun()


def _export(campaign: dict[str, Any]) -> None:
    chosen = st.selectbox("Format", list(FORMATS), width=320)
    form, ending = FORMATS[chosen]
    st.caption("Each customer with segment, confidence and strategy; the group is the arm.")
    st.download_button(
        f"Export the arms as {chosen}",
        data=partial(export, {}, form, campaign_id=campaign["id"]),
        file_name=f"campaign-{campaign['id']}.{ending}",
        on_click="ignore",
        icon=":material/download:",
        type="primary",
    )
