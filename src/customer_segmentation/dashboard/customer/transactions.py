"""A customer's transactions, and the attributes that follow from them."""

from datetime import date
from typing import Any

import streamlit as st

from customer_segmentation.client import Reply
from customer_segmentation.dashboard import parts
from customer_segmentation.dashboard.schema import the_schema
from customer_segmentation.dashboard.service import service
from customer_segmentation.dashboard.style import label_of, moment_of, number_of, value_of
from customer_segmentation.domain.attributes import CustomerId
from customer_segmentation.domain.transactions import TransactionSchema

_PAGE = 20
Cursors = list[str | None]


def show_attributes(customer_id: CustomerId, found: Reply) -> None:
    """Show a customer's attributes, and which of them follow from transactions."""
    schema = the_schema()
    rows: list[dict[str, object]] = [
        {"attribute": label_of(one), "value": value_of(one, found[one.name])}
        for one in schema.attributes
    ]
    if schema.derived:
        told = service().list_transactions(customer_id, limit=1)
        for row, one in zip(rows, schema.attributes, strict=True):
            row["from transactions"] = "" if one.derivation is None else one.derivation.summary
            change = told["next_changes"].get(one.name)
            row["time changes it"] = "" if change is None else _day(change)
    parts.table(rows)
    if schema.derived and not told["follows"]:
        st.caption("There are no transactions yet: until the first, all attributes are written.")


def show_transactions(customer_id: CustomerId) -> None:
    """Show a customer's transactions, the newest first, page by page."""
    key = f"transactions-{customer_id}"
    cursors: Cursors = st.session_state.setdefault(key, [None])
    page = service().list_transactions(customer_id, cursors[-1], _PAGE)
    if not page["transactions"]:
        st.write("There are none." if page["follows"] is False else "None are kept any longer.")
        return
    declared = the_schema().transactions or TransactionSchema()
    parts.table([_row(one, declared) for one in page["transactions"]])
    newer, older, _ = st.columns([1, 1, 3])
    if newer.button("Newer", icon=":material/chevron_left:", disabled=len(cursors) == 1):
        cursors.pop()
        st.rerun()
    if older.button("Older", icon=":material/chevron_right:", disabled=page["next_cursor"] is None):
        cursors.append(page["next_cursor"])
        st.rerun()


def _row(one: dict[str, Any], declared: TransactionSchema) -> dict[str, object]:
    amount = "" if one["amount"] is None else number_of(one["amount"], declared.decimals)
    return {
        "transaction": one["transaction_id"],
        "time": moment_of(one["time"], st.context.timezone),
        "amount": f"{amount} {declared.unit}".strip(),
        "kind": one["kind"],
        **{field.title: one[field.name] or "" for field in declared.fields},
    }


def _day(text: str) -> str:
    return date.fromisoformat(text).strftime("%d %b %Y")
