"""The use cases on API keys: make, list and revoke them, and tell whose a request is."""

import hmac
import secrets
import threading
from datetime import timedelta
from hashlib import sha256

from customer_segmentation.domain.access import ApiKey, Role, accept_key_name
from customer_segmentation.domain.errors import KeyNotFoundError, NotSignedInError
from customer_segmentation.services.runtime.audit import note
from customer_segmentation.services.runtime.clock import now
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork
from customer_segmentation.store.queries import keys

_PREFIX = "cs"
_ID_BYTES = 6
_SECRET_BYTES = 32


def create_key(units: UnitsOfWork, name: str, role: Role, life: timedelta | None = None) -> str:
    """Make a key and return it whole; it cannot be had again.

    Args:
        units: opens the database.
        name: whose it is, or what it is for.
        role: what it may do.
        life: how long it is good; None is until it is revoked.

    Raises:
        InvalidInputError: the name is not one that a key may have.
        KeyExistsError: the name is taken.
    """
    moment = now()
    expires_at = None if life is None else moment + life
    key_id, secret = secrets.token_hex(_ID_BYTES), secrets.token_hex(_SECRET_BYTES)
    key = ApiKey(
        id=key_id,
        name=accept_key_name(name),
        role=role,
        digest=_digest(secret),
        created_at=moment,
        revoked_at=None,
        expires_at=expires_at,
    )
    until = "" if expires_at is None else f" to {expires_at:%Y-%m-%d}"
    with units.database.write() as connection:
        keys.add(connection, key)
        note(connection, "key", name, f"created as {role.label}{until}")
    return f"{_PREFIX}_{key_id}_{secret}"


def list_keys(units: UnitsOfWork) -> list[ApiKey]:
    """Return every key without its secret, the oldest first."""
    with units.database.read(brief=True) as connection:
        return keys.read_all(connection)


def revoke_key(units: UnitsOfWork, name: str) -> None:
    """Refuse a key from now on; each server does so within a second.

    Raises:
        KeyNotFoundError: there is no good key of this name.
    """
    with units.database.write() as connection:
        if not keys.revoke(connection, name, now()):
            raise KeyNotFoundError(name)
        note(connection, "key", name, "revoked")


class KeyRing:
    """The keys that are good, as last read; a request is not worth a query for its key."""

    def __init__(self, units: UnitsOfWork) -> None:
        """Hold no key yet."""
        self._units = units
        self._good: dict[str, ApiKey] = {}
        self._refreshing = threading.Lock()

    def refresh(self) -> None:
        """Read the keys anew."""
        with self._refreshing:
            self._good = {k.id: k for k in list_keys(self._units) if k.revoked_at is None}

    def identify(self, presented: str | None) -> ApiKey:
        """Return the key that was presented.

        Raises:
            NotSignedInError: none was, or it is not good, or not any more.
        """
        if not presented:
            raise NotSignedInError("Send an API key as Authorization: Bearer KEY")
        prefix, _, rest = presented.partition("_")
        key_id, _, secret = rest.partition("_")
        key = self._good.get(key_id)
        digest = _digest(secret)
        if prefix != _PREFIX or key is None or not hmac.compare_digest(digest, key.digest):
            raise NotSignedInError("The API key is not known or was revoked")
        if key.expires_at is not None and now() >= key.expires_at:
            raise NotSignedInError(f"The API key {key.name} expired on {key.expires_at:%Y-%m-%d}")
        return key


def _digest(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()
