"""Sending a file's customers to the service, to be stored or only tried."""

from collections.abc import Callable
from dataclasses import dataclass, field

from customer_segmentation.client import Client
from customer_segmentation.dashboard.data.looking import Customer, Looked
from customer_segmentation.dashboard.service import PAGE
from customer_segmentation.domain.features import CUSTOMER_ID

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


def send(
    bank: Client,
    looked: Looked,
    progress: Callable[[int], None],
    *,
    changing: bool,
    trying: bool,
) -> Sent:
    """Add customers, and change those who are there if that is wanted.

    Args:
        bank: the service.
        looked: the customers.
        progress: is told how many are done.
        changing: whether those who are there are changed.
        trying: whether only to tell what would come of it.
    """
    sent = Sent()
    for start in range(0, len(looked.ids), PAGE):
        _send_some(bank, looked.customers(start, PAGE), sent, changing=changing, trying=trying)
        progress(min(start + PAGE, len(looked.ids)))
    return sent


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
