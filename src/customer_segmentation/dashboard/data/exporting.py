"""Exporting customers as a file, which the service writes."""

import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import streamlit as st

from customer_segmentation.client import ServiceError
from customer_segmentation.dashboard.service import read_segments, service
from customer_segmentation.dashboard.style import titles_of
from customer_segmentation.domain.plurals import counted

FORMATS = {"CSV": ("csv", "csv"), "Parquet": ("parquet", "parquet"), "Excel": ("excel", "xlsx")}
"""By what people call a format: what the service calls it, and how its files' names end."""

_EVERYBODY = "All customers"
_LOOK_SECONDS = 0.1


def show_export() -> None:
    """Ask whose data are wanted and in which format, and fetch the file."""
    found = read_segments()
    titles = titles_of(found["segments"])
    sizes = {segment["number"]: segment["size"] for segment in found["segments"]}
    number = st.selectbox(
        "Who",
        [None, *titles],
        format_func=lambda n: _EVERYBODY if n is None else titles[n],
        width=420,
    )
    chosen = st.radio("Format", list(FORMATS), horizontal=True)
    form, ending = FORMATS[chosen]
    who = _EVERYBODY if number is None else titles[number]
    size = found["customers"] if number is None else sizes[number]
    st.caption(f"{counted(size, 'customer')}, each with segment, confidence and strategy.")
    st.download_button(
        f"Export {who} as {chosen}",
        data=partial(export, {} if number is None else {"segment": number}, form),
        file_name=f"customers.{ending}",
        on_click="ignore",
        icon=":material/download:",
        type="primary",
    )


def export(selection: Mapping[str, object], form: str, **asked: object) -> bytes:
    """Return customers, by rising ids, as a file of a format.

    Args:
        selection: who, as the service lists customers; its order does not count.
        form: of the file.
        asked: what else the service is told, such as `audience_id=3`, `holdout=10`.

    Raises:
        ServiceError: the service cannot write it.
    """
    client = service()
    bounds = {
        end: {
            name.removesuffix(f"_{end}"): value
            for name, value in selection.items()
            if name.endswith(f"_{end}")
        }
        for end in ("min", "max", "is", "missing")
    }
    begun = client.begin_export(format=form, segment=selection.get("segment"), **bounds, **asked)
    *_, last = client.follow_export(begun["id"], _LOOK_SECONDS)
    if last["state"] != "succeeded":
        raise ServiceError(500, {"detail": f"The export {last['state']}: {last['error']}"})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "customers"
        client.download_export(begun["id"], path)
        return path.read_bytes()
