"""Importing a file: looked at, mapped, tried and stored, all by the service."""

from typing import Any

import streamlit as st

from customer_segmentation.client import ServiceError
from customer_segmentation.dashboard import parts
from customer_segmentation.dashboard.data.follow import remember, show_imports
from customer_segmentation.dashboard.data.preview import look
from customer_segmentation.dashboard.schema import the_schema
from customer_segmentation.dashboard.service import may, service
from customer_segmentation.dashboard.style import label_of, number_of, value_of

ENDINGS = ["csv", "tsv", "txt", "gz", "zst", "parquet", "arrow", "ndjson", "jsonl", "xlsx", "xls"]
_MODES = {
    "Add new customers and change those who are there": "upsert",
    "Add new customers only": "insert",
}


def show_import() -> None:
    """Ask for a file, show what is in it, try it and store it."""
    if not may("writer"):
        return
    show_imports()
    given = st.file_uploader("A table of customers", type=ENDINGS)
    if given is None:
        st.info(
            "CSV, Parquet, Arrow, NDJSON or Excel, as it is or packed by gzip or zstd. What its "
            "columns mean is guessed, for you to look at; nothing is stored before you say so.",
            icon=":material/upload_file:",
        )
        return
    content = given.getvalue()
    try:
        looked = look(content, given.name)
        with st.expander("What the columns mean", expanded=not looked["is_complete"]):
            st.caption("Guessed from names and values. Change what is not right, as TOML.")
            mapping = st.text_area(
                "Mapping", looked["mapping"], height=360, key=f"mapping-{given.file_id}"
            )
        looked = look(content, given.name, mapping)
    except ServiceError as fault:
        st.error(parts.literal(str(fault)), icon=":material/block:")
        return
    _show_first_rows(looked)
    _act(content, given.name, mapping, f"{given.file_id}-{hash(mapping)}")


def _warn_of_made_up(looked: dict[str, Any]) -> None:
    """Warn where everybody would get a value that nobody told."""
    if looked["made_up"]:
        by_name = the_schema().by_name
        told = ", ".join(
            f"{label_of(by_name[name])} {value_of(by_name[name], value)}"
            for name, value in looked["made_up"].items()
        )
        st.warning(
            f"No column tells these, so every new customer would get a value that is made up: "
            f"{parts.literal(told)}.",
            icon=":material/warning:",
        )


def _show_first_rows(looked: dict[str, Any]) -> None:
    rejected = looked["rejected"]
    parts.tiles(
        [
            parts.Tile("Rows looked at", number_of(looked["rows"])),
            parts.Tile("Of them rejected", number_of(rejected)),
        ]
    )
    _warn_of_made_up(looked)
    if rejected:
        st.subheader("Rows that are not imported")
        parts.table(
            [
                {
                    "column": group["column"],
                    "reason": group["reason"],
                    "rows": number_of(group["count"]),
                    "without a code": ", ".join(
                        f"{text} ({count:,})" for text, count in group["values"].items()
                    ),
                }
                for group in looked["reasons"]
            ]
        )
        parts.first_of(looked["rejects"], rejected)


def _act(content: bytes, name: str, mapping: str, key: str) -> None:
    mode = st.radio("What to do", list(_MODES), key=f"mode-{key}")
    with st.container(horizontal=True):
        trying = st.button("Dry run", icon=":material/science:")
        storing = st.button("Import", type="primary", icon=":material/upload:")
    if trying or storing:
        with st.spinner("Sending the file…"):
            begun = service().begin_import(
                content, name, mapping=mapping, mode=_MODES[mode], dry_run=trying
            )
        remember(begun)
        st.rerun()
