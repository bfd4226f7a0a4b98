"""Exporting customers as a file."""

import io
from collections.abc import Mapping
from functools import partial
from itertools import islice

import pyarrow as pa
import streamlit as st

from customer_segmentation.dashboard.service import PAGE, read_segments, service
from customer_segmentation.dashboard.style import titles_of
from customer_segmentation.domain.features import COLUMNS
from customer_segmentation.domain.plurals import counted
from customer_segmentation.files.formats import Format
from customer_segmentation.files.write.tables import open_writer

_EXPORTS = {"CSV": Format.CSV, "Parquet": Format.PARQUET, "Excel": Format.EXCEL}
_SUFFIXES = {Format.CSV: "csv", Format.PARQUET: "parquet", Format.EXCEL: "xlsx"}
_EVERYBODY = "All customers"
_MANY = 100_000


def show_export() -> None:
    """Ask whose data are wanted and in which format, and make the file."""
    found = read_segments()
    titles = titles_of(found["segments"])
    sizes = {segment["number"]: segment["size"] for segment in found["segments"]}
    number = st.selectbox(
        "Who",
        [None, *titles],
        format_func=lambda n: _EVERYBODY if n is None else titles[n],
        width=420,
    )
    form = st.radio("Format", list(_EXPORTS), horizontal=True)
    who = _EVERYBODY if number is None else titles[number]
    size = found["customers"] if number is None else sizes[number]
    st.caption(f"{counted(size, 'customer')}, each with segment and next best action.")
    if (size or 0) > _MANY:
        st.info(
            "So many take a while here; on the machine of the service, "
            "`customer-segmentation export -o customers.parquet` is faster.",
            icon=":material/hourglass_empty:",
        )
    kind = _EXPORTS[form]
    st.download_button(
        f"Export {who} as {form}",
        data=partial(export, {} if number is None else {"segment": number}, kind),
        file_name=f"customers.{_SUFFIXES[kind]}",
        on_click="ignore",
        icon=":material/download:",
        type="primary",
    )


def export(selection: Mapping[str, object], form: Format) -> bytes:
    """Return customers, with what to do about each, as a file.

    Args:
        selection: who, as the service selects customers; empty is everybody.
        form: of the file.
    """
    names = [feature.name for feature in COLUMNS]
    words = ("segment", "next_best_action", "channel")
    schema = pa.schema(
        [(f.name, pa.int64() if f.is_integer else pa.float64()) for f in COLUMNS]
        + [(name, pa.string()) for name in words]
    )
    customers = service().iterate_customers(**{**selection, "limit": PAGE})
    file = io.BytesIO()
    with open_writer(file, schema, form) as writer:
        while some := list(islice(customers, PAGE)):
            rows = [
                {name: one[name] for name in names}
                | {
                    "segment": one["segment_name"],
                    "next_best_action": one["next_best_action"]["text"],
                    "channel": one["next_best_action"]["channel"],
                }
                for one in some
            ]
            writer.write(pa.RecordBatch.from_pylist(rows, schema))
    return file.getvalue()
