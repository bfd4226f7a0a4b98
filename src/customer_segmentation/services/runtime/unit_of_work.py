"""A unit of work: one transaction, together with the model that is active in it."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager
from contextvars import copy_context
from dataclasses import dataclass
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection

from customer_segmentation.domain.errors import (
    BusyError,
    NotReadyError,
    SchemaChangedError,
    TransactionConflictError,
)
from customer_segmentation.domain.schema import Schema
from customer_segmentation.services.runtime.audit import Audit
from customer_segmentation.services.runtime.current_schema import CurrentSchema, load_schema
from customer_segmentation.services.runtime.group_commit import GroupCommit
from customer_segmentation.services.runtime.serving import ServingModel, View, load_model
from customer_segmentation.services.runtime.turns import Turns
from customer_segmentation.store.database import (
    POOL_SIZE,
    WAIT_SECONDS,
    Database,
    rows_written,
    savepoint,
)
from customer_segmentation.store.queries import models, schemas
from customer_segmentation.store.queries.customers import CustomerTable
from customer_segmentation.store.queries.ids import Ids
from customer_segmentation.store.queries.models import Active

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

MAX_SUBMITTED = 1_000
"""Use cases that were submitted and are not done, at most: more would only wait to be refused."""

_TRIES = 5
_HARDLY_WAITED = 0.95
_DEFAULT_AUDIT = Audit()


@dataclass(frozen=True, slots=True)
class UnitOfWork(View):
    """One transaction.

    Attributes:
        connection: what queries run on.
        customers: the queries on customers.
        audit: notes what is done.
    """

    connection: Connection
    customers: CustomerTable
    audit: Audit

    @property
    def ids(self) -> Ids:
        """The numbers that the customers' ids are inside."""
        return self.customers.ids

    @property
    def written(self) -> int:
        """How many rows its connection has written, ever; on SQLite only."""
        return rows_written(self.connection)

    @property
    def has_single_writer(self) -> bool:
        """Whether no other transaction can write until this one ends, as on SQLite."""
        return self.connection.dialect.name == "sqlite"

    def part(self) -> AbstractContextManager[None]:
        """Undo what a block writes if it raises, and nothing else of the transaction."""
        return savepoint(self.connection)


class UnitsOfWork:
    """Opens units of work over a database; keeps the active model in memory."""

    def __init__(
        self,
        database: Database,
        audit: Audit = _DEFAULT_AUDIT,
        schema: CurrentSchema | None = None,
    ) -> None:
        """Open nothing yet.

        Args:
            database: which.
            audit: notes what is done.
            schema: of the customers; None asks the database, once it is needed.
        """
        self.database = database
        self.audit = audit
        self.is_outdated = False
        """Whether the database was seen to have another schema by now: units made anew know it."""
        self._customers: CustomerTable | None = None
        self._schema = schema
        self._serving: ServingModel | None = None
        self._refreshing = threading.Lock()
        self._models: dict[tuple[int, int], ServingModel] = {}
        self._submitting = threading.Lock()
        self._submitted: GroupCommit[UnitOfWork] | Turns | None = None
        self._places = threading.BoundedSemaphore(MAX_SUBMITTED)

    @property
    def current_schema(self) -> CurrentSchema:
        """The schema that held when it was first asked for, and by which these units work.

        Raises:
            StoreUnavailableError: the database does not answer.
        """
        if self._schema is None:
            with self.database.read(brief=True) as connection:
                self._schema = load_schema(connection)
        return self._schema

    def forget_schema(self) -> None:
        """Ask the database for the schema again."""
        self._schema = self._customers = None
        self.is_outdated = False

    @property
    def schema(self) -> Schema:
        """What a table of customers holds; see `current_schema`."""
        return self.current_schema.schema

    @property
    def customers(self) -> CustomerTable:
        """The queries on customers."""
        if self._customers is None:
            self._customers = CustomerTable(self.schema)
        return self._customers

    @property
    def ids(self) -> Ids:
        """The numbers that the customers' ids are inside."""
        return self.customers.ids

    @property
    def serving(self) -> ServingModel:
        """The active model as last seen.

        Raises:
            NotReadyError: there is none yet.
        """
        if self._serving is None:
            self.refresh()
        if self._serving is None:
            raise NotReadyError
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
            if self._submitted is not None:
                self._submitted.close()
            self._submitted = None
        self.database.close()

    def refresh(self) -> None:
        """Notice a model that was activated, here or by another process."""
        # One at a time, so that what was read before an activation is never kept after it.
        with self._refreshing, self.database.read(brief=True) as connection:
            active = models.active(connection)
            if active is None:
                self._note_schema(schemas.current_number(connection))
            elif not self._note_schema(active.schema):
                self._serving = self._model(connection, active)

    @contextmanager
    def read(self, *, brief: bool = False) -> Iterator[UnitOfWork]:
        """Open a unit of work that sees one snapshot.

        Args:
            brief: whether it takes moments only, and must not wait for reads that take long.

        Raises:
            NotReadyError: there is no model yet.
            StoreUnavailableError: the database does not answer.
        """
        with self.database.read(brief=brief) as connection:
            yield self._work(connection, models.active(connection))

    @contextmanager
    def write(
        self, *, exclusive: bool = False, seconds: float | None = None
    ) -> Iterator[UnitOfWork]:
        """Open a unit of work whose changes are durable once the block is left without error.

        Args:
            exclusive: whether no other may write to customers meanwhile.
            seconds: how long to wait for others that write, as for `Database.write`.

        Raises:
            NotReadyError: there is no model yet.
            StoreUnavailableError: the database does not answer or cannot be written.
        """
        with self.database.write(seconds) as connection:
            yield self._work(
                connection, models.active(connection, for_share=True, exclusive=exclusive)
            )

    def run(
        self,
        use_case: Callable[Concatenate[UnitOfWork, Arguments], Result],
        *arguments: Arguments.args,
        **named: Arguments.kwargs,
    ) -> Result:
        """Run a use case in a transaction of its own; errors as `write`, and the use case's."""
        return self.run_within(None, use_case, *arguments, **named)

    def run_within(
        self,
        seconds: float | None,
        use_case: Callable[Concatenate[UnitOfWork, Arguments], Result],
        *arguments: Arguments.args,
        **named: Arguments.kwargs,
    ) -> Result:
        """Do as `run`, with a limit to the wait for others that write."""

        @retried
        def attempt() -> Result:
            with self.write(seconds=seconds) as work:
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
        On PostgreSQL, those whose first argument is the same customer's id run one after the
        other, and of those about many customers at most half as many at a time as there are
        connections.

        Raises:
            BusyError: too many wait already.
        """
        if not self._places.acquire(blocking=False):
            raise BusyError("Too many changes are waiting; try again soon")
        future = self._submit(use_case, *arguments, **named)
        future.add_done_callback(lambda _done: self._places.release())
        return future

    def _submit(
        self,
        use_case: Callable[Concatenate[UnitOfWork, Arguments], Result],
        *arguments: Arguments.args,
        **named: Arguments.kwargs,
    ) -> Future[Result]:
        with self._submitting:
            if self._submitted is None:
                self._submitted = (
                    GroupCommit(self.write, self.run_within, self.database.wait_seconds)
                    if self.database.is_sqlite
                    else Turns(self.database.pool_size)
                )
            submitted = self._submitted
        if isinstance(submitted, GroupCommit):
            return submitted.submit(lambda work: use_case(work, *arguments, **named))
        context = copy_context()
        seconds = self.database.wait_seconds
        due = time.monotonic() + seconds

        def run() -> Result:
            left = due - time.monotonic()
            if left <= 0:
                raise BusyError("Other changes take too long; try again soon")
            # To tell PostgreSQL takes a round trip, which those that need not wait are spared.
            seconds_left = left if left < seconds * _HARDLY_WAITED else None
            return self.run_within(seconds_left, use_case, *arguments, **named)

        first = next(iter(arguments), None)
        is_one = isinstance(first, int | str)
        subject, limit = (first, 1) if is_one else (None, _max_batches(self.database))
        return submitted.submit(subject, limit, lambda: context.run(run))

    def view(self, active: Active | None) -> View:
        """Return how rows are to be read that were read together with this.

        Raises:
            NotReadyError: there is no model yet.
        """
        if active is None:
            raise NotReadyError
        self._check_schema(active)
        known = self._models.get((active.version, active.edition))
        if known is None:
            with self.database.read(brief=True) as connection:
                known = self._model(connection, active)
        return View(active, known)

    def _work(self, connection: Connection, active: Active | None) -> UnitOfWork:
        if active is None:
            raise NotReadyError
        self._check_schema(active)
        return UnitOfWork(
            active, self._model(connection, active), connection, self.customers, self.audit
        )

    def _check_schema(self, active: Active) -> None:
        if self._note_schema(active.schema):
            raise SchemaChangedError

    def _note_schema(self, number: int) -> bool:
        """Note and tell whether the database has another schema by now.

        Once noted it stays so, as what was read before the change may be told after it.
        """
        is_other = number != self.current_schema.number
        self.is_outdated = self.is_outdated or is_other
        return is_other

    def _model(self, connection: Connection, active: Active) -> ServingModel:
        known, key = self._models, (active.version, active.edition)
        model = known.get(key)
        if model is None:
            model = load_model(connection, active.version, self.schema)
            # Around an activation, transactions of before and after it take turns.
            last = list(known)[-1:]
            self._models = {other: known[other] for other in last} | {key: model}
        return model


def _max_batches(database: Database) -> int:
    return max(1, database.pool_size // 2)


# `stamina.retry` takes 9 µs a call that meets no conflict and this 0.2 µs, and each write passes
# through here; it has no random wait that grows from nothing either.
def retried(use_case: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
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
    wait_seconds: float = WAIT_SECONDS,
    audit: Audit = _DEFAULT_AUDIT,
    schema: CurrentSchema | None = None,
) -> UnitsOfWork:
    """Return units of work over the database at a URL; arguments as for `Database` and the units.

    Raises:
        StoreUnavailableError: the URL names no database that is supported.
    """
    database = Database(
        database_url,
        pool_size=pool_size,
        statement_seconds=statement_seconds,
        wait_seconds=wait_seconds,
    )
    return UnitsOfWork(database, audit, schema)
