"""The fields of the form that builds an audience."""

from collections.abc import Callable
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from customer_segmentation.dashboard import parts
from customer_segmentation.dashboard.audiences.composing import Choices, Lacking, Move, Wanted
from customer_segmentation.dashboard.fields import about, may_lack
from customer_segmentation.dashboard.style import choices_of, label_of, labelled
from customer_segmentation.domain.attributes import Attribute, Value
from customer_segmentation.domain.rules import MOST_DAYS
from customer_segmentation.domain.schema import Schema

KeyOf = Callable[[str], str]

_MONTH = 30
_OUTLIERS = {None: "any", True: "outliers only", False: "no outliers"}


def ask(schema: Schema, titles: dict[int, str], key_of: KeyOf) -> Choices:
    """Show the fields; return what is chosen there.

    Args:
        schema: of the customers.
        titles: of the segments, by number.
        key_of: returns a field's key from its name.
    """
    segments = st.multiselect(
        "In segments",
        list(titles),
        format_func=titles.__getitem__,
        placeholder="any",
        key=key_of("segments"),
    )
    attributes = {one.name: one for one in schema.attributes}
    chosen = st.multiselect(
        "Attributes",
        list(attributes),
        format_func=lambda name: label_of(attributes[name]),
        placeholder="Choose what customers are to be like",
        key=key_of("attributes"),
    )
    wanted = {name: _wanted(attributes[name], key_of) for name in chosen}
    with st.expander("Time, moves and confidence", icon=":material/schedule:"):
        least, most = st.columns(2)
        least_days = _days(least, "Days in the segment, from", key_of("least-days"))
        most_days = _days(most, "Days in the segment, to", key_of("most-days"))
        entered = _move("Entered segment", titles, key_of, "entered")
        left = _move("Left segment", titles, key_of, "left")
        sure, outlying = st.columns(2)
        confidence = sure.number_input(
            "Confidence, from",
            min_value=0.0,
            max_value=1.0,
            value=None,
            step=0.05,
            placeholder="any",
            help="How sure the assignment to the segment is, from 0 to 1.",
            key=key_of("confidence"),
        )
        outliers = outlying.selectbox(
            "Outliers",
            list(_OUTLIERS),
            format_func=_OUTLIERS.__getitem__,
            help="Customers who are far from every segment.",
            key=key_of("outliers"),
        )
    return Choices(
        tuple(segments), wanted, least_days, most_days, entered, left, confidence, outliers
    )


def _wanted(attribute: Attribute, key_of: KeyOf) -> Wanted:
    if choices := choices_of(attribute):
        return _among(attribute, choices, key_of)
    label = parts.label(labelled(attribute))
    limits: dict[str, Any] = {"min_value": attribute.minimum, "max_value": attribute.maximum}
    if not attribute.is_integer:
        limits = {name: None if end is None else float(end) for name, end in limits.items()}
    common = {"value": None, "placeholder": "any", "help": about(attribute), **limits}
    lacks = may_lack(attribute)
    first, second, *third = st.columns(3 if lacks else 2)
    least = first.number_input(f"{label}, from", key=key_of(f"from-{attribute.name}"), **common)
    most = second.number_input(f"{label}, to", key=key_of(f"to-{attribute.name}"), **common)
    if least is not None and most is not None and least > most:
        parts.wrong(f"{label_of(attribute)} begins above its end, so nobody is like that.")
    return Wanted(least, most, lacking=_lacking(third, attribute, key_of))


def _among(attribute: Attribute, choices: dict[Value, str], key_of: KeyOf) -> Wanted:
    first, *second = st.columns([2, 1] if may_lack(attribute) else 1)
    values = first.multiselect(
        parts.label(label_of(attribute)),
        list(choices),
        format_func=choices.__getitem__,
        placeholder="any",
        help=about(attribute),
        key=key_of(f"among-{attribute.name}"),
    )
    return Wanted(values=tuple(values), lacking=_lacking(second, attribute, key_of))


def _lacking(place: list[DeltaGenerator], attribute: Attribute, key_of: KeyOf) -> Lacking:
    """Ask about those who lack an attribute, where there is a place for it."""
    if not place:
        return Lacking.OUT
    label = "Those of whom it is not known"
    chosen = place[0].selectbox(label, list(Lacking), key=key_of(f"lacking-{attribute.name}"))
    return chosen or Lacking.OUT


def _days(place: DeltaGenerator, label: str, key: str) -> int | None:
    days: int | None = place.number_input(
        label, min_value=0, max_value=MOST_DAYS, value=None, placeholder="any", key=key
    )
    return days


def _move(label: str, titles: dict[int, str], key_of: KeyOf, name: str) -> Move | None:
    where, when = st.columns(2)
    segment = where.selectbox(
        label,
        [None, *titles],
        format_func=lambda number: "any" if number is None else titles[number],
        key=key_of(name),
    )
    days = when.number_input(
        f"{label} within days",
        min_value=1,
        max_value=MOST_DAYS,
        value=_MONTH,
        disabled=segment is None,
        help="Today is the first of them.",
        key=key_of(f"{name}-days"),
    )
    return None if segment is None else Move(segment, days)
