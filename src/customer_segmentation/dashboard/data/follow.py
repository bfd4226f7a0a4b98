"""Following imports, whoever began them, and undoing one; leaving the page ends nothing."""

import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import streamlit as st

from customer_segmentation.client import ServiceError
from customer_segmentation.dashboard import parts
from customer_segmentation.dashboard.service import forget, refusals_told, service
from customer_segmentation.domain.plurals import counted

_EVERY_SECONDS = 0.3
_LAST = "the last import"
_NOT_ENDED = ("waiting", "running")


def remember(begun: dict[str, Any]) -> None:
    """Let `show_imports` tell in this session how an import ended."""
    st.session_state[_LAST] = begun["id"]


def has_stored() -> bool:
    """Return whether the last import of this session has stored customers."""
    last = st.session_state.get(_LAST)
    found = service().list_imports()["imports"]
    one = next((one for one in found if one["id"] == last), None)
    return one is not None and one["state"] == "succeeded" and not one["dry_run"]


def show_imports() -> None:
    """Show the imports that are at work or wait, how the last one of this session ended, and all.

    What is shown is read from the service each time, so that no run of the page can miss an end.
    """
    found = service().list_imports()["imports"]
    for one in reversed(found):
        if one["state"] in _NOT_ENDED:
            _follow(one["id"])
    last = st.session_state.get(_LAST)
    ended = next((one for one in found if one["id"] == last), None)
    if ended is not None and ended["state"] not in _NOT_ENDED:
        _tell(ended)
    if found:
        with st.expander("Earlier imports"):
            _show_history(found)


@st.fragment(run_every=_EVERY_SECONDS)
def _follow(import_id: str) -> None:
    with refusals_told():
        one = service().get_import(import_id)
        if one["state"] not in _NOT_ENDED:
            forget()
            st.rerun()
        share = min(one["done"] / one["total"], 1.0) if one["total"] else 0.0
        told = "waits for its turn" if one["state"] == "waiting" else str(one["phase"])
        st.progress(share, f"{parts.literal(one['name'])}: {told}")
        st.caption("It goes on if you leave this page.")
        if st.button("Cancel", icon=":material/stop_circle:", key=f"cancel-{import_id}"):
            _cancel(import_id)


def _cancel(import_id: str) -> None:
    try:
        service().cancel_import(import_id)
    except ServiceError as refusal:
        # It ended while the button was pressed; the next look tells how.
        st.caption(parts.literal(str(refusal)))


def _tell(one: dict[str, Any]) -> None:
    """Tell how an import, or the undoing of one, ended."""
    name, result = parts.literal(one["name"]), one["result"] or {}
    if one["state"] != "succeeded":
        st.error(
            f"The import of {name} {one['state']}: {parts.literal(one['error'] or '')}. "
            f"{_counts(result, '')}",
            icon=":material/error:",
        )
    elif one["undoes"]:
        st.success(
            f"The import of {name} is undone: {counted(result['removed'], 'customer')} removed, "
            f"{result['restored']:,} as before, {result['kept']:,} kept as others changed them.",
            icon=":material/undo:",
        )
    elif one["dry_run"]:
        told = f"Dry run: {_counts(result, 'would be ')} Nothing is stored yet."
        st.info(told, icon=":material/science:")
    else:
        st.success(_counts(result, ""), icon=":material/check:")
    if result.get("rejected"):
        would = "would be " if one["dry_run"] else ""
        st.warning(f"{result['rejected']:,} {would}refused.", icon=":material/block:")
    if one["has_rejects"]:
        st.download_button(
            "Download the rejected rows",
            data=partial(_read_rejects, one["id"]),
            file_name=f"{Path(one['name']).stem}.rejects.csv",
            on_click="ignore",
            icon=":material/download:",
        )


def _counts(result: dict[str, Any], would: str) -> str:
    return (
        f"{counted(result.get('added', 0), 'customer')} {would}added, "
        f"{result.get('changed', 0):,} {would}changed, {result.get('unchanged', 0):,} unchanged."
    )


def _read_rejects(import_id: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rejects.csv"
        service().download_rejects(import_id, path)
        return path.read_bytes()


def _show_history(found: list[dict[str, Any]]) -> None:
    parts.table(
        [
            {
                "file": one["name"],
                "when": one["created_at"],
                "by": one["requested_by"],
                "what": "undo" if one["undoes"] else "dry run" if one["dry_run"] else one["mode"],
                "state": one["state"],
                "added": (one["result"] or {}).get("added", ""),
                "changed": (one["result"] or {}).get("changed", ""),
            }
            for one in found
        ]
    )
    undoable = {one["id"]: one for one in found if one["can_be_undone"]}
    if not undoable:
        return
    chosen = st.selectbox(
        "Undo an import",
        list(undoable),
        format_func=lambda one: f"{undoable[one]['name']}, {undoable[one]['created_at']}",
        width=420,
    )
    st.caption("Customers whom somebody else has changed since stay as they are.")
    if st.button("Undo", icon=":material/undo:"):
        remember(service().undo_import(chosen))
        st.rerun()
