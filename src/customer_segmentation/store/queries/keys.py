"""Queries on API keys, of which only a hash of the secret is stored."""

from datetime import datetime

from sqlalchemy import Connection, RowMapping, insert, select, update
from sqlalchemy.exc import IntegrityError

from customer_segmentation.domain.access import ApiKey, Role
from customer_segmentation.domain.errors import KeyExistsError
from customer_segmentation.store.tables import api_keys


def add(connection: Connection, key: ApiKey) -> None:
    """Add a key.

    Raises:
        KeyExistsError: the name is taken.
    """
    values = {column.name: getattr(key, column.name) for column in api_keys.c}
    try:
        connection.execute(insert(api_keys), values | {"role": key.role.label})
    except IntegrityError as taken:
        raise KeyExistsError(key.name) from taken


def read_all(connection: Connection) -> list[ApiKey]:
    """Return every key, the oldest first; revoked ones too."""
    rows = connection.execute(select(api_keys).order_by(api_keys.c.created_at)).mappings()
    return [_key(row) for row in rows]


def revoke(connection: Connection, name: str, moment: datetime) -> bool:
    """Refuse a key from a moment on; return False where none of this name is good."""
    changed = connection.execute(
        update(api_keys)
        .where(api_keys.c.name == name, api_keys.c.revoked_at.is_(None))
        .values(revoked_at=moment)
    )
    return changed.rowcount == 1


def _key(row: RowMapping) -> ApiKey:
    return ApiKey(**{**row, "role": Role[row["role"].upper()]})
