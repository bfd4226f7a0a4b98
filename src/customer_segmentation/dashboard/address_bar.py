"""What the address says of a page, so that a link, Back and a bookmark lead where they should."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import streamlit as st
from streamlit.elements.lib.mutable_tab_container import TabContainer

Value = TypeVar("Value")


def follow(name: str, key: str, read: Callable[[str], Value]) -> None:
    """Put what the address says into a widget, where a link or Back has changed it.

    Args:
        name: of the query parameter.
        key: of the widget, which is about to be shown.
        read: returns the widget's value from the parameter's text, which is empty for none.
    """
    has_moved = moved(name)
    if has_moved or key not in st.session_state:
        st.session_state[key] = read(said(name))


def moved(name: str) -> bool:
    """Return whether a link or Back has changed what the address says, since this was asked."""
    has_moved = st.session_state.get(_seen(name)) != said(name)
    st.session_state[_seen(name)] = said(name)
    return has_moved


def said(name: str) -> str:
    """Return what the address says; empty for nothing."""
    return str(st.query_params.get(name, ""))


def say(name: str, text: str) -> None:
    """Let the address say what a widget holds, or nothing of it where the text is empty."""
    if st.session_state.get(_seen(name)) == text:
        return
    st.session_state[_seen(name)] = text
    # Each is a step that Back goes back by.
    if text:
        st.query_params[name] = text
    else:
        st.query_params.pop(name, None)


def tabs(views: Mapping[str, str], key: str) -> Sequence[TabContainer]:
    """Show tabs, of which the address tells the open one as `view`.

    Args:
        views: by what the address says, the tab; the first where it says nothing.
        key: begins that of the tabs.
    """
    first, *_ = views.values()
    begun = f"{key} as the address said"
    round_, tab = st.session_state.get(begun, (0, first))
    if moved("view") or f"{key}-{round_}" not in st.session_state:
        # Tabs anew: the browser would say which one was open before, if asked before it is told.
        round_, tab = st.session_state[begun] = round_ + 1, views.get(said("view"), first)
    own = f"{key}-{round_}"
    shown = st.tabs([*views.values()], default=tab, key=own, on_change="rerun")
    found = st.session_state[own]
    if found != views.get(said("view"), first):
        say("view", next(view for view, name in views.items() if name == found))
    return shown


def _seen(name: str) -> str:
    return f"what the address said of {name}"
