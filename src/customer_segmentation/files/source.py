"""A stream of bytes to read a table from: looked into first, counted, and decompressed."""

import io
from typing import TYPE_CHECKING, Protocol

import pyarrow as pa

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

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


def decompressed(stream: Peekable) -> Peekable:
    """Return what a stream holds once unpacked: gzip and zstd are known by their first bytes."""
    for first, codec in _COMPRESSED.items():
        if stream.peek(len(first)) == first:
            return Peekable(pa.CompressedInputStream(pa.PythonFile(stream, "r"), codec))
    return stream
