"""The use cases on model versions: list them, look at one, make one serve."""

from dataclasses import dataclass
from datetime import datetime

from customer_segmentation.domain.errors import ApprovalRequiredError, VersionNotFoundError
from customer_segmentation.domain.history import Activation, Cause
from customer_segmentation.domain.jobs import Origin
from customer_segmentation.model.artifact import Model, from_json
from customer_segmentation.model.describing.explain import typical_values
from customer_segmentation.services.models.activation import AWAITING_APPROVAL, activate
from customer_segmentation.services.runtime.clock import now
from customer_segmentation.services.runtime.current_schema import shipped_schema
from customer_segmentation.services.runtime.serving import load_model
from customer_segmentation.services.runtime.settings import Settings
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork
from customer_segmentation.store.queries import models, segments
from customer_segmentation.store.queries.models import StoredModel


@dataclass(frozen=True, slots=True)
class Version:
    """A model version.

    Attributes:
        number: its number, rising with every training.
        created_at: when the customers that it was trained on were read.
        origin: what asked for it, who, and why.
        is_active: whether it serves.
        is_previous: whether it served until the active one was activated: the one to roll back to.
        held_back: in plain words, why it did not become active by itself; what it waited for until
            it was activated is no longer told then.
        model: what was trained, with the segments' words as people have edited them.
        activations: each time it began to serve, the newest first.
    """

    number: int
    created_at: datetime
    origin: Origin
    is_active: bool
    is_previous: bool
    held_back: tuple[str, ...]
    model: Model
    activations: tuple[Activation, ...]

    @property
    def weights(self) -> dict[str, float]:
        """How much each attribute counts, 0 for one that the model does not use."""
        used = self.model.preparation.used_attributes
        given = self.model.parameters.weights
        return {
            feature.name: given.get(feature.name, feature.weight) if j in used else 0.0
            for j, feature in enumerate(self.model.attributes)
        }

    @property
    def centroids(self) -> dict[int, dict[str, float]]:
        """By segment number, the value of each attribute at the centroid, in users' units."""
        typical = typical_values(self.model).tolist()
        numbers = self.model.numbers.tolist()
        return {
            number: dict(zip(self.model.names, row, strict=True))
            for number, row in zip(numbers, typical, strict=True)
        }


def list_versions(units: UnitsOfWork) -> list[Version]:
    """Return every version that is kept, the newest first."""
    with units.database.read() as connection:
        active = models.active_version(connection)
        activations = models.activations_of(connection)
        stored, known = models.read_all(connection), shipped_schema().attributes
        rows = [(row, from_json(row.artifact, known)) for row in stored]
        numbers = {number for _, model in rows for number in model.numbers.tolist()}
        words = segments.read_words(connection, numbers)
    return [_version(row, model.with_words(words), active, activations) for row, model in rows]


def get_active_version(units: UnitsOfWork) -> int:
    """Return the number of the active version.

    Raises:
        NotReadyError: there is none yet.
    """
    with units.read() as work:
        return work.serving.version


def get_version(units: UnitsOfWork, number: int) -> Version:
    """Return a version.

    Raises:
        VersionNotFoundError: there is no such version.
        ArtifactError: its artifact is damaged.
    """
    with units.database.read() as connection:
        row = models.find(connection, number)
        if row is None:
            raise VersionNotFoundError(number)
        return _version(
            row,
            load_model(connection, number, units.schema).model,
            models.active_version(connection),
            models.activations_of(connection),
        )


def activate_version(
    units: UnitsOfWork, settings: Settings, number: int, by: str = "", reason: str = ""
) -> None:
    """Make a version serve, a newer or an older one.

    Readers have the new segments at once; `services/models/rescoring.py` then writes them down.

    Args:
        units: over the database.
        settings: say whether a second person must approve.
        number: of the version.
        by: who says so.
        reason: why.

    Raises:
        VersionNotFoundError: there is no such version.
        ApprovalRequiredError: who asked for the training must not approve its model alone.
        ArtifactError: its artifact is damaged; what served goes on.
    """
    with units.database.write() as connection:
        previous = models.lock(connection)
        stored = models.find(connection, number)
        if stored is None:
            raise VersionNotFoundError(number)
        served = any(past.version == number for past in models.activations_of(connection))
        if settings.require_approval and not served:
            _check_approval(stored, by)
        if previous != number:
            older = previous is not None and number < previous
            cause = Cause.ROLLED_BACK if older else Cause.RETRAINED
            activation = Activation(number, previous, cause, now(), by, reason)
            activate(connection, activation, load_model(connection, number, units.schema))
    units.refresh()


def _check_approval(stored: StoredModel, by: str) -> None:
    if not by:
        raise ApprovalRequiredError(
            f"Model version {stored.version} needs approval: say who approves it"
        )
    if by == stored.origin.by:
        raise ApprovalRequiredError(
            f"Model version {stored.version} was proposed by {by}: someone else must approve it"
        )


def _version(
    row: StoredModel, model: Model, active: int | None, activations: list[Activation]
) -> Version:
    own = tuple(past for past in activations if past.version == row.version)
    return Version(
        number=row.version,
        created_at=row.created_at,
        origin=row.origin,
        is_active=row.version == active,
        is_previous=bool(activations) and row.version == activations[0].previous,
        held_back=tuple(why for why in row.held_back if not own or why != AWAITING_APPROVAL),
        model=model,
        activations=own,
    )
