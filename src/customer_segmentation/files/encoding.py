"""Text in any encoding, as UTF-8."""

import codecs
import io

from charset_normalizer import from_bytes

from customer_segmentation.domain.errors import DataFileError
from customer_segmentation.files.source import Peekable, Readable

_SAMPLE_BYTES = 256 * 1024
BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


def open_text(stream: Peekable, encoding: str | None, name: str) -> "Utf8":
    """Return a stream's text as UTF-8, without a byte order mark.

    Args:
        stream: the bytes.
        encoding: a name that Python knows; None to guess from the first bytes.
        name: what messages call the source.

    Raises:
        DataFileError: Python knows no such encoding of text.
    """
    encoding = encoding or guess_encoding(stream.peek(_SAMPLE_BYTES))
    try:
        io.TextIOWrapper(io.BytesIO(), encoding)
    except LookupError as unknown:
        raise DataFileError(f"{name} cannot be read: no encoding is named {encoding}") from unknown
    text = Utf8(stream, encoding)
    if text.encoding == "utf-8" and stream.peek(3) == codecs.BOM_UTF8:
        stream.read(3)
    return text


def guess_encoding(head: bytes) -> str:
    """Return the encoding that the first bytes of a text are most likely in."""
    for mark, encoding in BYTE_ORDER_MARKS.items():
        if head.startswith(mark):
            return encoding
    # Where a sample ends within a character, only that last character is wrong.
    if b"\0" not in head and _is_utf8(head):
        return "utf-8"
    # Of encodings that fit equally well, the one of Western Europe and Windows is likeliest.
    best = from_bytes(head, cp_isolation=["cp1252"]).best() or from_bytes(head).best()
    return best.encoding if best else "utf-8"


def _is_utf8(head: bytes) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head, final=len(head) < _SAMPLE_BYTES)
    except UnicodeDecodeError:
        return False
    return True


class Utf8:
    """Reads text as UTF-8 bytes.

    Attributes:
        encoding: what the text is in, by Python's name.
    """

    def __init__(self, stream: Readable, encoding: str) -> None:
        self.encoding = codecs.lookup(encoding).name
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder(encoding)()
        self._taken = 0

    def read(self, size: int, /) -> bytes:
        """Return some UTF-8 bytes, of about `size` bytes of the stream; none at the end.

        Raises:
            UnicodeDecodeError: the stream is not in this encoding; `start` counts from its first
                byte after a byte order mark.
        """
        while data := self._stream.read(size):
            if text := self._decode(data):
                return text
        return self._decode(b"")

    def _decode(self, data: bytes) -> bytes:
        pending = self._decoder.getstate()[0]
        start = self._taken - len(pending)
        self._taken += len(data)
        if self.encoding == "utf-8" and not pending and data.isascii():
            return data
        try:
            text = self._decoder.decode(data, final=not data)
        except UnicodeDecodeError as error:
            error.start += start
            raise
        return data if self.encoding == "utf-8" else text.encode()
