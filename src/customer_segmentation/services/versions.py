"""The use cases on model versions: list them, make one of them serve."""

from dataclasses import dataclass
from datetime import datetime

from customer_segmentation.domain.errors import VersionNotFoundError
from customer_segmentation.domain.history import Cause
from customer_segmentation.model.artifact import Quality, from_json
from customer_segmentation.services.rescoring import rescore
from customer_segmentation.services.unit_of_work import UnitsOfWork
from customer_segmentation.store import models


@dataclass(frozen=True, slots=True)
class Version:
    """A model version.

    Attributes:
        number: its number, rising with every training.
        created_at: when it was trained.
        is_active: whether it serves.
        held_back: in plain words, why it did not become active by itself.
        quality: how good and how stable it is.
        customers: how many it was trained on.
    """

    number: int
    created_at: datetime
    is_active: bool
    held_back: tuple[str, ...]
    quality: Quality
    customers: int


def list_versions(units: UnitsOfWork) -> list[Version]:
    """Return every version, the newest first."""
    with units.database.read() as connection:
        active = models.active_version(connection)
        rows = models.read_all(connection)
    versions = []
    for row in rows:
        model = from_json(row.artifact)
        versions.append(
            Version(
                number=row.version,
                created_at=row.created_at,
                is_active=row.version == active,
                held_back=row.held_back,
                quality=model.quality,
                customers=model.fingerprint.customers,
            )
        )
    return versions


def activate_version(units: UnitsOfWork, number: int) -> None:
    """Make a version serve, a newer or an older one, and re-score every customer with it.

    Raises:
        VersionNotFoundError: there is no such version.
        ArtifactError: its artifact is damaged; what served goes on.
    """
    with units.database.write() as connection:
        stored = models.find(connection, number)
        if stored is None:
            raise VersionNotFoundError(number)
        from_json(stored.artifact)
        active = models.active_version(connection, keep=True)
        if active != number:
            older = active is not None and number < active
            models.activate(connection, number, Cause.ROLLED_BACK if older else Cause.RETRAINED)
    units.refresh()
    rescore(units)
