"""A server follows the schema: its application is made anew when another one holds."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest
from fastapi import FastAPI
from starlette.types import Message

from customer_segmentation.api.following import Following
from tests.support.asgi import call


def application(name: str, fault: Exception | None = None) -> FastAPI:
    """Return an application that tells its name, and whose start may meet a fault."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        if fault is not None:
            raise fault
        yield

    app = FastAPI(lifespan=lifespan)
    app.state.units = SimpleNamespace(is_outdated=False)
    app.add_api_route("/name", lambda: name)
    return app


class Lifespan:
    """What a server tells an application of its beginning and its end, and is told."""

    def __init__(self) -> None:
        self.asked: asyncio.Queue[Message] = asyncio.Queue()
        self.told: asyncio.Queue[Message] = asyncio.Queue()

    async def run(self, following: Following) -> None:
        await following({"type": "lifespan"}, self.asked.get, self.told.put)

    async def tell(self, what: str) -> str:
        await self.asked.put({"type": f"lifespan.{what}"})
        return str((await self.told.get())["type"])


def test_a_start_that_fails_is_told_to_the_server() -> None:
    async def start() -> None:
        lifespan = Lifespan()
        following = Following(lambda: application("first", RuntimeError("no room")))
        running = asyncio.create_task(lifespan.run(following))

        assert await lifespan.tell("startup") == "lifespan.startup.failed"
        with pytest.raises(RuntimeError, match="no room"):
            await running

    asyncio.run(start())


def test_a_fault_on_the_way_to_another_schema_does_not_end_the_following() -> None:
    made = [application("first"), application("second", RuntimeError("no room"))]
    made.append(application("third"))

    async def follow() -> None:
        lifespan = Lifespan()
        following = Following(iter(made).__next__)
        running = asyncio.create_task(lifespan.run(following))
        assert await lifespan.tell("startup") == "lifespan.startup.complete"
        assert (await call(following, "GET", "/name")).body == b'"first"'

        made[0].state.units.is_outdated = True
        assert (await call(following, "GET", "/name")).body == b'"third"'

        assert await lifespan.tell("shutdown") == "lifespan.shutdown.complete"
        await running

    asyncio.run(follow())
