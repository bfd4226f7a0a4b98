"""Sending a file's customers to the service, to be stored or only tried."""

import logging
import threading
from dataclasses import dataclass, field
from threading import Event, Thread

import httpx
import streamlit as st

from customer_segmentation.client import Client, ServiceError
from customer_segmentation.dashboard.data.preview import Customer, Looked
from customer_segmentation.dashboard.service import PAGE
from customer_segmentation.domain.features import CUSTOMER_ID
from customer_segmentation.domain.plurals import counted

logger = logging.getLogger(__name__)

_EXISTS = "customer-exists"


@dataclass(slots=True)
class Sent:
    """What came of a file's customers.

    Attributes:
        added: how many were added, or would be.
        changed: how many were changed, or would be.
        refused: who was neither, and why.
    """

    added: int = 0
    changed: int = 0
    refused: list[dict[str, object]] = field(default_factory=list)


@dataclass(slots=True)
class Sending:
    """The sending of a file's customers, which goes on whether or not somebody looks.

    Attributes:
        name: the file's.
        count: how many customers are sent.
        trying: whether only to tell what would come of it.
        sent: what has come of those that are done.
        done: how many are.
        fault: why it stopped before the end, if it did.
        ended: is set in the end.
    """

    name: str
    count: int
    trying: bool
    sent: Sent = field(default_factory=Sent)
    done: int = 0
    fault: str | None = None
    ended: Event = field(default_factory=Event)


@st.cache_resource
def sendings() -> list[Sending]:
    """Return what is being sent and what has come of it, the same for every visitor."""
    return []


def begin(bank: Client, looked: Looked, name: str, *, changing: bool, trying: bool) -> None:
    """Begin to add customers, and to change those who are there if that is wanted.

    Args:
        bank: the service.
        looked: the customers.
        name: of the file that they are from.
        changing: whether those who are there are changed.
        trying: whether only to tell what would come of it.
    """
    sending = Sending(name, len(looked.ids), trying)
    sendings()[:] = [sending]
    # A visitor who leaves the page ends its run, and must not end this. Nor must the end of the
    # process: the thread of a page is a daemon, and would hand that on.
    Thread(
        target=_send, args=[bank, looked, sending], kwargs={"changing": changing}, daemon=False
    ).start()


def _send(bank: Client, looked: Looked, sending: Sending, *, changing: bool) -> None:
    # Whatever ends the thread early must not look like success.
    sending.fault = "an unexpected error, which the dashboard's log tells"
    try:
        for start in range(0, sending.count, PAGE):
            if not threading.main_thread().is_alive():  # SIGTERM has come.
                sending.fault = "the dashboard was stopped"
                return
            some = looked.customers(start, PAGE)
            _send_some(bank, some, sending.sent, changing=changing, trying=sending.trying)
            sending.done += len(some)
        sending.fault = None
    except (ServiceError, httpx.TransportError) as fault:
        sending.fault = str(fault)
    finally:
        if sending.fault is not None and not sending.trying:
            _log_partial(sending)
        sending.ended.set()


def _log_partial(sending: Sending) -> None:
    """Log what an import has stored of a file: after a restart no page can show it."""
    sent = sending.sent
    logger.warning(
        "The import of %r ended early (%s): %s of its %s are done, %s added and %s changed. "
        "Import the same file again to complete it",
        sending.name,
        sending.fault,
        f"{sending.done:,}",
        counted(sending.count, "customer"),
        f"{sent.added:,}",
        f"{sent.changed:,}",
    )


def _send_some(
    bank: Client, customers: list[Customer], sent: Sent, *, changing: bool, trying: bool
) -> None:
    adds = [{"action": "add", "customer": one} for one in customers]
    outcomes = bank.apply_batch(adds, dry_run=trying)
    sent.added += outcomes["added"]
    failed = [one for one in outcomes["outcomes"] if one["status"] == "failed"]
    there = [o for o in failed if changing and o["problem"]["type"].endswith(_EXISTS)]
    left = [(customers[o["row"]], o) for o in failed if o not in there]
    if there:
        known = [customers[outcome["row"]] for outcome in there]
        changes = [{"action": "update", "customer": one} for one in known]
        updated = bank.apply_batch(changes, dry_run=trying)
        sent.changed += updated["updated"]
        left += [(known[o["row"]], o) for o in updated["outcomes"] if o["status"] == "failed"]
    sent.refused += [
        {"customer id": customer[CUSTOMER_ID.name], "why": outcome["problem"]["detail"]}
        for customer, outcome in left
    ]
