"""Planning a campaign: what is done to whom, what it is to bring, and what it could show."""

from typing import Any

import streamlit as st

from customer_segmentation.client import ServiceError
from customer_segmentation.dashboard import parts
from customer_segmentation.dashboard.campaigns.card import DONE
from customer_segmentation.dashboard.campaigns.forecast import show_forecast
from customer_segmentation.dashboard.fields import faults_of
from customer_segmentation.dashboard.schema import the_schema
from customer_segmentation.dashboard.service import (
    forget,
    may,
    read_forecast,
    refusals_told,
    service,
)
from customer_segmentation.dashboard.style import choices_of, label_of
from customer_segmentation.domain.segments import ANY_CHANNEL

_MOST_ARMS = 20
_TAKEN, _INVALID = 409, 422
_KINDS = {
    "reported": "a file that you upload",
    "transactions": "their transactions",
    "attribute": "how an attribute changes",
    "segment": "which segment they enter",
}
_MEASURES = {"any": "whether there is any", "count": "how many", "sum": "the sum of amounts"}
_FIXED = {"attribute": "sum", "segment": "any"}
"""By where outcomes come from, what alone can be measured of them."""

Titles = dict[int, str]


def plan(audiences: dict[int, str], titles: Titles) -> None:
    """Show the form and what such a campaign could show; save it.

    Args:
        audiences: their names, by id.
        titles: of the segments, by number.
    """
    if not audiences:
        st.info("A campaign addresses an audience. Build one on the page *Audiences* first.")
        return
    allowed = may("writer")
    form, answer = st.columns([7, 5], gap="large")
    with form:
        left, right = st.columns(2)
        audience_id = left.selectbox("Audience", list(audiences), format_func=audiences.__getitem__)
        name = right.text_input("Name", max_chars=200, help="It draws who is held out.")
        arms = _ask_arms()
        outcome = _ask_outcome(titles)
        asked = _ask_expected(outcome["measure"])
    if not arms or not outcome["what"]:
        with answer:
            st.info("Name at least one arm, and what the campaign is to bring.")
        return
    with answer, st.container(key="answer"), refusals_told():
        if not _forecast(audience_id, arms, outcome, asked):
            return
        if st.button("Plan the campaign", type="primary", disabled=not allowed):
            _save(name, audience_id, arms, outcome, asked)


def _ask_arms() -> list[dict[str, Any]]:
    """Ask what is done; each arm is done to the same share of those who are not held out."""
    count = st.number_input(
        "Number of arms",
        1,
        _MOST_ARMS,
        1,
        help="What is done, each to the same share of those who are not held out.",
    )
    channels = [ANY_CHANNEL, *the_schema().channels]
    arms = []
    for number in range(1, count + 1):
        first, second, third, fourth = st.columns([4, 4, 3, 3])
        arms.append(
            {
                "name": first.text_input(f"Arm {number}", placeholder="Cashback", max_chars=200),
                "strategy": second.text_input(f"What is done in arm {number}", max_chars=500),
                "channel": third.selectbox(f"Channel of arm {number}", channels),
                "cost": fourth.number_input(
                    f"Cost of arm {number}", 0.0, help="Of each customer who is addressed."
                ),
            }
        )
    return [arm for arm in arms if str(arm["name"]).strip()]


def _ask_outcome(titles: Titles) -> dict[str, Any]:
    left, middle, right = st.columns(3)
    outcome: dict[str, Any] = {
        "what": left.text_input("What it is to bring", placeholder="renewals", max_chars=200)
    }
    kind = middle.selectbox("As shown by", list(_KINDS), format_func=_KINDS.__getitem__)
    measures = [_FIXED[kind]] if kind in _FIXED else list(_MEASURES)
    measure = right.selectbox("What counts", measures, format_func=_MEASURES.__getitem__)
    outcome |= {"kind": kind, "measure": measure, "unit": ""}
    attributes = {one.name: one for one in the_schema().attributes if not choices_of(one)}
    if kind == "attribute":
        outcome["attribute"] = st.selectbox(
            "Attribute", list(attributes), format_func=lambda one: label_of(attributes[one])
        )
    if kind == "segment":
        outcome["segments"] = st.multiselect(
            "Segments to be entered", list(titles), format_func=titles.__getitem__
        )
    left, middle, right = st.columns(3)
    outcome["days"] = left.number_input(
        "For days", 1, 3_650, 30, help="So long after the start outcomes count."
    )
    outcome["value"] = middle.number_input(
        "Worth of one, in money", value=None, placeholder="not known"
    )
    outcome["covariate"] = right.selectbox(
        "Known before",
        [None, *attributes],
        format_func=lambda one: "nothing" if one is None else label_of(attributes[one]),
        help="An attribute whose value at the start explains part of the outcome: it takes noise "
        "out (CUPED).",
    )
    if measure == "sum":
        outcome["unit"] = st.text_input("Unit", placeholder="EUR", max_chars=20)
    return outcome


def _ask_expected(measure: str) -> dict[str, Any]:
    left, middle, right = st.columns(3)
    asked: dict[str, Any] = {
        "holdout_percent": left.number_input("Hold out, in percent", 0.1, 99.0, 10.0, 5.0)
    }
    if measure == "any":
        share = middle.number_input(
            "Expected anyway, in percent",
            0.1,
            99.9,
            10.0,
            1.0,
            help="How many would do so without the campaign.",
        )
        asked["expected_rate"] = share / 100
    else:
        asked["expected_deviation"] = middle.number_input(
            "Standard deviation", 0.001, None, 1.0, help="How much customers differ in it."
        )
    asked["owner"] = right.text_input("Owner", max_chars=200)
    asked["purpose"] = st.text_input(
        "Only who agreed to",
        placeholder="nobody is asked",
        max_chars=100,
        help="A purpose such as marketing: who has not agreed to it on the channel is left out.",
    )
    asked["description"] = st.text_area("Description", max_chars=2_000, height=80)
    return asked


def _forecast(
    audience_id: int,
    arms: list[dict[str, Any]],
    outcome: dict[str, Any],
    asked: dict[str, Any],
) -> bool:
    """Show what a campaign could show; return whether it could be planned so."""
    try:
        told = read_forecast(audience_id, arms, outcome, asked)
    except ServiceError as refusal:
        if refusal.status != _INVALID:
            raise
        for message in faults_of(refusal).values() or [str(refusal)]:
            parts.wrong(message)
        return False
    show_forecast(told, outcome)
    return True


def _save(
    name: str,
    audience_id: int,
    arms: list[dict[str, Any]],
    outcome: dict[str, Any],
    asked: dict[str, Any],
) -> None:
    if not name.strip():
        parts.wrong("The campaign needs a name.")
        return
    try:
        made = service().create_campaign(name, audience_id, arms, outcome, **asked)
    except ServiceError as refusal:
        if refusal.status != _TAKEN:
            raise
        parts.wrong(str(refusal))
        return
    forget()
    st.session_state[DONE] = parts.literal(f"{name} is planned.")
    st.query_params.from_dict({"view": "one", "campaign": str(made["id"])})
    st.rerun()
