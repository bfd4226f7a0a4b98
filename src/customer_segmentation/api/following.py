"""The application of the schema that holds: made anew, without a pause, when another one does."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from contextlib import AsyncExitStack

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Receive, Scope, Send

from customer_segmentation.domain.errors import SegmentationError

_LOOK_SECONDS = 0.1
_PAUSE_SECONDS = 0.02
_DRAIN_SECONDS = 30.0
"""How long requests that an earlier application answers may take to end."""

_WAIT_SECONDS = 10.0
"""How long a request waits for the application of a schema that has just begun to hold."""

logger = logging.getLogger(__name__)


class _Running:
    """An application that answers requests, and how many it is answering."""

    def __init__(self, app: FastAPI) -> None:
        self.app: ASGIApp = app
        self.units = app.state.units
        self.lives = AsyncExitStack()
        self.requests = 0
        self.is_idle = asyncio.Event()
        self._lifespan = app.router.lifespan_context(app)

    async def begin(self) -> None:
        await self.lives.enter_async_context(self._lifespan)

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.requests += 1
        self.is_idle.clear()
        try:
            await self.app(scope, receive, send)
        finally:
            self.requests -= 1
            if not self.requests:
                self.is_idle.set()

    async def end(self) -> None:
        if self.requests:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.is_idle.wait(), _DRAIN_SECONDS)
        await self.lives.aclose()


class Following:
    """Answers requests by the application of the schema that holds.

    Everything of an application, from its documents to its compiled decoders, is made from the
    schema; so where another one holds, a new application takes over, and the one before ends what
    it has begun.
    """

    def __init__(self, make: Callable[[], FastAPI]) -> None:
        """Make the first application.

        Args:
            make: returns an application of the schema that holds now, whose `state.units` tell
                when another one does.
        """
        self._make = make
        self._first: FastAPI | None = make()
        self._running: _Running | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or begin and end with the server."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        due = time.monotonic() + _WAIT_SECONDS
        while (running := self._running) is None or running.units.is_outdated:
            if time.monotonic() > due and running is not None:
                break
            await asyncio.sleep(_PAUSE_SECONDS)
        await running.answer(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        assert self._first is not None  # noqa: S101
        self._running, self._first = _Running(self._first), None
        try:
            await self._running.begin()
        except Exception as fault:
            # Untold, a server takes it that an application has no beginning, and serves.
            await send({"type": "lifespan.startup.failed", "message": str(fault)})
            raise
        await send({"type": "lifespan.startup.complete"})
        following = asyncio.create_task(self._follow(), name="follow the schema")
        await receive()
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await self._running.end()
        await send({"type": "lifespan.shutdown.complete"})

    async def _follow(self) -> None:
        """Take over from an application whose schema holds no more, again and again."""
        ending: set[asyncio.Task[None]] = set()
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            before = self._running
            if before is None or not before.units.is_outdated:
                continue
            try:
                after = _Running(await run_in_threadpool(self._make))
                await after.begin()
            except SegmentationError as error:
                # Such as a database that is away for a moment.
                logger.warning("Cannot follow the schema yet: %s", error)
                continue
            except Exception:
                # As for a request: the next try need not meet the same fault.
                logger.exception("Cannot follow the schema yet")
                continue
            self._running = after
            logger.info("Another schema holds, and is followed")
            task = asyncio.create_task(before.end(), name="end the application before")
            ending.add(task)
            task.add_done_callback(ending.discard)
