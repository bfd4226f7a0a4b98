"""Building an audience: fields that make its rule, a live count, and saving it.

The fields and the text say the same. What somebody writes into the text that no field can show
stays there, as further conditions beside those of the fields.
"""

from dataclasses import replace
from typing import Any

import streamlit as st

from customer_segmentation.client import ServiceError
from customer_segmentation.dashboard import parts
from customer_segmentation.dashboard.address_bar import moved, said, say
from customer_segmentation.dashboard.audiences.asking import ask
from customer_segmentation.dashboard.audiences.changing import DONE
from customer_segmentation.dashboard.audiences.composing import compose, further_than
from customer_segmentation.dashboard.audiences.figures import show_count
from customer_segmentation.dashboard.fields import faults_of
from customer_segmentation.dashboard.schema import the_schema
from customer_segmentation.dashboard.service import (
    forget,
    may,
    read_count,
    refusals_told,
    service,
)
from customer_segmentation.dashboard.style import titles_of

_ROUND = "how often the form of audiences was begun"
_FIELDS, _FURTHER = "rule of the fields", "rule of no field"
_TEXT = "audience-rule"
_TAKEN, _INVALID = 409, 422
_KINDS = {False: "Always current", True: "Frozen: a list of this moment"}


def build(segments: list[dict[str, Any]]) -> None:
    """Show the form and who meets its rule; save it under a name."""
    titles, schema = titles_of(segments), the_schema()
    # Streamlit forgets what fields hold while another tab is shown; the address does not.
    if moved("rule") or _key("segments") not in st.session_state:
        _begin(said("rule"))
    form, answer = st.columns([7, 5], gap="large")
    with form:
        choices = ask(schema, titles, _key)
        st.session_state[_FIELDS] = compose(choices, schema)
        rule = compose(replace(choices, further=st.session_state[_FURTHER]), schema)
        st.session_state[_TEXT] = rule
        st.text_area(
            "Rule",
            key=_TEXT,
            on_change=_take_text,
            height=130,
            max_chars=4_000,
            placeholder="segment = 2 AND days_in_segment >= 30",
            help="A condition as in SQL's WHERE. What you write here that no field can show, such "
            "as OR, NOT or consent('marketing', 'e-mail'), stays beside the fields.",
        )
    if rule != said("rule").strip():
        say("rule", rule)
    with answer, st.container(key="answer"), refusals_told():
        is_good = _show_count(rule, titles)
    if is_good:
        _save(rule)


def _key(field: str) -> str:
    return f"audience-{st.session_state.get(_ROUND, 0)}-{field}"


def _begin(further: str) -> None:
    """Empty the fields; a rule stays as text."""
    st.session_state[_ROUND] = st.session_state.get(_ROUND, 0) + 1
    st.session_state[_FURTHER] = further


def _take_text() -> None:
    """Keep of a text that was written what the fields do not say."""
    text = st.session_state[_TEXT]
    further = further_than(st.session_state[_FIELDS], text)
    if further is None:
        # As if a link had led here.
        st.query_params["rule"] = text
    else:
        st.session_state[_FURTHER] = further


def _show_count(rule: str, titles: dict[int, str]) -> bool:
    """Show how many meet a rule; return whether it is one."""
    if not rule:
        st.info("Choose at least one condition to see how many customers meet it.")
        return False
    try:
        count = read_count(rule)
    except ServiceError as refusal:
        if refusal.status != _INVALID:
            raise
        parts.wrong(faults_of(refusal).get("rule", str(refusal)))
        return False
    show_count(count, titles)
    return True


def _save(rule: str) -> None:
    st.subheader("Save")
    allowed = may("writer")
    with st.form("audience-save", enter_to_submit=False):
        left, right = st.columns(2)
        name = left.text_input("Name", max_chars=200, disabled=not allowed)
        name_fault = left.container()
        owner = right.text_input("Owner", max_chars=200, disabled=not allowed)
        description = st.text_area("Description", max_chars=2000, disabled=not allowed)
        is_frozen = st.radio(
            "Kind",
            list(_KINDS),
            format_func=_KINDS.__getitem__,
            horizontal=True,
            disabled=not allowed,
            help="A current audience follows every change of a customer; a frozen one keeps whom "
            "it has.",
        )
        if not st.form_submit_button("Save the audience", type="primary", disabled=not allowed):
            return
    with refusals_told():
        if not name.strip():
            with name_fault:
                parts.wrong("The audience needs a name.")
            return
        told = {"description": description, "owner": owner, "frozen": is_frozen}
        try:
            made = service().create_audience(name, rule, **told)
        except ServiceError as refusal:
            if refusal.status != _TAKEN:
                raise
            with name_fault:
                parts.wrong(str(refusal))
            return
        forget()
        st.session_state[DONE] = parts.literal(f"{name} is saved.")
        st.query_params.from_dict({"view": "one", "audience": str(made["id"])})
        st.rerun()
