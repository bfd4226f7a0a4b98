"""A stream of bytes to read a table from: looked into first, counted, and decompressed."""

import io
from typing import TYPE_CHECKING, Protocol

import pyarrow as pa

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

MAX_GROWTH = 250
"""How many times more bytes a source may hold than it is compressed to; tables seldom reach 50."""

_FREE_BYTES = 64 * 2**20
_COMPRESSED = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}


class Readable(Protocol):
    """Anything that bytes can be read from, such as an open file or standard input."""

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes, none at the end."""


class Peekable(io.RawIOBase):
    """A stream that need not be seekable, can be looked into, and counts what was read.

    Attributes:
        position: how many bytes were read.
    """

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self._head = b""
        self.position = 0

    def peek(self, size: int) -> bytes:
        """Return the next `size` bytes, fewer only at the end, without taking them."""
        parts = [self._head]
        missing = size - len(self._head)
        while missing > 0 and (part := self._stream.read(missing)):
            parts.append(part)
            missing -= len(part)
        self._head = b"".join(parts)
        return self._head[:size]

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        view = memoryview(buffer).cast("B")
        data = self._head[: len(view)] or self._stream.read(len(view))
        self._head = self._head[len(data) :]
        view[: len(data)] = data
        self.position += len(data)
        return len(data)


class GrowthError(ValueError):
    """What a source holds is out of all proportion to its size."""


def check_growth(packed: int, unpacked: int) -> None:
    """See that a source does not grow out of all proportion when it is unpacked.

    Raises:
        GrowthError: it does.
    """
    if unpacked > max(_FREE_BYTES, MAX_GROWTH * packed):
        raise GrowthError(f"it grows over {MAX_GROWTH}-fold when unpacked")


class _Unpacked:
    """A compressed stream as it is unpacked, which must not grow out of all proportion."""

    def __init__(self, packed: Peekable, codec: str) -> None:
        self._packed = packed
        self._stream = pa.CompressedInputStream(pa.PythonFile(packed, "r"), codec)
        self._taken = 0

    def read(self, size: int, /) -> bytes:
        data: bytes = self._stream.read(size)
        self._taken += len(data)
        check_growth(self._packed.position, self._taken)
        return data


def decompressed(stream: Peekable) -> Peekable:
    """Return what a stream holds once unpacked: gzip and zstd are known by their first bytes.

    Reading it raises `GrowthError` where it grows out of all proportion.
    """
    for first, codec in _COMPRESSED.items():
        if stream.peek(len(first)) == first:
            return Peekable(_Unpacked(stream, codec))
    return stream
