"""Cutting a text into blocks that end where a line does."""

from collections.abc import Callable

from customer_segmentation.files.read.source import Readable

BLOCK_BYTES = 4 * 2**20
_LINE_BYTES = 64 * 1024
LONGEST_LINE = 2**20
"""In characters; no row of a table of customers comes near."""

_LONGEST_LINE_BYTES = 4 * BLOCK_BYTES
"""No fewer than `LONGEST_LINE` characters of four bytes, so that the message is true."""


class LineTooLongError(ValueError):
    """A line is too long to be a row."""

    def __init__(self, line: int) -> None:
        super().__init__(f"line {line:,} has more than {LONGEST_LINE:,} characters")


def _first_line_end(text: bytes, start: int) -> int:
    """Return where the line that begins at `start` ends, 0 where that is not sure."""
    end = text.find(b"\n", start)
    # A CR at the very end may be the first half of CR LF.
    returned = text.find(b"\r", start, len(text) - 1 if end < 0 else end)
    if returned >= 0:
        return returned + (2 if returned + 1 == end else 1)
    return end + 1


def _line_ends(text: bytes) -> int:
    returns = text.count(b"\r")
    return text.count(b"\n") + returns - (text.count(b"\r\n") if returns else 0)


class Lines:
    """Takes blocks of whole lines, or single lines, off a stream of UTF-8 bytes.

    A line ends with LF, CR LF or CR. What is taken is passed over and not cut off, as a block of
    nothing but line ends would be copied for each of its million lines.
    """

    def __init__(self, stream: Readable, block_bytes: int = BLOCK_BYTES) -> None:
        self._stream = stream
        self._block_bytes = block_bytes
        self._read = b""
        self._taken = 0  # Bytes of `_read`.
        self._is_at_end = False
        self._lines_taken = 0

    def block(self) -> bytes:
        """Return the next lines, of about `block_bytes`; nothing at the end.

        Raises:
            LineTooLongError: no line ends for long.
        """
        return self._take(self._block_bytes, self._block_end)

    def line(self) -> bytes:
        """Return the next line; nothing at the end.

        Raises:
            LineTooLongError: as `block`.
        """
        return self._take(min(_LINE_BYTES, self._block_bytes), _first_line_end)

    def give_back(self, data: bytes) -> None:
        """Put back what was taken last, to be taken again."""
        self._taken -= len(data)
        self._lines_taken -= _line_ends(data)

    def _block_end(self, text: bytes, start: int) -> int:
        """Return where the last line ends that is sure to; 0 where none is."""
        if self._is_at_end:
            return len(text)
        # A CR at the very end may be the first half of CR LF.
        return text.rfind(b"\n", start) + 1 or text.rfind(b"\r", start, -1) + 1

    def _take(self, size: int, find_end: Callable[[bytes, int], int]) -> bytes:
        if len(self._read) - self._taken < size:
            self._fill(size)
        while not (end := find_end(self._read, self._taken)) and not self._is_at_end:
            left = len(self._read) - self._taken
            if left > _LONGEST_LINE_BYTES:
                raise LineTooLongError(self._lines_taken + 1)
            self._fill(2 * left + size)
        taken = self._read[self._taken : end or None]
        self._taken += len(taken)
        self._lines_taken += _line_ends(taken)
        return taken

    def _fill(self, size: int) -> None:
        """Read on until `size` bytes are there to be taken, or the end is."""
        if self._is_at_end:
            return
        parts = [self._read[self._taken :]]
        missing = size - len(parts[0])
        while missing > 0 and not self._is_at_end:
            part = self._stream.read(missing)
            parts.append(part)
            missing -= len(part)
            self._is_at_end = not part
        self._read, self._taken = b"".join(parts), 0
