"""All that is kept about a customer, for who asks what that is."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import datetime
from html import escape
from typing import Any

import numpy as np
from sqlalchemy import Connection

from customer_segmentation.domain.attributes import CustomerId
from customer_segmentation.domain.campaigns import group_names
from customer_segmentation.domain.errors import CustomerNotFoundError
from customer_segmentation.domain.schema import Schema
from customer_segmentation.domain.transactions import TransactionSchema, from_microseconds
from customer_segmentation.services.runtime.audit import CUSTOMER, note
from customer_segmentation.services.runtime.clock import now
from customer_segmentation.services.runtime.serving import assess
from customer_segmentation.services.runtime.unit_of_work import UnitOfWork, UnitsOfWork
from customer_segmentation.store.queries import (
    audiences,
    audit,
    campaigns,
    consents,
    history,
    transactions,
)

_LISTED = 10_000
"""Entries of the audit log in a dossier, at most: those of the last years."""


def make_dossier(units: UnitsOfWork, customer_id: CustomerId) -> dict[str, Any]:
    """Return all that is kept about a customer, as JSON has it; the audit log notes that.

    Raises:
        CustomerNotFoundError: nothing is kept about such a customer but that it was erased.
    """
    with units.read() as work:
        number = work.ids.number_of(work.connection, customer_id)
        found = None if number is None else _collect(work, customer_id, number)
    if found is None:
        raise CustomerNotFoundError(customer_id)
    with units.database.write() as connection:
        note(connection, CUSTOMER, customer_id, "dossier made")
    return found


def _collect(work: UnitOfWork, customer_id: CustomerId, number: int) -> dict[str, Any] | None:
    connection = work.connection
    row = work.customers.find(connection, number)
    past = history.of_customer(connection, number)
    if row is None and not past:
        return None
    told: dict[str, Any] = {"customer_id": customer_id, "made_at": _time(now())}
    if row is not None:
        found = work.read(customer_id, number, *row)
        assessment = assess([found])
        told["attributes"] = _attributes(work.customers.schema, found.customer.attributes)
        told["segment"] = {
            "number": found.segment.number,
            "name": found.segment.name,
            "confidence": float(assessment.confidence[0]),
            "model_version": found.model_version,
        }
    told["segment_changes"] = [
        {
            name: _plain(value)
            for name, value in asdict(change).items()
            if name not in {"customer_id", "audience_id", "entered"}
        }
        for change in past
    ]
    told["consents"] = [
        {name: _plain(value) for name, value in asdict(one).items()}
        for one in consents.of_customer(connection, number)
    ]
    names = {one.id: one.name for one in audiences.read_all(connection)}
    told["audiences"] = [names[one] for one in audiences.of_customer(connection, number)]
    told["campaigns"] = _campaigns(connection, number)
    told["transactions"] = _transactions(work, number)
    told["audit_log"] = [
        {"at": _time(entry.at), "action": entry.action}
        for entry, _ in audit.read_latest(connection, None, _LISTED, CUSTOMER, str(customer_id))
    ]
    return told


def _attributes(schema: Schema, attributes: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "name": attribute.name,
            "title": attribute.title,
            "description": attribute.description,
            "value": None
            if math.isnan(attributes[attribute.name])
            else attribute.show(attributes[attribute.name]),
            "meaning": attribute.codes.get(int(attributes[attribute.name]), "")
            if attribute.codes and not math.isnan(attributes[attribute.name])
            else "",
            "unit": attribute.unit,
        }
        for attribute in schema.attributes
    ]


def _campaigns(connection: Connection, number: int) -> list[dict[str, Any]]:
    found = {one.id: one for one in campaigns.read_all(connection)}
    told = []
    for campaign_id, arm, outcome, addressed in campaigns.of_customer(connection, number):
        campaign = found[campaign_id]
        told.append(
            {
                "campaign": campaign.name,
                "group": group_names(campaign.plan)[arm],
                "started_at": _plain(campaign.started_at),
                "outcome": outcome,
                "addressed": addressed,
            }
        )
    return told


def _transactions(work: UnitOfWork, number: int) -> list[dict[str, Any]]:
    declared = work.customers.schema.transactions
    if declared is None:
        return []
    unit = (declared or TransactionSchema()).unit_of_amount
    return [
        {
            "transaction_id": one.transaction_id,
            "time": _time(from_microseconds(one.time)),
            "amount": None if one.amount is None else one.amount / unit,
            "kind": one.kind,
            **one.fields,
        }
        for one in transactions.of_customers(work.connection, np.array([number]))[number]
    ]


def _plain(value: object) -> object:
    return _time(value) if isinstance(value, datetime) else value


def _time(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def dossier_page(dossier: Mapping[str, Any]) -> str:
    """Return a dossier as a page of HTML that a person can read."""
    title = escape(f"All that is kept about customer {dossier['customer_id']}")
    parts = "".join(_section(name, content) for name, content in dossier.items())
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        "<style>body{font-family:sans-serif;max-width:60em;margin:2em auto;padding:0 1em}"
        "table{border-collapse:collapse}td,th{border:1px solid #bbb;padding:.3em .6em;"
        f"text-align:left}}</style></head><body><h1>{title}</h1>{parts}</body></html>"
    )


def _section(name: str, content: object) -> str:
    heading = f"<h2>{escape(name.replace('_', ' ').capitalize())}</h2>"
    if isinstance(content, Mapping):
        content = [content]
    if not isinstance(content, list):
        return f"{heading}<p>{_cell(content)}</p>"
    if not content:
        return f"{heading}<p>Nothing.</p>"
    if not isinstance(content[0], Mapping):
        return f"{heading}<ul>{''.join(f'<li>{_cell(one)}</li>' for one in content)}</ul>"
    return f"{heading}<table>{''.join(_rows(content))}</table>"


def _rows(content: list[Mapping[str, object]]) -> Iterator[str]:
    names = [*dict.fromkeys(name for row in content for name in row)]
    titles = "".join(f"<th>{escape(name.replace('_', ' '))}</th>" for name in names)
    yield f"<tr>{titles}</tr>"
    for row in content:
        yield f"<tr>{''.join(f'<td>{_cell(row.get(name))}</td>' for name in names)}</tr>"


def _cell(value: object) -> str:
    return "" if value is None else escape(str(value))
