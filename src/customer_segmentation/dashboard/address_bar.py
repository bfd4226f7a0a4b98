"""What the address says of a page, so that a link, Back and a bookmark lead where they should."""

from collections.abc import Callable
from typing import TypeVar

import streamlit as st

Value = TypeVar("Value")


def follow(name: str, key: str, read: Callable[[str], Value]) -> None:
    """Put what the address says into a widget, where a link or Back has changed it.

    Args:
        name: of the query parameter.
        key: of the widget, which is about to be shown.
        read: returns the widget's value from the parameter's text, which is empty for none.
    """
    said = st.query_params.get(name, "")
    if key not in st.session_state or st.session_state.get(_seen(name)) != said:
        st.session_state[_seen(name)] = said
        st.session_state[key] = read(said)


def say(name: str, text: str) -> None:
    """Let the address say what a widget holds, if somebody has chosen that there."""
    if st.session_state.get(_seen(name)) != text:
        st.session_state[_seen(name)] = text
        # Each is a step that Back goes back by.
        st.query_params[name] = text


def _seen(name: str) -> str:
    return f"what the address said of {name}"
