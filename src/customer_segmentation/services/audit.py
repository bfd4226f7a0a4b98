"""The use cases of the audit log: note what was done, seal it, verify it, read it."""

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from customer_segmentation.domain.audit import CHAIN_START, AuditEntry, values_digest
from customer_segmentation.services.clock import now, rest
from customer_segmentation.store import audit
from customer_segmentation.store.database import Database

CUSTOMER = "customer"

_CHUNK = 1_000
_SEALED_AT_ONCE = 300
_SALT_BYTES = 16
_actor: ContextVar[str] = ContextVar("actor", default="")


@contextmanager
def acting_as(name: str) -> Iterator[None]:
    """Note what is done within the block as done by this key or person."""
    token = _actor.set(name)
    try:
        yield
    finally:
        _actor.reset(token)


@dataclass(frozen=True, slots=True)
class Audit:
    """Notes what is done, in the very transaction that does it.

    Attributes:
        keeps_values: whether the values written to customers are kept with the entries.
        keeps_reads: whether it is noted who read which customer's data.
    """

    keeps_values: bool = False
    keeps_reads: bool = False

    def note_change(
        self,
        connection: Connection,
        customer_id: int,
        action: str,
        values: Mapping[str, Any] | None = None,
    ) -> None:
        """Append that a customer was changed, with the values where those are kept."""
        if not self.keeps_values or values is None:
            note(connection, CUSTOMER, customer_id, action)
            return
        salt = secrets.token_hex(_SALT_BYTES)
        entry = {
            "at": now(),
            "actor": _actor.get(),
            "kind": CUSTOMER,
            "subject": str(customer_id),
            "action": action,
            "digest": values_digest(salt, dict(values)),
        }
        audit.add_with_values(connection, entry, salt, dict(values))

    def note_reads(self, database: Database, customer_ids: list[int]) -> None:
        """Append that customers' data were read, where that is kept."""
        if self.keeps_reads and customer_ids:
            subjects = [str(customer_id) for customer_id in customer_ids]
            with database.write() as connection:
                audit.add(connection, now(), _actor.get(), CUSTOMER, subjects, "read")


def note(connection: Connection, kind: str, subject: object, action: str, by: str = "") -> None:
    """Append that something was done.

    Args:
        connection: of the transaction that does it.
        kind: of what is acted on.
        subject: which one.
        action: what is done, as a past participle.
        by: who says to do it, where the service itself does not know.
    """
    audit.add(connection, now(), _actor.get() or by, kind, [str(subject)], action)


def seal(database: Database) -> bool:
    """Chain the entries that are not chained yet; return False where there is no chain any more.

    Writers do not wait for one another to do so, nor for this to compute the hashes: whoever
    changes the log after this is found out.
    """
    while True:
        with database.read() as connection:
            end = audit.chain_end(connection)
            if end is None:
                return False
            position, link, last = end
            entries = audit.read_unsealed(connection, last, _SEALED_AT_ONCE)
        links = []
        for entry in entries:
            position, link = position + 1, entry.chained(link)
            links.append((position, entry.id, link))
        if not links:
            return True
        with database.write() as connection:
            # Another process may have sealed the same entries since.
            is_ours = audit.chain_end(connection, keep=True) == end
            if is_ours:
                audit.append_links(connection, links)
        if is_ours and len(links) < _SEALED_AT_ONCE:
            return True
        rest()


@dataclass(frozen=True, slots=True)
class Verification:
    """What came of checking the audit log.

    Attributes:
        entries: how many are sealed.
        head: the last link's hash. Kept elsewhere, it shows later that nothing before it is gone.
        faults: what is wrong, in plain words; empty where nothing is.
        holds_anchor: whether the hash that was kept elsewhere is in the chain; None where none was
            given.
    """

    entries: int
    head: str
    faults: tuple[str, ...]
    holds_anchor: bool | None


def verify(database: Database, anchor: str | None = None) -> Verification:
    """Seal what is there, and compute every link anew.

    Args:
        database: where the log is.
        anchor: a head that an earlier verification told.
    """
    faults = [] if seal(database) else ["the beginning of the chain was removed"]
    head, position, last = CHAIN_START, 0, 0
    found = anchor == CHAIN_START
    with database.read() as connection:
        for link in audit.read_chain(connection, _CHUNK):
            position += 1
            if link.position != position:
                faults.append(f"links {position} to {link.position - 1} were removed")
                position = link.position
            if link.entry is None:
                faults.append(f"the entry of link {position} was removed")
            elif link.entry.chained(head) != link.hash:
                faults.append(f"entry {link.entry.id} of link {position} was changed")
            elif _values_changed(link):
                faults.append(f"the values of entry {link.entry.id} were changed")
            if link.entry is not None:
                last = link.entry.id
            head = link.hash
            found = found or head == anchor
        loose = audit.count_loose(connection, last)
    if loose:
        faults.append(f"{loose} entries were put in afterwards, or their links were removed")
    return Verification(position, head, tuple(faults), None if anchor is None else found)


def list_entries(
    database: Database,
    *,
    before: int | None = None,
    limit: int = 100,
    kind: str | None = None,
    subject: str | None = None,
) -> list[tuple[AuditEntry, dict[str, Any] | None]]:
    """Return entries with the values that are kept, the newest first.

    Args:
        database: where the log is.
        before: only entries of lower ids, to go on after a page.
        limit: how many at most.
        kind: only entries about this kind, such as `customer`.
        subject: only entries about this one of a kind.
    """
    with database.read() as connection:
        return audit.read_latest(connection, before, limit, kind, subject)


def _values_changed(link: audit.Link) -> bool:
    if link.values is None or link.salt is None or link.entry is None:
        return False
    return values_digest(link.salt, link.values) != link.entry.digest
