"""Looking for customers by segment and attribute ranges."""

from functools import partial
from typing import Any

import streamlit as st

from customer_segmentation.dashboard import parts
from customer_segmentation.dashboard.data.exporting import export
from customer_segmentation.dashboard.service import service
from customer_segmentation.dashboard.style import code_of, label_of, labelled, titles_of
from customer_segmentation.domain.attributes import Attribute
from customer_segmentation.domain.features import FEATURE_NAMES, FEATURES
from customer_segmentation.domain.plurals import counted

CHOSEN = "customer whose card is to be opened"
_FOUND = 200


def search(segments: list[dict[str, Any]]) -> None:
    """Ask what customers are to be like, and list them; choosing one opens its card."""
    titles = titles_of(segments)
    selection: dict[str, object] = {"limit": _FOUND}
    left, middle, right = st.columns(3, vertical_alignment="bottom")
    chosen = left.selectbox(
        "In segment", [None, *titles], format_func=lambda n: "any" if n is None else titles[n]
    )
    name = middle.selectbox("Sort by", FEATURE_NAMES, format_func=label_of, index=2)
    falling = right.toggle("Highest first", value=True)
    selection["sort"] = f"-{name}" if falling else name
    if chosen is not None:
        selection["segment"] = chosen
    with st.expander("Filters", icon=":material/filter_alt:"):
        selection |= _ranges()
    found = service().list_customers(None, **selection)
    _show(found["customers"], titles, more=found["next_cursor"] is not None)
    if found["customers"]:
        _download(selection)


def _ranges() -> dict[str, object]:
    """Ask for the least and the greatest value of each attribute."""
    bounds: dict[str, object] = {}
    for feature, column in parts.in_rows([f for f in FEATURES if not f.codes], 2):
        with column:
            bounds |= _range(feature)
    for feature, column in parts.in_rows([f for f in FEATURES if f.codes], 4):
        with column:
            bounds |= _code(feature)
    return bounds


def _range(feature: Attribute) -> dict[str, object]:
    least, most = st.columns(2)
    limits: dict[str, Any] = {"min_value": feature.minimum, "max_value": feature.maximum}
    if not feature.is_integer:
        limits = {n: None if v is None else float(v) for n, v in limits.items()}
    given = {
        "min": least.number_input(
            f"{labelled(feature)}, from",
            value=None,
            placeholder="any",
            key=f"from-{feature.name}",
            **limits,
        ),
        "max": most.number_input(
            f"{labelled(feature)}, to",
            value=None,
            placeholder="any",
            key=f"to-{feature.name}",
            **limits,
        ),
    }
    return {f"{feature.name}_{end}": value for end, value in given.items() if value is not None}


def _code(feature: Attribute) -> dict[str, object]:
    chosen = st.selectbox(
        label_of(feature.name),
        [None, *feature.codes],
        format_func=lambda code: "any" if code is None else code_of(feature, code),
        key=f"is-{feature.name}",
    )
    if chosen is None:
        return {}
    return {f"{feature.name}_min": chosen, f"{feature.name}_max": chosen}


def _download(selection: dict[str, object]) -> None:
    """Let everybody who is found be downloaded, and not only those who are shown."""
    st.download_button(
        "Download all as CSV",
        data=partial(export, selection, "csv"),
        file_name="customers.csv",
        mime="text/csv",
        on_click="ignore",
        icon=":material/download:",
    )


def _show(customers: list[dict[str, Any]], titles: dict[int, str], *, more: bool) -> None:
    if not customers:
        st.info("No customer is like that. Widen a range.", icon=":material/search_off:")
        return
    count = ("The first " if more else "") + counted(len(customers), "customer")
    st.caption(f"{count}. Choose a row to open its card.")
    table = st.dataframe(
        [
            {
                "customer id": customer["customer_id"],
                "segment": titles.get(customer["segment"], customer["segment_name"]),
                **{
                    label_of(f.name): code_of(f, customer[f.name]) if f.codes else customer[f.name]
                    for f in FEATURES
                },
            }
            for customer in customers
        ],
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        key="found",
        height=520,
        column_config={
            label_of(f.name): st.column_config.NumberColumn(format="localized")
            for f in FEATURES
            if not f.codes
        },
    )
    rows = table["selection"]["rows"]
    if rows:
        # Which tab is open can be set before the tabs are shown only, so by the next run.
        st.session_state[CHOSEN] = customers[rows[0]]["customer_id"]
        st.rerun()
