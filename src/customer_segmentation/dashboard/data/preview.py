"""Looking at a file's first rows before it is imported: the service tells what they show."""

from typing import Any

import streamlit as st

from customer_segmentation.dashboard.service import service

_BEGINNING_BYTES = 2**20
"""How much of a text the service needs to look at its first rows."""

_READ_WHOLE = (b"PAR1", b"ARROW1", b"\xff\xff\xff\xff", b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
"""How files begin that can be read only whole: Parquet, Arrow and Excel."""


@st.cache_data(max_entries=4, show_spinner="Looking at the first rows…")
def look(content: bytes, name: str, mapping: str | None = None) -> dict[str, Any]:
    """Return what the first rows of a file show, under a mapping where one is given.

    Raises:
        ServiceError: it is no table, or the mapping is not as it must be.
    """
    some = content if content.startswith(_READ_WHOLE) else content[:_BEGINNING_BYTES]
    return service().preview_import(some, name, mapping=mapping or None)
