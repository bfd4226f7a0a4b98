"""API keys as resources, under `/v1/keys`, for admins."""

from datetime import datetime, timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from customer_segmentation.api.http.fields import NUMBER
from customer_segmentation.api.http.openapi import problem_responses
from customer_segmentation.api.http.problems import (
    INVALID,
    KEY_EXISTS,
    KEYS_UNUSED,
    NO_KEY,
    STORE_UNAVAILABLE,
)
from customer_segmentation.api.http.requests import JsonRoute
from customer_segmentation.api.http.roles import needs
from customer_segmentation.api.http.routers import Router
from customer_segmentation.domain.access import MAX_NAME, Role
from customer_segmentation.domain.errors import KeysUnusedError
from customer_segmentation.services.operation.keys import create_key, list_keys, revoke_key
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork

RoleName = Annotated[
    Literal["reader", "writer", "admin"],
    Field(description="A writer may do what a reader may, and an admin all."),
]
_ROLES = {role.label: role for role in Role}


class KeyName(BaseModel):
    """Which key is meant."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(
        description=f"Whose it is, or what it is for: 1 to {MAX_NAME} printable characters.",
        examples=["crm"],
    )


class NewKey(KeyName):
    """A key to make."""

    role: RoleName = "reader"
    days: Annotated[int, Field(ge=1, le=36_500), NUMBER] | None = Field(
        default=None, description="After how many days it expires; null is never."
    )


class CreatedKey(BaseModel):
    """A new key, whole."""

    name: str = Field(description="Whose it is, or what it is for.")
    role: RoleName
    key: str = Field(description="Shown this once: only a hash of it is stored.")


class KeyAnswer(BaseModel):
    """A key, without its secret."""

    id: str = Field(description="The public part of the key.")
    name: str = Field(description="Whose it is, or what it is for.")
    role: RoleName
    created_at: datetime = Field(description="When it was made, in UTC.")
    revoked_at: datetime | None = Field(description="Since when it is refused; null if it is not.")
    expires_at: datetime | None = Field(description="From when on it is refused; null is never.")


class Keys(BaseModel):
    """Every key, the oldest first."""

    keys: list[KeyAnswer]


def keys_router(units: UnitsOfWork, *, can_create: bool) -> Router:
    """Return the routes of keys.

    Args:
        units: over the database.
        can_create: whether who asks is known to be an admin. Where nobody is asked for a key,
            anyone could make one that goes on opening the service once it asks.
    """
    router = Router("/v1", "Operation", route_class=JsonRoute)

    @router.get(
        "/keys",
        summary="The API keys",
        operation_id="list_keys",
        responses=problem_responses(STORE_UNAVAILABLE),
    )
    @needs(Role.ADMIN)
    def show() -> Keys:
        """List every key without its secret, revoked ones too, the oldest first."""
        return Keys(
            keys=[
                KeyAnswer.model_validate(
                    {
                        "id": key.id,
                        "name": key.name,
                        "role": key.role.label,
                        "created_at": key.created_at,
                        "revoked_at": key.revoked_at,
                        "expires_at": key.expires_at,
                    }
                )
                for key in list_keys(units)
            ]
        )

    @router.post(
        "/keys",
        status_code=201,
        summary="Make an API key",
        operation_id="create_key",
        responses=problem_responses(KEY_EXISTS, KEYS_UNUSED, INVALID, STORE_UNAVAILABLE),
    )
    @needs(Role.ADMIN)
    def create(asked: NewKey) -> CreatedKey:
        """Make a key; it is shown this once. Servers let it in within a second."""
        if not can_create:
            raise KeysUnusedError
        life = None if asked.days is None else timedelta(days=asked.days)
        key = create_key(units, asked.name, _ROLES[asked.role], life)
        return CreatedKey(name=asked.name, role=asked.role, key=key)

    @router.post(
        "/keys:revoke",
        summary="Revoke an API key",
        operation_id="revoke_key",
        responses=problem_responses(NO_KEY, INVALID, STORE_UNAVAILABLE),
    )
    @needs(Role.ADMIN)
    def revoke(asked: KeyName) -> KeyName:
        """Refuse a key from now on; each server does so within a second."""
        revoke_key(units, asked.name)
        return asked

    return router
