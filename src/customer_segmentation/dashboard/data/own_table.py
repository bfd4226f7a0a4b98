"""An own table: from a file to a schema, its customers and their first segments."""

import time
from pathlib import Path
from typing import Any

import streamlit as st

from customer_segmentation.client import ServiceError
from customer_segmentation.dashboard import parts
from customer_segmentation.dashboard.data.draft import edited
from customer_segmentation.dashboard.data.follow import has_stored, remember, show_imports
from customer_segmentation.dashboard.data.importing import ENDINGS
from customer_segmentation.dashboard.data.own_columns import column_fields
from customer_segmentation.dashboard.service import forget, may, read_segments, service
from customer_segmentation.dashboard.style import number_of, share_of, strategy_of
from customer_segmentation.domain.plurals import counted
from customer_segmentation.domain.toml import parse_toml

Json = dict[str, Any]

_NUMBERED = "No column: the rows are numbered"
_FOLLOWED_SECONDS = 30.0
_LOOK_SECONDS = 0.2


def show_own_table() -> None:
    """Ask for a file, show what its columns are taken for, and begin with it."""
    if not may("admin"):
        return
    show_imports()
    if has_stored():
        _show_first_segments()
    given = st.file_uploader("Your own table of customers", type=ENDINGS, key="own-table")
    if given is None:
        st.info(
            "A row for each customer, a column for each fact: CSV, Parquet, Arrow, NDJSON or "
            "Excel. The service looks at all of it and proposes what each column is; you change "
            "what is wrong, and nothing is stored before you say so.",
            icon=":material/upload_file:",
        )
        return
    said: Json = st.session_state.setdefault(f"own-{given.file_id}", {"taken": {}, "changes": {}})
    id_key = f"own-id-{given.file_id}"
    id_ = st.session_state.get(id_key)
    try:
        found = infer(
            given.file_id,
            given.getvalue(),
            given.name,
            tuple(f"{header}={word}" for header, word in said["taken"].items()),
            None if id_ == said.get("guess") else id_,
        )
    except ServiceError as fault:
        st.error(parts.literal(str(fault)), icon=":material/block:")
        return
    _show_summary(found)
    said.setdefault("guess", _id_field(found, id_key))
    st.subheader("Columns")
    attributes = {one["name"]: one for one in parse_toml(found["text"])["attributes"]}
    column_fields(found["columns"], attributes, said["taken"], said["changes"], given.file_id)
    text = edited(found["text"], found["columns"], said["changes"])
    _show_toml(text, given.name)
    _act(text, given.getvalue(), given.name, given.file_id)


@st.cache_data(max_entries=4, show_spinner="The service looks at the whole table…")
def infer(
    file_id: str,  # noqa: ARG001
    _content: bytes,
    name: str,
    taken: tuple[str, ...],
    id_: str | None,
) -> Json:
    """Return what the service makes of a table.

    Args:
        file_id: tells the file from others, as its content is too much to be compared.
        name: of the file.
        taken: what a person takes columns for.
        id_: the header of the id, `_NUMBERED` for none; None takes the guess.

    Raises:
        ServiceError: it is no table.
    """
    told: Json = {"taken": list(taken)}
    if id_ == _NUMBERED:
        told["numbered"] = "true"
    elif id_ is not None:
        told["id"] = id_
    return service().infer_schema(_content, name, **told)


def _show_summary(found: Json) -> None:
    used = sum(column["use"] == "used" for column in found["columns"])
    parts.tiles(
        [
            parts.Tile("Rows", number_of(found["rows"])),
            parts.Tile("Columns", number_of(len(found["columns"])), f"{used} used by the model"),
            parts.Tile("Rows that fit", share_of(found["fitting"]), "of those looked at"),
        ]
    )
    for remark in found["remarks"]:
        st.warning(parts.literal(remark), icon=":material/help:")


def _id_field(found: Json, key: str) -> str | None:
    """Ask which column is the id; return its header, `_NUMBERED` for none."""
    ids = [column["column"] for column in found["columns"] if column["use"] == "id"]
    options = [*found["id_candidates"], _NUMBERED]
    now = ids[0] if ids else _NUMBERED
    return st.selectbox(
        "What tells customers apart",
        options,
        index=options.index(now) if now in options else None,
        key=key,
        width=420,
    )


def _show_toml(text: str, name: str) -> None:
    with st.expander("The schema as TOML"):
        st.code(text, language="toml")
    st.download_button(
        "Download the schema",
        text,
        file_name=f"{Path(name).stem}.schema.toml",
        on_click="ignore",
        icon=":material/download:",
    )


def _act(text: str, content: bytes, name: str, key: str) -> None:
    """Tell what the schema would change; apply it and import the table when asked to."""
    st.subheader("Begin with it")
    try:
        plan = service().plan_schema(text, discard_demo=True)
    except ServiceError as fault:
        st.error(parts.literal(str(fault)), icon=":material/block:")
        return
    for refusal in plan["refusals"]:
        st.error(parts.literal(refusal), icon=":material/block:")
    if not _is_agreed(plan, key) or plan["refusals"]:
        return
    if st.button("Apply and import", type="primary", icon=":material/rocket_launch:"):
        with st.spinner("Applying the schema…"):
            if plan["steps"]:
                _apply(text, plan)
        with st.spinner("Sending the file…"):
            begun = service().begin_import(content, name)
        forget()
        remember(begun)
        st.rerun()


def _is_agreed(plan: Json, key: str) -> bool:
    """Return whether what would be lost is nothing, or a person agrees to lose it."""
    customers = counted(plan["customers"], "customer")
    if not plan["steps"]:
        st.info("This schema holds already; the table can be imported.", icon=":material/check:")
        return True
    if plan["is_demo"]:
        return st.checkbox(
            f"Remove the demonstration, with all its {customers}, and begin with this table",
            key=f"agree-{key}",
        )
    if not plan["customers"]:
        return True
    st.warning(
        f"{customers} are stored under another schema. It would change as follows.",
        icon=":material/warning:",
    )
    parts.table(
        [{"what": s["kind"], "of": s["subject"], "how": s["detail"]} for s in plan["steps"]]
    )
    return st.checkbox(f"Change the schema of all {customers}", key=f"agree-{key}")


def _apply(text: str, plan: Json) -> None:
    """Let a schema hold as it was planned, and wait until the service follows it."""
    before = plan["number"]
    service().apply_schema(text, number=before, discard_demo=plan["is_demo"])
    due = time.monotonic() + _FOLLOWED_SECONDS
    while service().get_schema()["number"] == before and time.monotonic() < due:
        time.sleep(_LOOK_SECONDS)


def _show_first_segments() -> None:
    segments = read_segments()["segments"]
    st.subheader("Segments")
    parts.table(
        [
            {
                "segment": one["number"],
                "name": one["name"],
                "customers": number_of(one["size"]),
                "share": share_of(one["share"]),
                "business strategy": strategy_of(one),
            }
            for one in segments
        ]
    )
    parts.link("Segments", "What sets them apart, and what to do", "groups")
