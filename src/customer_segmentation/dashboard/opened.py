"""What a form was opened with, so that saving it undoes nothing that others changed meanwhile."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st


@dataclass(frozen=True, slots=True)
class Opened:
    """What a form shows.

    Attributes:
        values: what its fields held when it was opened.
        tag: of the state that it was opened with; saving changes that state and no other.
        key: begins the keys of its fields.
    """

    values: Mapping[str, Any]
    tag: str
    key: str


def opened(form: str, values: Mapping[str, Any], tag: str, field: str) -> Opened:
    """Return what a form was opened with: what is given, unless it is on the page already.

    Args:
        form: the form's key, with what it is about.
        values: as they are now.
        tag: of these values.
        field: ends the key of one of the form's fields, which is `{key}-{field}`.
    """
    held: Opened | None = st.session_state.get(_held(form))
    # Streamlit keeps the state of a field only as long as it is shown.
    if held is None or f"{held.key}-{field}" not in st.session_state:
        held = st.session_state[_held(form)] = Opened(dict(values), tag, f"{form}-{tag}")
    if held.tag != tag:
        st.warning(
            "Somebody else has changed this since you opened the form. "
            "Saving would undo that, so it is refused.",
            icon=":material/sync_problem:",
        )
        st.button("Show the current values", on_click=close, args=[form], key=f"{form}-again")
    return held


def close(form: str) -> None:
    """Let a form be opened anew, with what is there then."""
    st.session_state.pop(_held(form), None)


def _held(form: str) -> str:
    return f"what {form} was opened with"
