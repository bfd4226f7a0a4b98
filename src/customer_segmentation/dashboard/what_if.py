"""The segment of anyone, as the inputs move; nothing is stored."""

from typing import Any

import streamlit as st

from customer_segmentation.client import ServiceError
from customer_segmentation.dashboard import parts
from customer_segmentation.dashboard.address_bar import follow, say
from customer_segmentation.dashboard.assignment import show_assignment
from customer_segmentation.dashboard.fields import about, check_id, example_values
from customer_segmentation.dashboard.service import (
    read_distributions,
    read_segments,
    refusals_told,
    service,
)
from customer_segmentation.dashboard.style import code_of, label_of, labelled, titles_of
from customer_segmentation.domain.attributes import Attribute
from customer_segmentation.domain.features import FEATURES
from customer_segmentation.domain.numbers import LARGEST_INTEGER, Number

_START, _STARTED = "what-if-start", "what-if started from"
_SLIDER, _NUMBER = "slider", "number"
_NUMBERS = [feature for feature in FEATURES if not feature.codes]
_CODES = [feature for feature in FEATURES if feature.codes]


def page() -> None:
    """Show inputs for every attribute, and which segment they lead to."""
    st.title("What if")
    parts.lead("Move a slider or enter a value, and see the segment at once. Nothing is stored.")
    with refusals_told():
        titles = titles_of(read_segments()["segments"])
        distributions = read_distributions()
        _start()
        # Only this part is run anew when an input moves.
        st.fragment(_explore)(titles, distributions)


def _start() -> None:
    """Set every input to what a customer is like, where one is asked for."""
    # Streamlit forgets the inputs while another page is shown.
    is_open = _START in st.session_state
    follow("id", _START, str)
    start = st.text_input(
        "Start from a customer",
        placeholder="an id, such as 56",
        icon=":material/search:",
        width=320,
        key=_START,
    )
    if is_open and st.session_state.get(_STARTED) == start:
        return
    values = example_values()
    if start:
        number, fault = check_id(start)
        if number is None:
            parts.wrong(str(fault))
            return
        try:
            found = service().get_customer(int(number))
        except ServiceError as refusal:
            if refusal.status != 404:
                raise
            parts.wrong(f"There is no customer with id {number:,}.")
            return
        values = {name: found[name] for name in values}
        say("id", str(number))
    for feature in FEATURES:
        value = values[feature.name]
        if feature.codes:
            st.session_state[_code_key(feature)] = int(value)
        else:
            _Inputs(feature).hold(_typed(feature, value), _SLIDER, _NUMBER)
    st.session_state[_STARTED] = start


def _explore(titles: dict[int, str], distributions: dict[str, dict[str, Any]]) -> None:
    inputs, answer = st.columns([5, 7], gap="large")
    with inputs:
        given: dict[str, Number] = {}
        for feature in _NUMBERS:
            given[feature.name] = _number(feature, distributions[feature.name])
        for feature, column in parts.in_rows(_CODES, 2):
            with column:
                given[feature.name] = _code(feature)
    ordered = {feature.name: given[feature.name] for feature in FEATURES}
    with answer, st.container(key="answer"), refusals_told():
        show_assignment(service().predict(ordered, explain=True), titles)


class _Inputs:
    """The slider and the number of an attribute, which show one value.

    What is changed in one gives the other a new key. Until the browser shows that, it sends what it
    shows still, which is no change: were the key the same, it would be one back.
    """

    def __init__(self, feature: Attribute) -> None:
        self._name = f"what-if-{feature.name}"
        example = _typed(feature, feature.accept(feature.example))
        self.value: Number = st.session_state.setdefault(self._name, example)

    def key(self, kind: str) -> str:
        """Return the key of one of them."""
        return f"{self._name}-{kind}-{st.session_state.get(self._count(kind), 0)}"

    def hold(self, value: Number, *others: str) -> None:
        """Show a value from now on, in others than where it was entered."""
        st.session_state[self._name] = value
        for kind in others:
            st.session_state[self._count(kind)] = st.session_state.get(self._count(kind), 0) + 1

    def follow(self, key: str, kind: str, other: str) -> None:
        """Show in the other what was entered in one, if that has its key still."""
        if key == self.key(kind):
            self.hold(st.session_state[key], other)

    def _count(self, kind: str) -> str:
        return f"{self._name}-{kind}s"


def _number(feature: Attribute, distribution: dict[str, Any]) -> Number:
    """Show a slider over the values that are usual, and an input for any other."""
    least, most = _range(feature, distribution)
    inputs = _Inputs(feature)
    slider, number = inputs.key(_SLIDER), inputs.key(_NUMBER)
    st.session_state.setdefault(slider, min(max(inputs.value, least), most))
    st.session_state.setdefault(number, inputs.value)
    left, right = st.columns([3, 2], vertical_alignment="bottom")
    with left:
        st.slider(
            labelled(feature),
            least,
            most,
            step=_typed(feature, _step(feature, most)),
            key=slider,
            on_change=inputs.follow,
            args=(slider, _SLIDER, _NUMBER),
            help=about(feature),
            format="localized",
        )
    with right:
        entered = st.number_input(
            f"{label_of(feature.name)}, exactly",
            min_value=None if feature.minimum is None else _typed(feature, feature.minimum),
            max_value=_typed(feature, feature.maximum or LARGEST_INTEGER - 1),
            step=_typed(feature, _step(feature, most)),
            key=number,
            on_change=inputs.follow,
            args=(number, _NUMBER, _SLIDER),
            label_visibility="collapsed",
        )
    return feature.accept(entered)


def _code(feature: Attribute) -> int:
    """Show the choices of a coded attribute."""
    key = _code_key(feature)
    st.session_state.setdefault(key, int(feature.example))
    chosen = st.selectbox(
        label_of(feature.name),
        list(feature.codes),
        format_func=lambda code: code_of(feature, code),
        help=about(feature),
        key=key,
    )
    return int(chosen)


def _code_key(feature: Attribute) -> str:
    return f"what-if-{feature.name}-code"


def _range(feature: Attribute, distribution: dict[str, Any]) -> tuple[Number, Number]:
    """Return the ends of a slider: what is allowed, or twice what nine in ten have."""
    if feature.minimum is not None and feature.maximum is not None:
        return feature.minimum, feature.maximum
    usual = distribution["groups"][-1]["least"] or feature.example
    most = _nice(2.0 * max(float(usual), float(feature.example)))
    least = -most / 4 if feature.minimum is None else feature.minimum
    return _typed(feature, least), _typed(feature, most)


def _nice(value: float) -> float:
    """Return the next number that starts with 1, 2 or 5 and goes on with zeros, or so."""
    size = 1.0
    while size * 10 <= value:
        size *= 10
    return next(first * size for first in (1, 2, 5, 10) if first * size >= value)


def _step(feature: Attribute, most: Number) -> Number:
    return 1 if feature.is_integer else max(float(most) / 200, 1.0)


def _typed(feature: Attribute, value: Number) -> Number:
    return int(value) if feature.is_integer else float(value)
