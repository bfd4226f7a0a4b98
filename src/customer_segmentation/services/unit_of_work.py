"""A unit of work: one transaction, together with the model that is active in it."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import ParamSpec, TypeVar

import numpy as np
import pyarrow as pa
from sqlalchemy import Connection

from customer_segmentation.domain.arrays import IntArray
from customer_segmentation.domain.customer import Attributes, Customer
from customer_segmentation.domain.errors import (
    NotReadyError,
    TransactionConflictError,
    VersionNotFoundError,
)
from customer_segmentation.domain.features import FEATURE_NAMES
from customer_segmentation.domain.segments import Segment
from customer_segmentation.model.artifact import Model, from_json
from customer_segmentation.model.assign import Assigner
from customer_segmentation.services.audit import Audit
from customer_segmentation.store import models, segments
from customer_segmentation.store.database import POOL_SIZE, Database
from customer_segmentation.store.models import Active

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

_TRIES = 5
_DEFAULT_AUDIT = Audit()


@dataclass(frozen=True, eq=False, slots=True)
class ServingModel:
    """A model ready to answer.

    Attributes:
        version: its version in the database.
        model: the trained model, with the segments' words as people have edited them.
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

    def reassign(self, attributes: Attributes, current: int) -> int:
        """Return the number of the segment that a customer in one already belongs to now."""
        if self.model.parameters.hysteresis == 0.0:
            return self.assigner.assign_one(attributes)
        values = np.array([[attributes[name] for name in FEATURE_NAMES]], dtype=np.float64)
        return int(self.assigner.assign_calmly(values, np.array([current]))[0])

    def words(self, segments: IntArray) -> tuple[pa.Array, pa.Array]:
        """Return the names and the main strategies, (n,) texts, of segments by number, (n,)."""
        numbers = self.model.numbers.tolist()
        places = pa.array(np.searchsorted(numbers, segments))
        found = [self.segments[number] for number in numbers]
        names = pa.array([segment.name for segment in found])
        return names.take(places), pa.array([s.strategy for s in found]).take(places)


@dataclass(frozen=True, slots=True)
class SegmentedCustomer:
    """A customer, the segment it is in, and the model version that gave it."""

    customer: Customer
    segment: Segment
    model_version: int


@dataclass(frozen=True, slots=True)
class UnitOfWork:
    """One transaction.

    Attributes:
        connection: what queries run on.
        active: what serves in this transaction, and whose rows tell their segments by it.
        serving: the model that is active in this transaction.
        audit: notes what is done.
    """

    connection: Connection
    active: Active
    serving: ServingModel
    audit: Audit

    def segmented(
        self, customer_id: int, attributes: Attributes, segment: int
    ) -> SegmentedCustomer:
        """Return a customer in a segment of this number."""
        customer = Customer(customer_id, attributes, segment)
        return SegmentedCustomer(customer, self.serving.segments[segment], self.serving.version)


class UnitsOfWork:
    """Opens units of work over a database; keeps the active model in memory."""

    def __init__(self, database: Database, audit: Audit = _DEFAULT_AUDIT) -> None:
        """Open nothing yet."""
        self.database = database
        self.audit = audit
        self._serving: ServingModel | None = None
        self._refreshing = threading.Lock()
        self._models: dict[tuple[int, int], ServingModel] = {}

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

    def require_model(self) -> ServingModel:
        """Return the active model as it is now.

        Raises:
            NotReadyError: there is none yet.
        """
        self.refresh()
        return self.serving

    def close(self) -> None:
        """Close every connection."""
        self.database.close()

    def refresh(self) -> None:
        """Notice a model that was activated, here or by another process."""
        # One at a time, so that what was read before an activation is never kept after it.
        with self._refreshing, self.database.read() as connection:
            active = models.active(connection)
            if active is not None:
                self._serving = self._model(connection, active)

    @contextmanager
    def read(self) -> Iterator[UnitOfWork]:
        """Open a unit of work that sees one snapshot.

        Raises:
            NotReadyError: there is no model yet.
            StoreUnavailableError: the database does not answer.
        """
        with self.database.read() as connection:
            yield self._work(connection, models.active(connection))

    @contextmanager
    def write(self, *, alone: bool = False) -> Iterator[UnitOfWork]:
        """Open a unit of work whose changes are durable once the block is left without error.

        Args:
            alone: whether no other may write to customers meanwhile.

        Raises:
            NotReadyError: there is no model yet.
            StoreUnavailableError: the database does not answer or cannot be written.
        """
        with self.database.write() as connection:
            yield self._work(connection, models.active(connection, keep=True, alone=alone))

    def _work(self, connection: Connection, active: Active | None) -> UnitOfWork:
        if active is None:
            raise NotReadyError("The service has no trained model yet; try again soon")
        return UnitOfWork(connection, active, self._model(connection, active), self.audit)

    def _model(self, connection: Connection, active: Active) -> ServingModel:
        known, key = self._models, (active.version, active.edition)
        model = known.get(key)
        if model is None:
            model = load_model(connection, active.version)
            # Around an activation, transactions of before and after it take turns.
            last = list(known)[-1:]
            self._models = {other: known[other] for other in last} | {key: model}
        return model


def tried_again(use_case: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Let a use case begin anew when another transaction stood in its way."""

    @wraps(use_case)
    def again(*arguments: Arguments.args, **named: Arguments.kwargs) -> Result:
        for attempt in range(_TRIES - 1):
            try:
                return use_case(*arguments, **named)
            except TransactionConflictError:
                # Not at the same moment as the other one, which begins anew too.
                time.sleep(random.uniform(0.0, 0.01 * 2**attempt))  # noqa: S311
        return use_case(*arguments, **named)

    return again


def units_over(
    database_url: str,
    *,
    pool_size: int = POOL_SIZE,
    statement_seconds: float = 0.0,
    audit: Audit = _DEFAULT_AUDIT,
) -> UnitsOfWork:
    """Return units of work over the database at a URL; arguments as for `Database`.

    Raises:
        StoreUnavailableError: the URL names no database that is supported.
    """
    return UnitsOfWork(
        Database(database_url, pool_size=pool_size, statement_seconds=statement_seconds), audit
    )


def load_model(connection: Connection, version: int) -> ServingModel:
    """Read a model version and make it ready to answer.

    Raises:
        VersionNotFoundError: there is no such version.
        ArtifactError: its artifact is damaged.
    """
    stored = models.find(connection, version)
    if stored is None:
        raise VersionNotFoundError(version)
    model = from_json(stored.artifact).with_words(segments.read_words(connection))
    return ServingModel(
        version=version,
        model=model,
        assigner=Assigner(model),
        segments={segment.number: segment for segment in model.segments},
    )
