"""Data in and out: a file looked at, mapped, checked and imported; customers exported."""

import io
from dataclasses import asdict, dataclass
from functools import partial
from itertools import islice

import numpy as np
import pyarrow as pa
import streamlit as st

from customer_segmentation.client import Client
from customer_segmentation.dashboard.service import (
    PAGE,
    forget,
    read_segments,
    refusals_told,
    service,
)
from customer_segmentation.dashboard.style import number_of, title_of
from customer_segmentation.domain.arrays import FloatArray, IntArray
from customer_segmentation.domain.errors import SegmentationError
from customer_segmentation.domain.features import (
    COLUMNS,
    CUSTOMER_ID,
    FEATURE_NAMES,
    plain_number,
)
from customer_segmentation.files.blocks import Reject
from customer_segmentation.files.checking import Checker
from customer_segmentation.files.formats import Format
from customer_segmentation.files.inference import infer
from customer_segmentation.files.mapping_file import format_guesses, parse_mapping
from customer_segmentation.files.reading import open_table
from customer_segmentation.files.repeats import SeenIds
from customer_segmentation.files.writing import open_writer

_ENDINGS = ["csv", "tsv", "txt", "gz", "zst", "parquet", "arrow", "ndjson", "jsonl", "xlsx", "xls"]
_MOST_REJECTS = 1_000
_MODES = {
    "Add new customers and change those who are there": True,
    "Add new customers only": False,
}
_EXPORTS = {"CSV": Format.CSV, "Parquet": Format.PARQUET, "Excel": Format.EXCEL}
_SUFFIXES = {Format.CSV: "csv", Format.PARQUET: "parquet", Format.EXCEL: "xlsx"}
_EXISTS = "customer-exists"


@dataclass(frozen=True, eq=False, slots=True)
class Looked:
    """What is in a file.

    Attributes:
        ids: (n,), of those rows that are customers.
        values: (n, d), attributes in the feature table's order, in users' units.
        rejects: the other rows.
    """

    ids: IntArray
    values: FloatArray
    rejects: list[Reject]


def page() -> None:
    """Show import and export."""
    st.title("Data")
    bring, take = st.tabs(["Import", "Export"])
    with bring:
        _import()
    with take, refusals_told():
        _export()


def _import() -> None:
    given = st.file_uploader("A table of customers", type=_ENDINGS)
    if given is None:
        st.write(
            "CSV, Parquet, Arrow, NDJSON or Excel, as it is or packed by gzip or zstd. What its "
            "columns mean is guessed, for you to look at; nothing is stored before you say so."
        )
        return
    content = given.getvalue()
    try:
        guessed = guess_mapping(content, given.name)
        with st.expander("What the columns mean", expanded="# missing:" in guessed):
            mapping = st.text_area("Mapping", guessed, height=400, key=f"mapping-{given.file_id}")
        looked = look(content, mapping)
    except SegmentationError as fault:
        st.error(f"{fault}", icon=":material/block:")
        return
    left, right = st.columns(2)
    left.metric("Rows that are customers", number_of(len(looked.ids)))
    right.metric("Rows that are not", number_of(len(looked.rejects)))
    _show_rejects(looked.rejects)
    mode = st.radio("What to do", list(_MODES))
    if st.button("Import", type="primary", disabled=len(looked.ids) == 0):
        with refusals_told():
            _bring(looked, changing=_MODES[mode])


@st.cache_data(max_entries=4, show_spinner="Looking at the file…")
def guess_mapping(content: bytes, name: str) -> str:
    """Return what the columns of a file seem to mean, as TOML.

    Raises:
        DataFileError: it holds no table.
    """
    with open_table(io.BytesIO(content)) as source:
        return format_guesses(infer(source.columns, source.sample()), name)


@st.cache_resource(max_entries=4, show_spinner="Checking each row…")
def look(content: bytes, mapping: str) -> Looked:
    """Return what is in a file under a mapping.

    Raises:
        DataFileError: it cannot be read, or lacks a column.
        MappingError: the mapping is not as it must be.
    """
    ids, values, rejects = [], [], []
    with open_table(io.BytesIO(content)) as source:
        checker = Checker(source, parse_mapping(mapping, "above"), seen=SeenIds())
        for block in source.blocks(checker.wanted):
            found = checker.check(block)
            ids.append(found.ids)
            values.append(found.values)
            rejects += found.rejects
    everybody = np.concatenate([np.empty(0, np.int64), *ids])
    return Looked(everybody, np.concatenate([np.empty((0, len(FEATURE_NAMES))), *values]), rejects)


def _show_rejects(rejects: list[Reject]) -> None:
    if not rejects:
        return
    st.subheader("Rows that are not imported")
    shown = [
        {name: value for name, value in asdict(reject).items() if name != "fields"}
        for reject in rejects[:_MOST_REJECTS]
    ]
    st.dataframe(shown, hide_index=True)
    if len(rejects) > _MOST_REJECTS:
        st.write(f"These are the first {_MOST_REJECTS:,} of {len(rejects):,}.")


def _bring(looked: Looked, *, changing: bool) -> None:
    bar = st.progress(0.0, "importing")
    told = {"added": 0, "changed": 0}
    refused: list[dict[str, object]] = []
    for start in range(0, len(looked.ids), PAGE):
        rows = slice(start, start + PAGE)
        customers = [
            {
                CUSTOMER_ID.name: number,
                **dict(zip(FEATURE_NAMES, map(plain_number, row), strict=True)),
            }
            for number, row in zip(
                looked.ids[rows].tolist(), looked.values[rows].tolist(), strict=True
            )
        ]
        for name, count in store(service(), customers, refused, changing=changing).items():
            told[name] += count
        done = min(start + PAGE, len(looked.ids))
        bar.progress(done / len(looked.ids), f"{done:,} of {len(looked.ids):,}")
    bar.empty()
    forget()
    st.success(f"{told['added']:,} customers are added and {told['changed']:,} are changed.")
    if refused:
        st.warning(f"{len(refused):,} are not.")
        st.dataframe(refused[:_MOST_REJECTS], hide_index=True)


def store(
    bank: Client,
    customers: list[dict[str, int | float]],
    refused: list[dict[str, object]],
    *,
    changing: bool,
) -> dict[str, int]:
    """Add customers, and change those who are there if that is wanted; return how many of each.

    Args:
        bank: the service.
        customers: up to a thousand.
        refused: is given who was neither added nor changed, and why.
        changing: whether those who are there are changed.
    """
    added = bank.apply_batch([{"action": "add", "customer": one} for one in customers])
    failed = [outcome for outcome in added["outcomes"] if outcome["status"] == "failed"]
    there = [o for o in failed if changing and o["problem"]["type"].endswith(_EXISTS)]
    changed = 0
    left = [(customers[outcome["row"]], outcome) for outcome in failed if outcome not in there]
    if there:
        known = [customers[outcome["row"]] for outcome in there]
        updated = bank.apply_batch([{"action": "update", "customer": one} for one in known])
        changed = updated["updated"]
        left += [(known[o["row"]], o) for o in updated["outcomes"] if o["status"] == "failed"]
    refused += [
        {"customer id": customer[CUSTOMER_ID.name], "why": outcome["problem"]["detail"]}
        for customer, outcome in left
    ]
    return {"added": added["added"], "changed": changed}


def _export() -> None:
    segments = read_segments()["segments"]
    everybody = "All customers"
    chosen = st.selectbox("Who", [everybody, *map(title_of, segments)])
    form = st.radio("Format", list(_EXPORTS), horizontal=True)
    numbers = {title_of(segment): segment["number"] for segment in segments}
    kind = _EXPORTS[form]
    st.download_button(
        f"Export {chosen} as {form}",
        data=partial(export, numbers.get(chosen), kind),
        file_name=f"customers.{_SUFFIXES[kind]}",
        on_click="ignore",
        icon=":material/download:",
    )
    st.write(
        "With segment and next best action. For a million customers and more, "
        "`customer-segmentation export` is faster."
    )


def export(segment: int | None, form: Format) -> bytes:
    """Return customers, with what to do about each, as a file.

    Args:
        segment: whose; None is everybody's.
        form: of the file.
    """
    names = [feature.name for feature in COLUMNS]
    words = ("segment", "next_best_action", "channel")
    schema = pa.schema(
        [(f.name, pa.int64() if f.is_integer else pa.float64()) for f in COLUMNS]
        + [(name, pa.string()) for name in words]
    )
    selection = {} if segment is None else {"segment": segment}
    customers = service().iterate_customers(limit=PAGE, **selection)
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
