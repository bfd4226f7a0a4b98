"""A unit of work: one transaction, together with the model that is active in it."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from contextvars import copy_context
from dataclasses import dataclass
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection

from customer_segmentation.domain.errors import NotReadyError, TransactionConflictError
from customer_segmentation.services.audit import Audit
from customer_segmentation.services.group_commit import GroupCommit
from customer_segmentation.services.serving import ServingModel, View, load_model
from customer_segmentation.store import models
from customer_segmentation.store.database import POOL_SIZE, Database, rows_written, undone_alone
from customer_segmentation.store.models import Active

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

_TRIES = 5
_DEFAULT_AUDIT = Audit()


@dataclass(frozen=True, slots=True)
class UnitOfWork(View):
    """One transaction.

    Attributes:
        connection: what queries run on.
        audit: notes what is done.
    """

    connection: Connection
    audit: Audit

    @property
    def written(self) -> int:
        """How many rows its connection has written, ever; on SQLite only."""
        return rows_written(self.connection)

    def part(self) -> AbstractContextManager[None]:
        """Undo what a block writes if it raises, and nothing else of the transaction."""
        return undone_alone(self.connection)


class UnitsOfWork:
    """Opens units of work over a database; keeps the active model in memory."""

    def __init__(self, database: Database, audit: Audit = _DEFAULT_AUDIT) -> None:
        """Open nothing yet."""
        self.database = database
        self.audit = audit
        self._serving: ServingModel | None = None
        self._refreshing = threading.Lock()
        self._models: dict[tuple[int, int], ServingModel] = {}
        self._submitting = threading.Lock()
        self._submitted: GroupCommit | ThreadPoolExecutor | None = None

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
        """Finish what was submitted, and close every connection."""
        with self._submitting:
            if isinstance(self._submitted, GroupCommit):
                self._submitted.close()
            elif self._submitted is not None:
                self._submitted.shutdown()
            self._submitted = None
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

    def run(
        self,
        use_case: Callable[Concatenate[UnitOfWork, Arguments], Result],
        *arguments: Arguments.args,
        **named: Arguments.kwargs,
    ) -> Result:
        """Run a use case in a transaction of its own; errors as `write`, and the use case's."""

        @tried_again
        def attempt() -> Result:
            with self.write() as work:
                return use_case(work, *arguments, **named)

        return attempt()

    def submit(
        self,
        use_case: Callable[Concatenate[UnitOfWork, Arguments], Result],
        *arguments: Arguments.args,
        **named: Arguments.kwargs,
    ) -> Future[Result]:
        """Run a use case beside; its future tells the result once that is durable, or the error.

        On SQLite, which has one writer, those that wait at the same time are committed together.
        """
        with self._submitting:
            if self._submitted is None:
                is_single = self.database.is_sqlite
                self._submitted = GroupCommit(self) if is_single else ThreadPoolExecutor(POOL_SIZE)
            submitted = self._submitted
        if isinstance(submitted, GroupCommit):
            return submitted.submit(lambda work: use_case(work, *arguments, **named))
        context = copy_context()

        def run() -> Result:
            return self.run(use_case, *arguments, **named)

        return submitted.submit(context.run, run)

    def view(self, active: Active | None) -> View:
        """Return how rows are to be read that were read together with this.

        Raises:
            NotReadyError: there is no model yet.
        """
        if active is None:
            raise NotReadyError("The service has no trained model yet; try again soon")
        known = self._models.get((active.version, active.edition))
        if known is None:
            with self.database.read() as connection:
                known = self._model(connection, active)
        return View(active, known)

    def _work(self, connection: Connection, active: Active | None) -> UnitOfWork:
        if active is None:
            raise NotReadyError("The service has no trained model yet; try again soon")
        return UnitOfWork(active, self._model(connection, active), connection, self.audit)

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
