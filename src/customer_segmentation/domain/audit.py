"""The record of who did what: entries, and the chain of hashes that shows any change to them."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256

CHAIN_START = "0" * 64
"""The hash before the first entry's."""

LONGEST_NAME = 200
"""Characters that a person's, a key's or a file's name may have in the log."""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One thing that somebody did.

    Attributes:
        id: its number, unique.
        at: when.
        actor: the name of the API key, or of the person at the command line; empty where the
            service knows neither.
        kind: of what was acted on: customer, segment, model, job, key, webhook.
        subject: which one: its id, number or name.
        action: what was done, as a past participle.
        digest: of the values that were written, as `values_digest` tells; None where none are
            kept. Values may be erased later; that they were there stays on record.
    """

    id: int
    at: datetime
    actor: str
    kind: str
    subject: str
    action: str
    digest: str | None

    def chained(self, before: str) -> str:
        """Return the hash of this entry after the one whose hash is given, in hexadecimal digits.

        Source: S. Haber, W. S. Stornetta, "How to Time-Stamp a Digital Document", 1991.
        """
        at = self.at.astimezone(UTC).isoformat(timespec="microseconds")
        told = [before, self.id, at, self.actor, self.kind, self.subject, self.action, self.digest]
        return sha256(json.dumps(told, separators=(",", ":")).encode()).hexdigest()


def values_digest(salt: str, values: object) -> str:
    """Return a hash of values that, without the salt, nobody can find them by trying."""
    told = json.dumps(values, sort_keys=True, separators=(",", ":"))
    return sha256(f"{salt}{told}".encode()).hexdigest()
