"""Redis Streams, read by a group of consumers."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from redis.asyncio import Redis as Client
from redis.exceptions import RedisError, ResponseError

from customer_segmentation.streams.brokers.broker import (
    ANSWER_SECONDS,
    CONNECT_SECONDS,
    Message,
    Outgoing,
    Subscription,
    header_texts,
    losses_told,
)

BODY = "data"
"""The field of an entry that holds the message; others are its headers."""

_BLOCK_MILLISECONDS = 2_000
_ABANDONED_MILLISECONDS = 60_000
"""After how long entries go to another consumer that one has read and not acknowledged."""

_CLAIM_SECONDS = 30.0

Entries = list[tuple[bytes, dict[bytes, bytes] | None]]


class Redis:
    """Receives from a stream; sends to streams."""

    def __init__(self, url: str) -> None:
        """Connect to nothing yet."""
        self._url = url
        self._client: Client | None = None
        self._own: bytes | None = None
        self._claimed_at = 0.0

    async def connect(self) -> None:
        """Connect."""
        self._client = Client.from_url(
            self._url, socket_timeout=ANSWER_SECONDS, socket_connect_timeout=CONNECT_SECONDS
        )
        with losses_told(RedisError):
            await self._ask("PING")

    async def subscribe(self, subscription: Subscription) -> None:
        """Have a group read a stream, both made where they are missing."""
        self._subscription = subscription
        # What this consumer has read before, and not acknowledged, comes first.
        self._own = b"0"
        self._claimed_at = time.monotonic()
        with losses_told(RedisError):
            try:
                await self._ask(
                    *("XGROUP", "CREATE", subscription.topic, subscription.group, "0", "MKSTREAM")
                )
            except ResponseError as error:
                if not str(error).startswith("BUSYGROUP"):
                    raise

    async def receive(self) -> list[Message]:
        """Wait for messages; return those that have arrived, in order, as a batch."""
        while True:
            with losses_told(RedisError):
                found = await self._read()
            gone = [key for key, fields in found if fields is None]
            if gone:
                # Removed from the stream before they were acknowledged.
                await self._acknowledge(gone)
            messages = [_message(key, fields) for key, fields in found if fields is not None]
            if messages:
                return messages

    async def _read(self) -> Entries:
        if self._own is not None:
            found = await self._read_group(self._own)
            self._own = found[-1][0] if found else None
            return found
        if time.monotonic() - self._claimed_at > _CLAIM_SECONDS:
            self._claimed_at = time.monotonic()
            what = self._subscription
            told = await self._ask(
                *("XAUTOCLAIM", what.topic, what.group, what.consumer, _ABANDONED_MILLISECONDS),
                *("0-0", "COUNT", what.most),
            )
            if told[1]:
                return _entries(told[1])
        return await self._read_group(b">")

    async def _read_group(self, after: bytes) -> Entries:
        what = self._subscription
        told = await self._ask(
            *("XREADGROUP", "GROUP", what.group, what.consumer, "COUNT", what.most),
            *("BLOCK", _BLOCK_MILLISECONDS, "STREAMS", what.topic, after),
        )
        if not told:
            return []
        # By the protocol's second version a list of pairs, by its third a map.
        (found,) = told.values() if isinstance(told, dict) else [pair[1] for pair in told]
        return _entries(found)

    async def acknowledge(self, messages: Sequence[Message]) -> None:
        """Tell the group that a whole batch is dealt with."""
        await self._acknowledge([message.handle for message in messages])

    async def _acknowledge(self, keys: Sequence[object]) -> None:
        what = self._subscription
        with losses_told(RedisError):
            await self._ask("XACK", what.topic, what.group, *keys)

    async def keep(self, messages: Sequence[Message]) -> None:
        """Let no other consumer take a batch that is still being dealt with."""
        what = self._subscription
        keys = [message.handle for message in messages]
        with losses_told(RedisError):
            await self._ask("XCLAIM", what.topic, what.group, what.consumer, 0, *keys, "JUSTID")

    async def prepare(self, target: str) -> None:
        """Do nothing: Redis makes a stream with its first entry."""

    async def send(self, target: str, messages: Sequence[Outgoing]) -> None:
        """Add entries to a stream, all of them or none."""
        assert self._client is not None  # noqa: S101
        with losses_told(RedisError):
            async with self._client.pipeline(transaction=True) as together:
                for one in messages:
                    fields: dict[Any, Any] = {**one.headers, BODY: one.body}
                    together.xadd(target, fields)
                await together.execute()

    async def count_waiting(self) -> int | None:
        """Return how many entries the group has not acknowledged."""
        assert self._client is not None  # noqa: S101
        what = self._subscription
        with losses_told(RedisError):
            groups: list[dict[str, Any]] = await self._client.xinfo_groups(what.topic)
        for group in groups:
            if group["name"] == what.group.encode():
                return int(group["pending"]) + int(group.get("lag") or 0)
        return None

    async def close(self) -> None:
        """Close the connection, if there is one."""
        client, self._client = self._client, None
        if client is not None:
            with losses_told(RedisError):
                await client.aclose()

    async def _ask(self, *command: Any) -> Any:  # noqa: ANN401
        assert self._client is not None  # noqa: S101
        return await self._client.execute_command(*command)  # type: ignore[no-untyped-call]


def _entries(found: Any) -> Entries:  # noqa: ANN401
    return [(key, _fields(fields)) for key, fields in found]


def _fields(found: Any) -> dict[bytes, bytes] | None:  # noqa: ANN401
    if isinstance(found, list):
        return dict(zip(found[::2], found[1::2], strict=True))
    return found or None


def _message(key: bytes, fields: Mapping[bytes, bytes]) -> Message:
    others = {name.decode("utf-8", "replace"): value for name, value in fields.items()}
    body = others.pop(BODY, b"")
    return Message(body, header_texts(others), "", key)
