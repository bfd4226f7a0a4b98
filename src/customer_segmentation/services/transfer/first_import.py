"""The use case of a bank's beginning: the first customers, from tables, and the first model."""

import logging
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from sqlalchemy import Connection

from customer_segmentation.domain.arrays import BoolArray, FloatArray, IdArray, IntArray
from customer_segmentation.domain.errors import TrainingRefusedError, TransactionConflictError
from customer_segmentation.domain.imports import Mode
from customer_segmentation.domain.jobs import Origin, Trigger
from customer_segmentation.domain.plurals import counted
from customer_segmentation.domain.segments import MIN_SEGMENTS
from customer_segmentation.engines.engine import Engine
from customer_segmentation.model.quality.gates import find_failures
from customer_segmentation.services.runtime.settings import Settings
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork
from customer_segmentation.services.training.engine import local_engine
from customer_segmentation.services.training.start import parameters_of
from customer_segmentation.services.transfer.first_model import (
    LOADING,
    LOADING_SECONDS,
    FirstCustomers,
    store_first,
)
from customer_segmentation.services.transfer.merging import Done, merge
from customer_segmentation.store.database import wait_for_turn
from customer_segmentation.store.queries import demo, erasures, models

logger = logging.getLogger(__name__)


class Beginning:
    """Keeps customers of tables until the first model is trained on them.

    Then both are stored in one transaction, so that a bank never has the one without the other. The
    demonstration, where the database holds it, goes in that transaction.

    Attributes:
        removed: how many customers of the demonstration go.
    """

    def __init__(self, units: UnitsOfWork, settings: Settings) -> None:
        """Look at who is there."""
        with units.database.read() as connection:
            self._replaced = models.active_version(connection)
            self.removed = units.customers.count(connection)
            self._erased = erasures.read_ids(connection)
            self._ids = units.ids.numbering(connection)
        self._units = units
        self._settings = settings
        self._sources: list[str] = []
        self._known = np.empty(0, dtype=np.int64), np.empty((0, units.customers.width))
        self._new: list[tuple[IntArray, FloatArray]] = []

    def begin_table(self, source: str) -> None:
        """Let those of the tables before count as being there; of one table no id comes twice."""
        self._sources.append(source)
        parts = [self._known, *self._new]
        ids, values = (np.concatenate(side) for side in zip(*parts, strict=True))
        order = np.argsort(ids)
        self._known, self._new = (ids[order], values[order]), []

    def take(self, ids: IdArray, values: FloatArray, keeps: BoolArray, mode: Mode) -> Done:
        """Keep customers, ids (n,) and attributes (n, d); see `merge`."""
        numbers = self._ids.take(ids)
        merged = merge(self._known, numbers, values, keeps, mode)
        merged.pass_over(self._erased)
        self._known[1][merged.places[merged.changed]] = merged.values[merged.changed]
        self._new.append((numbers[merged.new], merged.values[merged.new]))
        return merged.done

    def check(self) -> None:
        """See that there are enough customers for a model.

        Raises:
            TrainingRefusedError: there are fewer than segments.
        """
        count = len(self._known[0]) + sum(len(ids) for ids, _ in self._new)
        least = self._settings.segments or self._units.schema.segments or MIN_SEGMENTS
        if count < least:
            raise TrainingRefusedError(
                f"The first model needs at least {counted(least, 'customer')}, one for each "
                f"segment; there {'is' if count == 1 else 'are'} {count}"
            )

    def store(
        self,
        by: str,
        tell: Callable[[str], None],
        keep: Callable[[Connection, int, IntArray, FloatArray], None] | None = None,
    ) -> int:
        """Train the first model and store it with the customers; return its version.

        Args:
            by: who asks for it.
            tell: is told what the model lacks, which serves all the same.
            keep: is called in the transaction, with the version, numbers and attributes stored.

        Raises:
            TrainingRefusedError: the customers are too few, or too few of them differ.
            TransactionConflictError: another process has stored customers meanwhile.
        """
        sources = ", ".join(self._sources)
        origin = Origin(Trigger.FIRST_IMPORT, by, f"first customers, from {sources}")
        self.check()
        first = self.train(local_engine(self._units.schema), origin)
        for weakness in first.weaknesses:
            tell(weakness)
        with self._units.database.write(LOADING_SECONDS) as connection:
            wait_for_turn(connection, LOADING)
            if models.lock(connection) != self._replaced:
                raise TransactionConflictError(
                    "Another process has stored customers meanwhile: nothing is imported; look at "
                    "them and import again"
                )
            if erasures.find_many(connection, first.numbers):
                raise TransactionConflictError("A customer was erased meanwhile; import again")
            version = store_first(connection, self._units.customers, first, self._units.audit)
            if keep is not None:
                keep(connection, version, first.numbers, first.values)
            return version

    def train(self, engine: Engine, origin: Origin) -> FirstCustomers:
        """Train the first model on the customers; return both, to be stored.

        Args:
            engine: trains.
            origin: what asks for it, who, and why.

        Raises:
            TrainingRefusedError: the customers are too few, or too few of them differ.
        """
        sources = ", ".join(self._sources)
        self.begin_table("")
        numbers, values = self._known
        parameters = parameters_of(self._settings, {}, self._units.schema, None)
        if self._settings.segments is None and self._units.schema.segments is None:
            k, reason = engine.choose_segments(values, parameters, self._settings.gates)
            logger.info("Chose %s", reason)
            parameters = replace(parameters, k=k)
        model = engine.train(numbers, values, parameters)
        weaknesses = find_failures(model, None, self._settings.gates)
        ids = self._ids.ids_of(numbers)
        return FirstCustomers(ids, numbers, values, model, origin, weaknesses, sources)


def begin_bank(units: UnitsOfWork, settings: Settings, mode: Mode) -> Beginning | None:
    """Return a bank's beginning, where it begins: None where it goes on.

    It begins in an empty database, and where everybody replaces the demonstration.
    """
    with units.database.read() as connection:
        is_empty = models.active_version(connection) is None
        is_demo = demo.is_held(connection)
    return Beginning(units, settings) if is_empty or (is_demo and mode is Mode.REPLACE) else None


def holds_demo(units: UnitsOfWork) -> bool:
    """Return whether the database began as the demonstration."""
    with units.database.read() as connection:
        return demo.is_held(connection)
