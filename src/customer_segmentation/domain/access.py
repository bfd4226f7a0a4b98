"""Who may do what: roles, and the API keys that carry them."""

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

from customer_segmentation.domain.errors import FieldError, InvalidInputError

MAX_NAME = 200
"""Characters that a key's name may have."""


class Role(IntEnum):
    """What a key may do; a greater role may do all that a lesser one may."""

    READER = 1
    WRITER = 2
    ADMIN = 3

    @property
    def label(self) -> str:
        """The role's name in requests and answers."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class ApiKey:
    """An API key, without its secret.

    Attributes:
        id: the public part of the key.
        name: whose it is, or what it is for; unique, and what records call its user.
        role: what it may do.
        digest: SHA-256 of the secret, in hexadecimal digits. The secret has 256 random bits, so
            that no slow hash is needed against guessing.
        created_at: when it was made.
        revoked_at: since when it is refused; None where it was not revoked.
        expires_at: from when on it is refused; None for never.
    """

    id: str
    name: str
    role: Role
    digest: str
    created_at: datetime
    revoked_at: datetime | None
    expires_at: datetime | None = None


def accept_key_name(name: str) -> str:
    """Return a name that a new key may have.

    Raises:
        InvalidInputError: it is empty, too long, or has characters that cannot be seen, which could
            make a line of a log or of a terminal look like something else.
    """
    if not 1 <= len(name) <= MAX_NAME or not name.isprintable() or name != name.strip():
        message = (
            f"a key's name must be a line of 1 to {MAX_NAME} printable characters, "
            "without spaces around it"
        )
        raise InvalidInputError([FieldError("name", message)])
    return name
