"""The use cases of the audit log: note what was done, seal it, verify it, read it."""

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from customer_segmentation.domain.attributes import CustomerId
from customer_segmentation.domain.audit import CHAIN_START, LONGEST_NAME, AuditEntry, values_digest
from customer_segmentation.domain.customer import Attributes, nulled
from customer_segmentation.domain.plurals import counted
from customer_segmentation.services.runtime.clock import now, rest
from customer_segmentation.store.database import Database
from customer_segmentation.store.queries import audit

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
        customer_id: CustomerId,
        action: str,
        values: Attributes | None = None,
    ) -> None:
        """Append that a customer was changed, with the values where those are kept."""
        if not self.keeps_values or values is None:
            note(connection, CUSTOMER, customer_id, action)
            return
        salt, written = secrets.token_hex(_SALT_BYTES), nulled(values)
        entry = {
            "at": now(),
            "actor": _actor.get(),
            "kind": CUSTOMER,
            "subject": str(customer_id),
            "action": action,
            "digest": values_digest(salt, written),
        }
        audit.add_with_values(connection, entry, salt, written)

    def note_reads(self, database: Database, customer_ids: Sequence[CustomerId]) -> None:
        """Append that customers' data were read, where that is kept."""
        if self.keeps_reads and customer_ids:
            with database.write() as connection:
                self.note_reads_within(connection, customer_ids)

    def note_reads_within(self, connection: Connection, customer_ids: Sequence[CustomerId]) -> None:
        """Do as `note_reads`, in a transaction that may do more."""
        if self.keeps_reads:
            subjects = [str(customer_id) for customer_id in customer_ids]
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
    audit.add(connection, now(), _actor.get() or by, kind, [_shortened(str(subject))], action)


def _shortened(name: str) -> str:
    """Return a name, such as a long path, without its beginning where the log cannot hold it."""
    return name if len(name) <= LONGEST_NAME else f"…{name[1 - LONGEST_NAME :]}"


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
            position, link = end
            entries = audit.read_unsealed(connection, _SEALED_AT_ONCE)
        links = []
        for entry in entries:
            position, link = position + 1, entry.chained(link)
            links.append((position, entry.id, link))
        if not links:
            return True
        with database.write() as connection:
            # Another process may have sealed the same entries since.
            is_ours = audit.chain_end(connection, for_update=True) == end
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
    head, position, greatest = CHAIN_START, 0, 0
    found = anchor == CHAIN_START
    with database.read() as connection:
        try:
            for link in audit.read_chain(connection, _CHUNK):
                position += 1
                if link.position != position:
                    last = link.position - 1
                    removed = (
                        f"links {position} to {last} were"
                        if last > position
                        else f"link {last} was"
                    )
                    faults.append(f"{removed} removed")
                    position = link.position
                # SQLite's ids rise from commit to commit.
                is_late = database.is_sqlite and link.entry is not None and link.entry.id < greatest
                faults += _faults_of(link, head, is_late=is_late)
                if link.entry is not None:
                    greatest = max(greatest, link.entry.id)
                head = link.hash
                found = found or head == anchor
        except ValueError:
            # What is no moment or no JSON cannot be read, and nothing after it is.
            faults.append(f"what comes after link {position} holds what nobody has written there")
        loose = audit.count_loose(connection)
    if loose:
        faults.append(
            f"put in afterwards, or without their links: {counted(loose, 'entry', 'entries')}"
        )
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


def _faults_of(link: audit.Link, before: str, *, is_late: bool) -> list[str]:
    """Tell what is wrong with a link, in plain words; nothing where nothing is.

    Args:
        link: after the one whose hash is `before`.
        before: a hash.
        is_late: whether its entry's id is lower than one before, while they rise.
    """
    if link.entry is None:
        return [f"the entry of link {link.position} was removed"]
    if link.entry.chained(before) != link.hash:
        return [f"entry {link.entry.id} of link {link.position} was changed"]
    if _values_changed(link):
        return [f"the values of entry {link.entry.id} were changed"]
    if is_late or not link.is_in_place:
        return [f"entry {link.entry.id} was put in afterwards, or was moved"]
    return []


def _values_changed(link: audit.Link) -> bool:
    if link.values is None or link.salt is None or link.entry is None:
        return False
    return values_digest(link.salt, link.values) != link.entry.digest
