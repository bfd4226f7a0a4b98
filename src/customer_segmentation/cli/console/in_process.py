"""A transport of HTTP to an application in this very process, without a socket."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any

import httpx


class InProcessTransport(httpx.BaseTransport):
    """Answers requests by an ASGI application, on an event loop in a thread of its own.

    Requests are answered in the context that they are sent in. What begins and ends with a server,
    the application's lifespan, is not run.
    """

    def __init__(self, app: Callable[..., Coroutine[Any, Any, None]]) -> None:
        """Start the event loop."""
        self._app = httpx.ASGITransport(app)
        self._loop = asyncio.new_event_loop()
        self._last: Future[httpx.Response] | None = None
        # A daemon, as Ctrl+C must not wait for what is being answered.
        self._thread = threading.Thread(target=self._run, name="in-process service", daemon=True)
        self._thread.start()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Return the application's answer, read to its end."""
        self._last = asyncio.run_coroutine_threadsafe(self._answer(request), self._loop)
        return self._last.result()

    def close(self) -> None:
        """End the event loop, unless it is left to what was interrupted, and ends with that."""
        if self._last is None or self._last.done():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        answer = await self._app.handle_async_request(request)
        content = await answer.aread()
        return httpx.Response(answer.status_code, headers=answer.headers, content=content)

    def _run(self) -> None:
        self._loop.run_forever()
        self._loop.close()
