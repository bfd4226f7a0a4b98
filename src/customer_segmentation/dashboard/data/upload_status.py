"""What is being sent to the service, and what has come of it."""

import streamlit as st

from customer_segmentation.dashboard import parts
from customer_segmentation.dashboard.data.upload import Sending, sendings
from customer_segmentation.dashboard.service import forget
from customer_segmentation.domain.plurals import counted

_EVERY_SECONDS = 0.3


def show_sendings() -> None:
    """Show how far an import is, or how it ended."""
    for sending in sendings():
        if sending.ended.is_set():
            _tell(sending)
        else:
            _follow(sending)


@st.fragment(run_every=_EVERY_SECONDS)
def _follow(sending: Sending) -> None:
    if sending.ended.is_set():
        forget()
        st.rerun()
    told = f"{sending.name}: {sending.done:,} of {counted(sending.count, 'customer')}"
    st.progress(sending.done / sending.count, parts.literal(told))
    st.caption("It goes on if you leave this page, as long as the dashboard runs.")


def _tell(sending: Sending) -> None:
    sent, name = sending.sent, parts.literal(sending.name)
    would = "would be " if sending.trying else ""
    counts = f"{counted(sent.added, 'customer')} {would}added, {sent.changed:,} {would}changed."
    if sending.fault is not None:
        st.error(
            f"The import of {name} stopped after {sending.done:,} of "
            f"{counted(sending.count, 'customer')}: "
            f"{parts.literal(sending.fault)}. Of those, {counts} It is safe to import it again.",
            icon=":material/error:",
        )
    elif sending.trying:
        st.info(f"Dry run: {counts} Nothing is stored yet.", icon=":material/science:")
    else:
        st.success(counts, icon=":material/check:")
    if sent.refused:
        st.warning(f"{len(sent.refused):,} {would}refused.", icon=":material/block:")
        parts.first_of(sent.refused[: parts.MAX_SHOWN], len(sent.refused))
