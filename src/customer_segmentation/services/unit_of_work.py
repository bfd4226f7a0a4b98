"""A unit of work: one transaction, together with the model that is active in it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection

from customer_segmentation.domain.customer import Attributes
from customer_segmentation.domain.errors import NotReadyError, VersionNotFoundError
from customer_segmentation.domain.segments import Segment
from customer_segmentation.model.artifact import Model, from_json
from customer_segmentation.model.assign import Assigner
from customer_segmentation.store import models
from customer_segmentation.store.database import Database


@dataclass(frozen=True, eq=False, slots=True)
class ServingModel:
    """A model ready to answer.

    Attributes:
        version: its version in the database.
        model: the trained model.
        assigner: the model folded for assignment.
        segments: its segments by number.
    """

    version: int
    model: Model
    assigner: Assigner
    segments: dict[int, Segment]

    def assign(self, attributes: Attributes) -> int:
        """Return the number of the segment that complete attributes fall into."""
        return self.assigner.assign_one(attributes)


@dataclass(frozen=True, slots=True)
class UnitOfWork:
    """One transaction.

    Attributes:
        connection: what queries run on.
        serving: the model that is active in this transaction.
    """

    connection: Connection
    serving: ServingModel


class UnitsOfWork:
    """Opens units of work over a database; keeps the active model in memory."""

    def __init__(self, database: Database) -> None:
        """Open nothing yet."""
        self.database = database
        self._serving: ServingModel | None = None
        self._refreshing = threading.Lock()
        self._models: dict[int, ServingModel] = {}

    @property
    def serving(self) -> ServingModel:
        """The active model as last seen.

        Raises:
            NotReadyError: there is none yet.
        """
        if self._serving is None:
            self.refresh()
        if self._serving is None:
            raise NotReadyError("The service has no trained model yet; try again soon")
        return self._serving

    def close(self) -> None:
        """Close every connection."""
        self.database.close()

    def refresh(self) -> None:
        """Notice a model that was activated, here or by another process."""
        # One at a time, so that what was read before an activation is never kept after it.
        with self._refreshing, self.database.read() as connection:
            version = models.active_version(connection)
            if version is not None:
                self._serving = self._model(connection, version)

    @contextmanager
    def read(self) -> Iterator[UnitOfWork]:
        """Open a unit of work that sees one snapshot.

        Raises:
            NotReadyError: there is no model yet.
            StoreUnavailableError: the database does not answer.
        """
        with self.database.read() as connection:
            yield UnitOfWork(connection, self._active(connection))

    @contextmanager
    def write(self) -> Iterator[UnitOfWork]:
        """Open a unit of work whose changes are durable once the block is left without error.

        Raises:
            NotReadyError: there is no model yet.
            StoreUnavailableError: the database does not answer or cannot be written.
        """
        with self.database.write() as connection:
            yield UnitOfWork(connection, self._active(connection, keep=True))

    def _active(self, connection: Connection, *, keep: bool = False) -> ServingModel:
        version = models.active_version(connection, keep=keep)
        if version is None:
            raise NotReadyError("The service has no trained model yet; try again soon")
        return self._model(connection, version)

    def _model(self, connection: Connection, version: int) -> ServingModel:
        known = self._models
        model = known.get(version)
        if model is None:
            model = load_model(connection, version)
            # Around an activation, transactions of before and after it take turns.
            newest = sorted(known)[-1:]
            self._models = {number: known[number] for number in newest} | {version: model}
        return model


def units_over(database_url: str) -> UnitsOfWork:
    """Return units of work over the database at a URL.

    Raises:
        StoreUnavailableError: the URL names no database that is supported.
    """
    return UnitsOfWork(Database(database_url))


def load_model(connection: Connection, version: int) -> ServingModel:
    """Read a model version and make it ready to answer.

    Raises:
        VersionNotFoundError: there is no such version.
        ArtifactError: its artifact is damaged.
    """
    stored = models.find(connection, version)
    if stored is None:
        raise VersionNotFoundError(version)
    model = from_json(stored.artifact)
    return ServingModel(
        version=version,
        model=model,
        assigner=Assigner(model),
        segments={segment.number: segment for segment in model.segments},
    )
