"""The segment of anyone, as the inputs move; nothing is stored."""

from typing import Any

import streamlit as st

from customer_segmentation.client import ServiceError
from customer_segmentation.dashboard import parts
from customer_segmentation.dashboard.address_bar import follow, say
from customer_segmentation.dashboard.assignment import show_assignment
from customer_segmentation.dashboard.fields import about, check_id, example_values, may_lack
from customer_segmentation.dashboard.schema import the_schema
from customer_segmentation.dashboard.service import (
    read_distributions,
    read_segments,
    refusals_told,
    service,
)
from customer_segmentation.dashboard.style import (
    choices_of,
    id_of,
    label_of,
    labelled,
    titles_of,
)
from customer_segmentation.domain.attributes import NOT_KNOWN, Attribute, Value
from customer_segmentation.domain.numbers import LARGEST_INTEGER, Number
from customer_segmentation.domain.schema import Schema

_START, _STARTED = "what-if-start", "what-if started from"
_SLIDER, _NUMBER = "slider", "number"

Distributions = dict[str, dict[str, Any]]


def page() -> None:
    """Show inputs for every attribute, and which segment they lead to."""
    st.title("What if")
    parts.lead("Move a slider or enter a value, and see the segment at once. Nothing is stored.")
    with refusals_told():
        titles = titles_of(read_segments()["segments"])
        schema, distributions = the_schema(), read_distributions()
        _start(schema)
        # Only this part is run anew when an input moves.
        st.fragment(_explore)(schema, titles, distributions)


def _start(schema: Schema) -> None:
    """Set every input to what a customer is like, where one is asked for."""
    # Streamlit forgets the inputs while another page is shown.
    is_open = _START in st.session_state
    follow("id", _START, str)
    start = st.text_input(
        "Start from a customer",
        placeholder=f"a {schema.id.title}",
        icon=":material/search:",
        width=320,
        key=_START,
    )
    if is_open and st.session_state.get(_STARTED) == start:
        return
    values = example_values(schema)
    if start:
        customer_id, fault = check_id(schema, start)
        if fault:
            parts.wrong(fault)
            return
        try:
            found = service().get_customer(customer_id)
        except ServiceError as refusal:
            if refusal.status != 404:
                raise
            parts.wrong(f"There is no customer with id {id_of(customer_id)}.")
            return
        values = {name: found[name] for name in values}
        say("id", str(customer_id))
    for attribute in schema.attributes:
        value = values[attribute.name]
        if choices_of(attribute):
            st.session_state[_choice_key(attribute)] = value
        else:
            _Inputs(attribute).hold(_typed(attribute, value))
    st.session_state[_STARTED] = start


def _explore(schema: Schema, titles: dict[int, str], distributions: Distributions) -> None:
    inputs, answer = st.columns([5, 7], gap="large")
    numbers = [one for one in schema.attributes if not choices_of(one)]
    others = [one for one in schema.attributes if choices_of(one)]
    with inputs:
        given: dict[str, Value | None] = {}
        for attribute in numbers:
            given[attribute.name] = _number(attribute, distributions.get(attribute.name))
        for attribute, column in parts.in_rows(others, 2):
            with column:
                given[attribute.name] = _choice(attribute)
    ordered = {name: given[name] for name in schema.names}
    with answer, st.container(key="answer"), refusals_told():
        show_assignment(service().predict(ordered, explain=True), titles)


class _Inputs:
    """The slider and the number of an attribute, which show one value.

    What is changed in one is set in the other. Until the browser shows that, it sends what it shows
    still, which is no change: it must not be taken for one back.
    """

    def __init__(self, attribute: Attribute) -> None:
        self._name = f"what-if-{attribute.name}"
        self.example: Any = _typed(attribute, attribute.example)
        self.value: Any = st.session_state.setdefault(self._name, self.example)

    def key(self, kind: str) -> str:
        """Return the key of one of them."""
        return f"{self._name}-{kind}"

    def hold(self, value: Number | None) -> None:
        """Show a value from now on."""
        st.session_state[self._name] = value

    def show(self, kind: str, value: Number | None) -> None:
        """Set one of them to a value before it is drawn."""
        key = self.key(kind)
        if key not in st.session_state:
            st.session_state.pop(self._shown_still(kind), None)
        elif st.session_state[key] == value:
            # The browser shows it by now.
            st.session_state.pop(self._shown_still(kind), None)
            return
        else:
            st.session_state[self._shown_still(kind)] = st.session_state[key]
        st.session_state[key] = value

    def follow(self, kind: str) -> None:
        """Hold what was entered in one of them, unless the browser only shows it still."""
        entered, still = st.session_state[self.key(kind)], self._shown_still(kind)
        if still not in st.session_state or st.session_state[still] != entered:
            self.hold(entered)

    def _shown_still(self, kind: str) -> str:
        return f"{self.key(kind)}-shown-still"


def _number(attribute: Attribute, distribution: dict[str, Any] | None) -> Value | None:
    """Show a slider over the values that are usual, and an input for any other."""
    least, most = _range(attribute, distribution)
    inputs = _Inputs(attribute)
    shown = inputs.example if inputs.value is None else inputs.value
    inputs.show(_SLIDER, min(max(shown, least), most))
    inputs.show(_NUMBER, inputs.value)
    step = _typed(attribute, _step(attribute, most))
    left, right = st.columns([3, 2], vertical_alignment="bottom")
    with left:
        st.slider(
            parts.label(labelled(attribute)),
            least,
            most,
            step=step,
            key=inputs.key(_SLIDER),
            on_change=inputs.follow,
            args=(_SLIDER,),
            help=about(attribute),
            format="localized",
        )
    with right:
        entered = st.number_input(
            f"{parts.label(label_of(attribute))}, exactly",
            min_value=_typed(attribute, attribute.minimum),
            max_value=_typed(attribute, _most(attribute)),
            # An input that begins empty can be emptied again.
            value=None if may_lack(attribute) else "min",
            placeholder=NOT_KNOWN,
            step=step,
            key=inputs.key(_NUMBER),
            on_change=inputs.follow,
            args=(_NUMBER,),
            label_visibility="collapsed",
        )
    return None if entered is None else attribute.accept(entered)


def _choice(attribute: Attribute) -> Value | None:
    """Show what an attribute may be."""
    key, choices = _choice_key(attribute), choices_of(attribute)
    st.session_state.setdefault(key, attribute.example)
    chosen: Value | None = st.selectbox(
        parts.label(label_of(attribute)),
        [*choices, *([None] if may_lack(attribute) else [])],
        format_func=lambda choice: choices.get(choice, NOT_KNOWN),
        help=about(attribute),
        key=key,
    )
    return chosen


def _choice_key(attribute: Attribute) -> str:
    return f"what-if-{attribute.name}-choice"


def _most(attribute: Attribute) -> int:
    return LARGEST_INTEGER - 1 if attribute.maximum is None else attribute.maximum


def _range(attribute: Attribute, distribution: dict[str, Any] | None) -> tuple[Any, Any]:
    """Return the ends of a slider: what is allowed, up to twice what nine in ten have."""
    usual = None if distribution is None else distribution["groups"][-1]["least"]
    example = float(attribute.example)
    most: Number = _nice(2.0 * max(float(usual or 0.0), example, 0.5))
    if attribute.maximum is not None:
        most = min(most, attribute.maximum)
    least = min(-most / 4, example) if attribute.minimum is None else attribute.minimum
    return _typed(attribute, least), _typed(attribute, most)


def _nice(value: float) -> float:
    """Return the next number that starts with 1, 2 or 5 and goes on with zeros, or so."""
    size = 1.0
    while size * 10 <= value:
        size *= 10
    return next(first * size for first in (1, 2, 5, 10) if first * size >= value)


def _step(attribute: Attribute, most: float) -> Number:
    if attribute.is_integer:
        return 1
    return max(most / 200, 1.0) if most > 10 else 0.01


def _typed(attribute: Attribute, value: Any) -> Any:  # noqa: ANN401
    """Return a number as Streamlit wants all numbers of an input; what is not known as it is."""
    if value is None:
        return None
    return int(value) if attribute.is_integer else float(value)
