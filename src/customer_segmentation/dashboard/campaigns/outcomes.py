"""Uploading what came of a campaign's customers."""

from typing import Any

import streamlit as st

from customer_segmentation.dashboard import parts
from customer_segmentation.dashboard.campaigns.rows import (
    Columns,
    Outcomes,
    read_outcomes,
    read_table,
)
from customer_segmentation.dashboard.schema import the_schema
from customer_segmentation.dashboard.service import forget, may, service
from customer_segmentation.domain.plurals import counted

_AT_ONCE = 10_000
_TOLD = 100
_REPORTED = "reported"
_TAKEN = "what became of reported outcomes"


def take_outcomes(campaign: dict[str, Any]) -> None:
    """Ask for a file and which columns say what, and report it."""
    outcome = campaign["plan"]["outcome"]
    if outcome["kind"] != _REPORTED:
        st.info("The outcomes come by themselves; a file may say who was addressed.")
    if done := st.session_state.pop(_TAKEN, None):
        st.success(done, icon=":material/check:")
    allowed = may("writer")
    file = st.file_uploader(
        "A CSV file with a row for each customer", type="csv", key=f"outcomes-{campaign['id']}"
    )
    if file is None:
        st.caption(
            f"With columns of ids, of {parts.literal(outcome['what'])} (a number, yes or no) and, "
            "if known, of who was addressed. Reported again, an outcome replaces the one before."
        )
        return
    try:
        names, rows = read_table(file.getvalue())
    except ValueError as fault:
        parts.wrong(f"{fault}.")
        return
    id_ = the_schema().id
    left, middle, right = st.columns(3)
    key = left.selectbox(
        "Ids", names, index=_place(names, id_.name, id_.record_name, "customer id", "id")
    )
    told = [None, *names]
    column = middle.selectbox(
        "Outcomes", told, index=_place(told, "outcome"), format_func=lambda one: one or "none"
    )
    addressed = right.selectbox(
        "Who was addressed",
        told,
        index=_place(told, "addressed"),
        format_func=lambda one: one or "not known",
    )
    if column is None and addressed is None:
        st.info("Choose the column of outcomes, or of who was addressed.")
        return
    found = read_outcomes(rows, Columns(key, column, addressed), id_)
    _show_faults(found)
    label = f"Report {counted(len(found.rows), 'customer')}"
    if st.button(label, type="primary", disabled=not allowed or not found.rows):
        _report(campaign, found)


def _report(campaign: dict[str, Any], found: Outcomes) -> None:
    noted = others = 0
    progress = st.progress(0.0)
    for start in range(0, len(found.rows), _AT_ONCE):
        piece = found.rows[start : start + _AT_ONCE]
        told = service().report_outcomes(campaign["id"], piece)
        noted, others = noted + told["noted"], others + told["others"]
        progress.progress((start + len(piece)) / len(found.rows))
    forget()
    st.session_state[_TAKEN] = (
        f"{counted(noted, 'customer')} noted, {others:,} not in the campaign, "
        f"{len(found.faults):,} rejected."
    )
    st.rerun()


def _show_faults(found: Outcomes) -> None:
    if found.faults:
        faults = [{"line": line, "reason": fault} for line, fault in found.faults.items()]
        st.markdown(f"**{counted(len(faults), 'row')} would not be taken**")
        parts.first_of(faults[:_TOLD], len(faults))


def _place(names: list[Any], *wanted: str) -> int:
    """Return where the first column is that is called so; the first one where none is."""
    known = {_words(name): place for place, name in reversed([*enumerate(names)]) if name}
    return next((known[_words(one)] for one in wanted if _words(one) in known), 0)


def _words(name: str) -> str:
    return name.casefold().replace("_", " ").strip()
