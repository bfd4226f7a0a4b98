"""Importing a file: looked at, mapped, tried and stored."""

from dataclasses import asdict

import streamlit as st

from customer_segmentation.dashboard import parts
from customer_segmentation.dashboard.data.preview import Looked, guess_mapping, look
from customer_segmentation.dashboard.data.upload import begin, sendings
from customer_segmentation.dashboard.data.upload_status import show_sendings
from customer_segmentation.dashboard.service import may, service
from customer_segmentation.dashboard.style import number_of
from customer_segmentation.domain.errors import SegmentationError
from customer_segmentation.files.blocks import Reject

_ENDINGS = ["csv", "tsv", "txt", "gz", "zst", "parquet", "arrow", "ndjson", "jsonl", "xlsx", "xls"]
_MODES = {
    "Add new customers and change those who are there": True,
    "Add new customers only": False,
}


def show_import() -> None:
    """Ask for a file, show what is in it, try it and store it."""
    if not may("writer"):
        return
    show_sendings()
    given = st.file_uploader("A table of customers", type=_ENDINGS)
    if given is None:
        st.info(
            "CSV, Parquet, Arrow, NDJSON or Excel, as it is or packed by gzip or zstd. What its "
            "columns mean is guessed, for you to look at; nothing is stored before you say so.",
            icon=":material/upload_file:",
        )
        return
    content = given.getvalue()
    try:
        guessed = guess_mapping(content, given.name)
        with st.expander("What the columns mean", expanded="# missing:" in guessed):
            st.caption("Guessed from names and values. Change what is not right, as TOML.")
            mapping = st.text_area("Mapping", guessed, height=360, key=f"mapping-{given.file_id}")
        looked = look(content, mapping)
    except SegmentationError as fault:
        st.error(parts.literal(str(fault)), icon=":material/block:")
        return
    parts.tiles(
        [
            parts.Tile("Valid rows", number_of(len(looked.ids))),
            parts.Tile("Rejected rows", number_of(len(looked.rejects))),
        ]
    )
    _show_rejects(looked.rejects)
    if len(looked.ids):
        _act(looked, given.name, f"{given.file_id}-{hash(mapping)}")


def _show_rejects(rejects: list[Reject]) -> None:
    if rejects:
        st.subheader("Rows that are not imported")
        shown = [
            {name: value for name, value in asdict(reject).items() if name != "fields"}
            for reject in rejects[: parts.MAX_SHOWN]
        ]
        parts.first_of(shown, len(rejects))


def _act(looked: Looked, name: str, key: str) -> None:
    mode = st.radio("What to do", list(_MODES), key=f"mode-{key}")
    busy = any(not one.ended.is_set() for one in sendings())
    with st.container(horizontal=True):
        trying = st.button("Dry run", icon=":material/science:", disabled=busy)
        storing = st.button("Import", type="primary", icon=":material/upload:", disabled=busy)
    if (trying or storing) and not busy:
        begin(service(), looked, name, changing=_MODES[mode], trying=trying)
        st.rerun()
