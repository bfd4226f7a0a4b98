"""What the messages of an Arrow IPC stream say of themselves, before anything is made of them.

Arrow reserves what a message asks for: a few thousand bytes may claim millions of rows, or hold
buffers that grow a hundred thousandfold when decompressed. PyArrow does not tell these numbers
before it follows them, so they are read here. The layout is that of
https://github.com/apache/arrow/blob/main/format/Message.fbs in FlatBuffers.
"""

import io
import struct
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, BinaryIO

import pyarrow as pa

from customer_segmentation.files.read.source import check_growth

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_ROWS, _BUFFERS, _COMPRESSION = 0, 2, 3
_HEADER, _CUSTOM = 2, 4
_DICTIONARY_DATA = 1
_FREE_ROWS = 1_000_000
_PIECE = 2**20
_BUFFER = struct.Struct("<qq")
_MAX_METADATA = 65_536
_MAX_MESSAGES = 10_000


@dataclass(frozen=True, slots=True)
class Claims:
    """What a stream claims to hold.

    Attributes:
        rows: in all of its record batches.
        bytes: of all of their buffers that are compressed, once they are not.
    """

    rows: int
    bytes: int


def read_claims(body: bytes) -> Claims:
    """Return what the messages of a stream claim, without following the claims.

    Raises:
        ValueError: there are too many messages, a message is too large or damaged, or it is a
            dictionary, which numbers do not need.
        pa.ArrowException, OSError: it is no stream.
    """
    # After the schema, of which Arrow itself makes nothing large.
    messages = list(islice(pa.ipc.MessageReader.open_stream(body), _MAX_MESSAGES + 1))
    if len(messages) > _MAX_MESSAGES:
        raise ValueError(f"there are more than {_MAX_MESSAGES:,} messages")
    if any(message.metadata.size > _MAX_METADATA for message in messages):
        raise ValueError(f"a message's metadata are larger than {_MAX_METADATA:,} bytes")
    if any(message.type != "record batch" for message in messages[1:]):
        raise ValueError("there must be one schema, then record batches only")
    try:
        claims = [_claims_of(message) for message in messages[1:]]
    except (struct.error, IndexError) as damage:
        raise ValueError("a message's metadata are damaged") from damage
    return Claims(sum(c.rows for c in claims), sum(c.bytes for c in claims))


class _InPieces:
    """A stream of which no more is reserved for what is read than there is."""

    closed = False

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def read(self, size: int, /) -> bytes:
        parts = []
        while size > 0 and (part := self._stream.read(min(size, _PIECE))):
            parts.append(part)
            size -= len(part)
        return b"".join(parts)


class CheckedMessages(io.RawIOBase):
    """A stream of messages that claim no more than they may hold, to be followed without harm."""

    def __init__(self, stream: BinaryIO) -> None:
        self._messages = pa.ipc.MessageReader.open_stream(pa.PythonFile(_InPieces(stream), "r"))
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        if not self._rest:
            self._rest = memoryview(self._next())
        view = memoryview(buffer).cast("B")
        size = min(len(view), len(self._rest))
        view[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size

    def _next(self) -> bytes:
        try:
            message = self._messages.read_next_message()
        except StopIteration:
            return b""
        if message.type != "schema":
            try:
                claims = _claims_of(message)
            except (struct.error, IndexError, ValueError) as damage:
                raise pa.ArrowInvalid(f"a message is damaged: {damage}") from damage
            size = message.body.size if message.body else 0
            check_growth(size, claims.bytes)
            if claims.rows > _FREE_ROWS + 8 * max(size, claims.bytes):
                raise pa.ArrowInvalid("a message claims more rows than it holds")
        data: bytes = message.serialize().to_pybytes()
        return data


def _claims_of(message: pa.ipc.Message) -> Claims:
    metadata, body = message.metadata.to_pybytes(), memoryview(message.body or b"")
    root = _follow(metadata, 0)
    header = _field(metadata, root, _HEADER)
    if header is None:
        raise ValueError("a message has no header")
    batch = _follow(metadata, header)
    if message.type == "dictionary":
        data = _field(metadata, batch, _DICTIONARY_DATA)
        if data is None:
            raise ValueError("a dictionary has no data")
        batch = _follow(metadata, data)
    rows = _field(metadata, batch, _ROWS)
    claimed = 0 if rows is None else _number(metadata, rows, "<q")
    if claimed < 0:
        raise ValueError("a record batch has less than no rows")
    if _field(metadata, batch, _COMPRESSION) is None:
        if message.metadata_version != pa.ipc.MetadataVersion.V5 and _field(
            metadata, root, _CUSTOM
        ):
            # Before version 5, Arrow noted compression there.
            raise ValueError("a message before version 5 has metadata of its own")
        return Claims(claimed, 0)
    return Claims(claimed, _decompressed(metadata, body, _field(metadata, batch, _BUFFERS)))


def _decompressed(metadata: bytes, body: memoryview, place: int | None) -> int:
    """Return how many bytes compressed buffers say they become; each begins with its number."""
    if place is None:
        return 0
    vector = _follow(metadata, place)
    count = _number(metadata, vector, "<I")
    sizes = 0
    for number in range(count):
        offset, length = _BUFFER.unpack_from(metadata, vector + 4 + number * _BUFFER.size)
        if length:
            sizes += max(length, _number(body, offset, "<q"))
    return sizes


def _field(data: bytes, table: int, number: int) -> int | None:
    """Return where a field of a table is; None where the table has none."""
    vtable = table - _number(data, table, "<i")
    if 4 + 2 * number >= _number(data, vtable, "<H"):
        return None
    offset = _number(data, vtable + 4 + 2 * number, "<H")
    return table + offset if offset else None


def _follow(data: bytes, place: int) -> int:
    return place + _number(data, place, "<I")


def _number(data: bytes | memoryview, place: int, form: str) -> int:
    if place < 0:
        raise IndexError(place)
    return int(struct.unpack_from(form, data, place)[0])
