"""Text in any encoding, as UTF-8."""

import codecs
import io
from collections import Counter

from charset_normalizer import from_bytes

from customer_segmentation.domain.errors import DataFileError
from customer_segmentation.files.formats import BYTE_ORDER_MARKS
from customer_segmentation.files.read.source import Peekable, Readable

SAMPLE_BYTES = 256 * 1024
"""How much of a text an encoding is guessed from."""

_WESTERN = ("äöüß", "àâæçéèêëîïôœùûüÿ", "áéíñóúü¿¡", "ãáàâçéêíõóôú", "åäöé", "æøåé", "àèéìíòóù")
_CENTRAL = ("áčďéěíňóřšťúůýž", "ąćęłńóśźż", "áéíóöőúüű", "áäčďéíĺľňóôŕšťúýž", "čšžćđ", "ăâîşţ")
_CYRILLIC = ("абвгдеёжзийклмнопрстуфхцчшщъыьэюя№", "абвгґдеєжзиіїйклмнопрстуфхцчшщьюя№")
_COMMON: dict[str, tuple[str, ...]] = {
    "cp1252": _WESTERN,
    "cp1250": _CENTRAL,
    "cp1251": _CYRILLIC,
    "iso8859_2": _CENTRAL,
    "cp1254": ("çğıöşüâîû",),
    "cp932": (),
    "euc_jp": (),
    "gb18030": (),
    "big5": (),
    "cp949": (),
    "utf_16": (),
    "koi8_r": _CYRILLIC,
    "iso8859_5": _CYRILLIC,
    "cp1253": ("αάβγδεέζηήθιίϊΐκλμνξοόπρσςτυύϋΰφχψωώ",),
    "cp1256": ("ءآأؤإئابةتثجحخدذرزسشصضطظعغفقكلمنهوىي",),
}
"""The encodings that tables of customers are in, the likeliest first, with the special letters of
languages that are written in each: how often letters occur does not tell Czech from French in a few
names. Those of Windows hold all letters of iso-8859-1, iso-8859-9, shift_jis and euc_kr."""

_CHAOS_WEIGHT = 5.0
_LETTERS_WEIGHT = 2.0
_OF_RARE = 0.5
_OF_MANY_BYTES = 0.9
"""Little that is not in such an encoding can be read in it at all."""

_LIKELIEST = "cp1252"
_LEAD = 0.08
"""What a single accented letter must not outweigh."""


def open_text(stream: Peekable, encoding: str | None, name: str) -> "Utf8":
    """Return a stream's text as UTF-8, without a byte order mark.

    Args:
        stream: the bytes.
        encoding: a name that Python knows; None to guess from the first bytes.
        name: what messages call the source.

    Raises:
        DataFileError: Python knows no such encoding of text.
    """
    encoding = encoding or guess_encoding(stream.peek(SAMPLE_BYTES))
    try:
        io.TextIOWrapper(io.BytesIO(), encoding)
    except LookupError as unknown:
        raise DataFileError(f"{name} cannot be read: no encoding is named {encoding}") from unknown
    text = Utf8(stream, encoding)
    if text.encoding == "utf-8" and stream.peek(3) == codecs.BOM_UTF8:
        stream.read(3)
    return text


def find_unicode(head: bytes) -> str | None:
    """Return which encoding of Unicode a text is plainly in by its first bytes; else None."""
    for mark, encoding in BYTE_ORDER_MARKS.items():
        if head.startswith(mark):
            return encoding
    # Where a sample ends within a character, only that last character is wrong.
    return "utf-8" if b"\0" not in head and _is_utf8(head) else None


def guess_encoding(head: bytes) -> str:
    """Return the encoding that the first bytes of a text are most likely in."""
    if unicode := find_unicode(head):
        return unicode
    fits = _fits(head)
    places = {encoding: -place for place, encoding in enumerate(_COMMON)}

    def likelihood(encoding: str) -> tuple[float, int]:
        letters = _LETTERS_WEIGHT * _share_of_letters(head, encoding)
        lead = _LEAD if encoding == _LIKELIEST else 0.0
        return round(fits[encoding] + letters + lead, 2), places.get(encoding, -len(places))

    return max(fits, key=likelihood, default="utf-8")


def _fits(head: bytes) -> dict[str, float]:
    """Return how well a text reads in each encoding that it can be in."""
    fits: dict[str, float] = {}
    # Among all encodings, the library leaves out some that resemble those that it has looked at.
    for match in [*from_bytes(head, cp_isolation=[*_COMMON]), *from_bytes(head)]:
        fit = match.coherence - _CHAOS_WEIGHT * match.chaos
        for encoding in match.could_be_from_charset:
            fits[encoding] = max(fit, fits.get(encoding, fit))
    return fits


def _share_of_letters(head: bytes, encoding: str) -> float:
    """Return the share of a text's special characters that one language of the encoding has."""
    languages = _COMMON.get(encoding)
    if not languages:
        return _OF_RARE if languages is None else _OF_MANY_BYTES
    text = head.decode(encoding, "ignore").lower()
    special = Counter(character for character in text if not character.isascii())
    known = max(sum(special[c] for c in letters) for letters in languages)
    return known / max(special.total(), 1)


def _is_utf8(head: bytes) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head, final=len(head) < SAMPLE_BYTES)
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
