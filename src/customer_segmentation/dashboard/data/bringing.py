"""Importing a file: looked at, mapped, tried and stored."""

from dataclasses import asdict

import streamlit as st

from customer_segmentation.dashboard import parts
from customer_segmentation.dashboard.data.looking import Looked, guess_mapping, look
from customer_segmentation.dashboard.data.sending import Sent, send
from customer_segmentation.dashboard.service import forget, may, service
from customer_segmentation.dashboard.style import number_of
from customer_segmentation.domain.errors import SegmentationError
from customer_segmentation.files.blocks import Reject

_ENDINGS = ["csv", "tsv", "txt", "gz", "zst", "parquet", "arrow", "ndjson", "jsonl", "xlsx", "xls"]
_MOST_SHOWN = 1_000
_MODES = {
    "Add new customers and change those who are there": True,
    "Add new customers only": False,
}


def show_import() -> None:
    """Ask for a file, show what is in it, try it and store it."""
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
        st.error(f"{fault}", icon=":material/block:")
        return
    parts.tiles(
        [
            parts.Tile("Rows that are customers", number_of(len(looked.ids))),
            parts.Tile("Rows that are not", number_of(len(looked.rejects))),
        ]
    )
    _show_rejects(looked.rejects)
    if may("writer") and len(looked.ids):
        _act(looked, f"{given.file_id}-{hash(mapping)}")


def _show_rejects(rejects: list[Reject]) -> None:
    if rejects:
        st.subheader("Rows that are not imported")
        shown = [
            {name: value for name, value in asdict(reject).items() if name != "fields"}
            for reject in rejects[:_MOST_SHOWN]
        ]
        _table(shown, len(rejects))


def _act(looked: Looked, key: str) -> None:
    mode = st.radio("What to do", list(_MODES), key=f"mode-{key}")
    with st.container(horizontal=True):
        trying = st.button("Dry run", icon=":material/science:")
        storing = st.button("Import", type="primary", icon=":material/upload:")
    if not (trying or storing):
        return
    bar, count = st.progress(0.0, "sending"), len(looked.ids)

    def progress(done: int) -> None:
        bar.progress(done / count, f"{done:,} of {count:,} customers")

    sent = send(service(), looked, progress, changing=_MODES[mode], trying=trying)
    bar.empty()
    if storing:
        forget()
    _tell(sent, trying=trying)


def _tell(sent: Sent, *, trying: bool) -> None:
    would = "would be" if trying else "are"
    counts = f"{sent.added:,} customers {would} added and {sent.changed:,} {would} changed."
    if trying:
        st.info(f"Dry run: {counts} Nothing is stored yet.", icon=":material/science:")
    else:
        st.success(counts, icon=":material/check:")
    if sent.refused:
        st.warning(f"{len(sent.refused):,} {would} refused.", icon=":material/block:")
        _table(sent.refused[:_MOST_SHOWN], len(sent.refused))


def _table(shown: list[dict[str, object]], count: int) -> None:
    st.dataframe(shown, hide_index=True)
    if count > len(shown):
        st.caption(f"These are the first {len(shown):,} of {count:,}.")
