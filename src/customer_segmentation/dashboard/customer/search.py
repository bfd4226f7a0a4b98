"""Looking for customers by segment and by what their attributes are."""

from functools import partial
from typing import Any

import streamlit as st
from streamlit.elements.lib.column_types import ColumnConfig

from customer_segmentation.dashboard import parts
from customer_segmentation.dashboard.data.exporting import export
from customer_segmentation.dashboard.fields import may_lack
from customer_segmentation.dashboard.schema import the_schema
from customer_segmentation.dashboard.service import service
from customer_segmentation.dashboard.style import (
    choices_of,
    label_of,
    labelled,
    titles_of,
)
from customer_segmentation.domain.attributes import NOT_KNOWN, Attribute, Kind
from customer_segmentation.domain.plurals import counted
from customer_segmentation.domain.schema import Schema

CHOSEN = "customer whose card is to be opened"
_FOUND = 200


def search(segments: list[dict[str, Any]]) -> None:
    """Ask what customers are to be like, and list them; choosing one opens its card."""
    titles, schema = titles_of(segments), the_schema()
    selection: dict[str, object] = {"limit": _FOUND}
    left, middle, right = st.columns(3, vertical_alignment="bottom")
    chosen = left.selectbox(
        "In segment", [None, *titles], format_func=lambda n: "any" if n is None else titles[n]
    )
    columns = {column.name: column for column in schema.columns}
    name = middle.selectbox(
        "Sort by",
        list(columns),
        format_func=lambda name: label_of(columns[name]),
        index=list(columns).index(_first_amount(schema)),
    )
    falling = right.toggle("Highest first", value=True)
    selection["sort"] = f"-{name}" if falling else name
    if chosen is not None:
        selection["segment"] = chosen
    with st.expander("Filters", icon=":material/filter_alt:"):
        selection |= _ask(schema)
    found = service().list_customers(None, **selection)
    _show(schema, found["customers"], titles, more=found["next_cursor"] is not None)
    if found["customers"]:
        _download(selection)


def _first_amount(schema: Schema) -> str:
    """Return what customers are sorted by at first: an amount, where they have one."""
    amounts = (one.name for one in schema.attributes if one.kind is Kind.AMOUNT)
    return next(amounts, schema.id.name)


def _ask(schema: Schema) -> dict[str, object]:
    """Ask for the least and the greatest value of each number, and for one choice of the others."""
    asked: dict[str, object] = {}
    for attribute, column in parts.in_rows([a for a in schema.attributes if not choices_of(a)], 2):
        with column:
            asked |= _range(attribute)
    for attribute, column in parts.in_rows([a for a in schema.attributes if choices_of(a)], 4):
        with column:
            asked |= _choice(attribute)
    return asked


def _range(attribute: Attribute) -> dict[str, object]:
    name, label = attribute.name, parts.label(labelled(attribute))
    least, most = st.columns(2)
    limits: dict[str, Any] = {"min_value": attribute.minimum, "max_value": attribute.maximum}
    if not attribute.is_integer:
        limits = {n: None if v is None else float(v) for n, v in limits.items()}
    lacks = False
    if may_lack(attribute):
        lacks = st.checkbox(f"{parts.label(label_of(attribute))} is not known", key=f"lacks-{name}")
    common = {"value": None, "placeholder": "any", "disabled": lacks, **limits}
    given = {
        "min": least.number_input(f"{label}, from", key=f"from-{name}", **common),
        "max": most.number_input(f"{label}, to", key=f"to-{name}", **common),
    }
    if lacks:
        return {f"{name}_missing": True}
    return {f"{name}_{end}": value for end, value in given.items() if value is not None}


def _choice(attribute: Attribute) -> dict[str, object]:
    name = attribute.name
    offered: list[tuple[str, dict[str, object]]] = [("any", {})]
    for choice, label in choices_of(attribute).items():
        if attribute.categories:
            offered.append((label, {f"{name}_is": [choice]}))
        else:
            offered.append((label, {f"{name}_min": choice, f"{name}_max": choice}))
    if may_lack(attribute):
        offered.append((NOT_KNOWN, {f"{name}_missing": True}))
    chosen = st.selectbox(
        parts.label(label_of(attribute)),
        range(len(offered)),
        format_func=lambda place: offered[place][0],
        key=f"is-{name}",
    )
    return offered[chosen][1]


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


def _show(
    schema: Schema, customers: list[dict[str, Any]], titles: dict[int, str], *, more: bool
) -> None:
    if not customers:
        st.info("No customer is like that. Take a filter away.", icon=":material/search_off:")
        return
    count = ("The first " if more else "") + counted(len(customers), "customer")
    st.caption(f"{count}. Choose a row to open its card.")
    table = st.dataframe(
        [
            {
                schema.id.name: customer[schema.id.name],
                "segment": titles.get(customer["segment"], customer["segment_name"]),
                **{one.name: _cell(one, customer[one.name]) for one in schema.attributes},
            }
            for customer in customers
        ],
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        key="found",
        height=520,
        placeholder=NOT_KNOWN,
        column_config={
            "segment": "Segment",
            schema.id.name: label_of(schema.id),
            **{one.name: _column(one) for one in schema.attributes},
        },
    )
    rows = table["selection"]["rows"]
    if rows:
        # Which tab is open can be set before the tabs are shown only, so by the next run.
        st.session_state[CHOSEN] = customers[rows[0]][schema.id.name]
        st.rerun()


def _column(attribute: Attribute) -> ColumnConfig:
    """Return how a column looks."""
    if choices_of(attribute):
        return st.column_config.TextColumn(label_of(attribute))
    return st.column_config.NumberColumn(label_of(attribute), format="localized")


def _cell(attribute: Attribute, value: Any) -> Any:  # noqa: ANN401
    """Return what a cell shows; nothing of what is not known."""
    choices = choices_of(attribute)
    return value if value is None or not choices else choices.get(value, str(value))
