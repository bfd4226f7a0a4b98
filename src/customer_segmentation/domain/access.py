"""Who may do what: roles, and the API keys that carry them."""

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum


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
        revoked_at: since when it is refused; None while it is good.
    """

    id: str
    name: str
    role: Role
    digest: str
    created_at: datetime
    revoked_at: datetime | None
