"""Workbooks in Office Open XML (.xlsx): their sheets, read row by row without following claims.

The layout is that of ECMA-376, part 1, chapter 18. A file is a zip archive of XML parts.
"""

import datetime as dt
import math
import posixpath
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BufferedIOBase
from typing import BinaryIO
from xml.parsers import expat

MAX_COLUMNS = 16_384
"""As many as Excel has, for every format: more take memory that no table of customers needs."""

_MAX_ROWS = 1_048_576
_LONGEST_TEXT = 32_767
"""Excel's own limits."""

_CHUNK_BYTES = 64 * 1024
_LONGEST_TOKEN = 2**20
_MAX_DEPTH = 100
_MAX_DIRECTORY = 2**20
_FREE_BYTES = 32 * 2**20
_MAX_GROWTH = 100
_MAX_TEXT_BYTES = 512 * 2**20
_BYTES_OF_A_TEXT = 64

_DATES = {*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)}
_NO_FORMAT = re.compile(r'"[^"]*"|\[(?![hms]+\])[^\]]*\]|[\\_*].', re.I)
_ESCAPE = re.compile(r"_x((?!D[89A-F])[0-9A-F]{4})_", re.I)

Row = list[tuple[int, object]]
"""The cells of a row that hold something, each with its column, from 0."""


class XlsxError(ValueError):
    """The file is no workbook, is damaged, or claims more than is followed."""


class NotXlsxError(XlsxError):
    """The file is an archive, but not of this format."""


@dataclass(frozen=True, slots=True)
class _Meaning:
    """What the cells of a workbook mean.

    Attributes:
        texts: those that cells share.
        dates: the numbers of the styles that show a number as a date.
        first_day: what the number 0 is as a date.
        is_stale: whether the workbook asks for its formulas to be calculated when opened.
    """

    texts: Sequence[str]
    dates: frozenset[str]
    first_day: dt.datetime
    is_stale: bool


class Xlsx:
    """A workbook.

    Attributes:
        sheets: the part of each sheet, by its name, in order.
    """

    def __init__(self, stream: BinaryIO) -> None:
        """Read what the workbook consists of.

        Raises:
            NotXlsxError: the archive holds something else.
            XlsxError: it is damaged.
        """
        self._zip = _open_zip(stream)
        names = self._zip.namelist()
        main = self._related("", "officeDocument").get("", "xl/workbook.xml")
        if main not in names or not main.endswith(".xml"):
            raise NotXlsxError("it has no workbook in XML")
        self.sheets: dict[str, str] = {}
        parts = self._related(main, "worksheet", by_id=True)
        self._first_day, self._is_stale = dt.datetime(1899, 12, 30), False  # noqa: DTZ001
        for _, name, attributes in self._elements(main):
            if name == "sheet" and (part := parts.get(_local(attributes, "id"))):
                self.sheets[attributes.get("name", "")] = part
            elif name == "workbookPr" and _is_true(attributes.get("date1904")):
                self._first_day = dt.datetime(1904, 1, 1)  # noqa: DTZ001
            elif name == "calcPr":
                self._is_stale = _is_true(attributes.get("fullCalcOnLoad"))
        self._texts_part = self._related(main, "sharedStrings").get("")
        self._styles_part = self._related(main, "styles").get("")

    def rows(self, part: str) -> Iterator[tuple[int, Row, float]]:
        """Yield the rows of a sheet that are not blank, with their number and the share read.

        Raises:
            XlsxError: the sheet is damaged or claims too much.
        """
        meaning = _Meaning(self._texts(), self._dates(), self._first_day, self._is_stale)
        rows = _Rows(meaning)
        size = max(self._zip.getinfo(part).file_size, 1)
        taken = 0
        for chunk in self._chunks(part):
            taken += len(chunk)
            rows.feed(chunk)
            for number, row in rows.taken():
                yield number, row, min(taken / size, 1.0)
        rows.close()

    def _texts(self) -> Sequence[str]:
        if self._texts_part is None:
            return []
        texts = _Texts()
        for chunk in self._chunks(self._texts_part):
            texts.feed(chunk)
        texts.close()
        return texts.found

    def _dates(self) -> frozenset[str]:
        """Return the styles, by number, that show a date or a time."""
        if self._styles_part is None:
            return frozenset()
        dates, styles = set(_DATES), []
        for parent, name, attributes in self._elements(self._styles_part):
            if name == "numFmt":
                form = _NO_FORMAT.sub("", attributes.get("formatCode", ""))
                if not set(form.casefold()).isdisjoint("dmyhs"):
                    dates.add(_whole(attributes.get("numFmtId")))
            elif name == "xf" and parent == "cellXfs":
                styles.append(_whole(attributes.get("numFmtId", "0")))
        return frozenset(str(number) for number, form in enumerate(styles) if form in dates)

    def _related(self, part: str, kind: str, *, by_id: bool = False) -> dict[str, str]:
        """Return the parts of a kind that a part refers to: by id, or one under no id."""
        folder, name = posixpath.split(part)
        relations = posixpath.join(folder, "_rels", f"{name}.rels")
        found: dict[str, str] = {}
        if relations not in self._zip.namelist():
            return found
        for _, element, attributes in self._elements(relations):
            if element == "Relationship" and attributes.get("Type", "").endswith(f"/{kind}"):
                target = posixpath.join("/", folder, attributes.get("Target", ""))
                target = posixpath.normpath(target).lstrip("/")
                if target in self._zip.namelist():
                    found[attributes.get("Id", "") if by_id else ""] = target
        return found

    def _elements(self, part: str) -> Iterator[tuple[str, str, Mapping[str, str]]]:
        """Yield the elements of a small part, with the names of their parents."""
        elements = _Elements()
        for chunk in self._chunks(part):
            elements.feed(chunk)
            yield from elements.taken()
        elements.close()

    def _chunks(self, part: str) -> Iterator[bytes]:
        """Yield what a part unpacks to.

        Raises:
            XlsxError: it is damaged, or grows beyond what tables of customers do.
        """
        info = self._zip.getinfo(part)
        if info.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
            raise XlsxError("it is compressed in a way that workbooks are not")
        left = max(_FREE_BYTES, _MAX_GROWTH * info.compress_size)
        try:
            with self._zip.open(info) as file:
                while chunk := file.read(_CHUNK_BYTES):
                    left -= len(chunk)
                    if left < 0:
                        raise XlsxError(f"a part grows over {_MAX_GROWTH}-fold when unpacked")
                    yield chunk
        except _DAMAGES as damage:
            raise XlsxError(f"it is damaged: {damage}") from damage


_DAMAGES = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, OSError)


def _open_zip(stream: BinaryIO) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(_BoundedReads(stream))
    except (*_DAMAGES, ValueError, IndexError) as damage:
        raise XlsxError(f"it is damaged: {damage}") from damage


class _BoundedReads(BufferedIOBase):
    """A stream of which no great part is read at once, as the list of an archive's parts is."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def read(self, size: int | None = -1, /) -> bytes:
        data = self._stream.read(
            _MAX_DIRECTORY if size is None or size < 0 else min(size, _MAX_DIRECTORY + 1)
        )
        if len(data) > _MAX_DIRECTORY:
            raise zipfile.BadZipFile("it lists too many parts")
        return data

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()

    def seekable(self) -> bool:
        return True


def _local(attributes: Mapping[str, str], name: str) -> str:
    """Return an attribute that has a prefix, whichever it is."""
    return next((text for key, text in attributes.items() if key.endswith(f":{name}")), "")


def _is_true(text: str | None) -> bool:
    return text in {"1", "true", "on"}


def _whole(text: str | None) -> int:
    try:
        return int((text or "")[:12])
    except ValueError as damage:
        raise XlsxError("a number of its layout is none") from damage


class _Reader:
    """Reads a part as XML as it comes, without entities."""

    def __init__(self) -> None:
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartDoctypeDeclHandler = self._refuse
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text
        self._locals: dict[str, str] = {}
        self._fed = 0

    def feed(self, chunk: bytes, *, is_last: bool = False) -> None:
        self._fed += len(chunk)
        try:
            self._parser.Parse(chunk, is_last)
        except expat.ExpatError as damage:
            raise XlsxError(f"it is damaged: {damage}") from damage
        if self._fed - self._parser.CurrentByteIndex > _LONGEST_TOKEN and not is_last:
            raise XlsxError("it has a longer piece than workbooks have")

    def close(self) -> None:
        self.feed(b"", is_last=True)

    def _local_name(self, name: str) -> str:
        """Return an element's name without its prefix."""
        found = self._locals.get(name)
        if found is None:
            found = name.rpartition(":")[2]
            if len(self._locals) < _MAX_DEPTH:
                self._locals[name] = found
        return found

    def _refuse(self, *_: object) -> None:
        raise XlsxError("it declares a document type, which workbooks do not")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        raise NotImplementedError

    def _end(self, name: str) -> None:
        raise NotImplementedError

    def _text(self, text: str) -> None:
        raise NotImplementedError


class _Elements(_Reader):
    """Takes down elements with their parents."""

    def __init__(self) -> None:
        super().__init__()
        self._path: list[str] = [""]
        self._found: list[tuple[str, str, Mapping[str, str]]] = []

    def taken(self) -> list[tuple[str, str, Mapping[str, str]]]:
        found, self._found = self._found, []
        return found

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        local = self._local_name(name)
        self._found.append((self._path[-1], local, attributes))
        self._path.append(local)
        if len(self._path) > _MAX_DEPTH:
            raise XlsxError("its elements are too deep")

    def _end(self, _name: str) -> None:
        self._path.pop()

    def _text(self, text: str) -> None:
        pass


class _TextReader(_Reader):
    """Takes down the texts of elements of some names, but not how they are pronounced."""

    def __init__(self, names: set[str]) -> None:
        super().__init__()
        self._names = names
        self._pieces: list[str] = []
        self._size = 0
        self._is_text = False
        self._skipped = 0

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        local = self._local_name(name)
        if local in self._names:
            self._is_text = not self._skipped
        elif local == "rPh":
            self._skipped += 1
        else:
            self._open(local, attributes)

    def _end(self, name: str) -> None:
        local = self._local_name(name)
        if local in self._names:
            self._is_text = False
            self._read(local)
        elif local == "rPh":
            self._skipped -= 1
        else:
            self._shut(local)

    def _text(self, text: str) -> None:
        if self._is_text:
            self._pieces.append(text)
            self._size += len(text)
            if self._size > _LONGEST_TEXT:
                raise XlsxError(f"a cell has over {_LONGEST_TEXT:,} characters")

    def _take(self) -> str:
        text = "".join(self._pieces)
        self._pieces.clear()
        self._size = 0
        return text

    def _open(self, local: str, attributes: dict[str, str]) -> None:
        raise NotImplementedError

    def _read(self, local: str) -> None:
        pass

    def _shut(self, local: str) -> None:
        raise NotImplementedError


class _Texts(_TextReader):
    """Takes down the texts that cells share."""

    def __init__(self) -> None:
        super().__init__({"t"})
        self.found: list[str] = []
        self._left = _MAX_TEXT_BYTES

    def _open(self, local: str, _attributes: dict[str, str]) -> None:
        if local == "si":
            self._take()

    def _shut(self, local: str) -> None:
        if local == "si":
            text = _unescaped(self._take())
            self._left -= _BYTES_OF_A_TEXT + 2 * len(text)
            if self._left < 0:
                raise XlsxError("its texts take too much memory: save it as CSV")
            self.found.append(text)


def _unescaped(text: str) -> str:
    """Return a text with the characters that XML cannot hold."""
    return _ESCAPE.sub(lambda match: chr(int(match[1], 16)), text) if "_x" in text else text


class _Rows(_TextReader):
    """Takes down the rows of a sheet."""

    def __init__(self, meaning: _Meaning) -> None:
        super().__init__({"v", "f", "t"})
        self._meaning = meaning
        self._found: list[tuple[int, Row]] = []
        self._row: Row = []
        self._number = 0
        self._column = -1
        self._columns: dict[str, int] = {}
        self._kind = "n"
        self._style = ""
        self._formula: str | None = None
        self._value = ""

    def taken(self) -> list[tuple[int, Row]]:
        found, self._found = self._found, []
        return found

    def _open(self, local: str, attributes: dict[str, str]) -> None:
        if local == "c":
            place = attributes.get("r")
            self._column = self._column + 1 if place is None else self._column_of(place)
            if self._column >= MAX_COLUMNS:
                raise XlsxError(f"it has over {MAX_COLUMNS:,} columns")
            self._kind = attributes.get("t", "n")
            self._style = attributes.get("s", "")
            self._formula, self._value = None, ""
            self._take()
        elif local == "row":
            number = _whole(attributes["r"]) if "r" in attributes else self._number + 1
            if not self._number < number <= _MAX_ROWS:
                raise XlsxError("its rows are not in order")
            self._number, self._column, self._row = number, -1, []

    def _read(self, local: str) -> None:
        if local == "f":
            self._formula = self._take()
        elif local == "v":
            self._value = self._take()
        # Runs of a text in its place add up.

    def _shut(self, local: str) -> None:
        if local == "c":
            text = self._take() if self._kind == "inlineStr" else self._value
            value = self._value_of(text)
            if value is not None and value != "":
                if self._row and self._row[-1][0] >= self._column:
                    raise XlsxError("its cells are not in order")
                self._row.append((self._column, value))
        elif local == "row" and self._row:
            self._found.append((self._number, self._row))
            self._row = []

    def _column_of(self, place: str) -> int:
        letters = place.rstrip("0123456789")
        column = self._columns.get(letters)
        if column is None:
            if not (letters.isascii() and letters.isalpha() and len(letters) <= 3):
                raise XlsxError("a cell has no place")
            column = 0
            for letter in letters.upper():
                column = 26 * column + ord(letter) - ord("A") + 1
            self._columns[letters] = column = column - 1
        return column

    def _value_of(self, text: str) -> object:
        if self._formula is not None and self._is_not_stored(text):
            return f"={self._formula}"
        match self._kind:
            case "n":
                return self._number_of(text) if text else None
            case "s":
                place = _whole(text)
                if not 0 <= place < len(self._meaning.texts):
                    raise XlsxError("a cell refers to a text that is not there")
                return self._meaning.texts[place]
            case "b":
                return text in {"1", "true"}
            case "e":
                return text or "#N/A"
            case "d":
                return _moment(text)
            case _:
                return _unescaped(text)

    def _is_not_stored(self, text: str) -> bool:
        """Tell whether the result of a formula is not in the file, or only stands for it."""
        if self._kind in {"str", "e", "inlineStr"}:
            return False
        return not text or (self._meaning.is_stale and text == "0")

    def _number_of(self, text: str) -> object:
        try:
            number = float(text)
        except ValueError:
            return text
        if not math.isfinite(number) or "_" in text:
            return text
        if self._style in self._meaning.dates:
            return _date_of(number, self._meaning.first_day)
        return number


def _date_of(number: float, first_day: dt.datetime) -> object:
    """Return what a number is that is shown as a date; itself where it is none."""
    try:
        # Excel holds 1900 for a leap year, as Lotus 1-2-3 did.
        shift = first_day.year == 1899 and number < 60
        moment = first_day + dt.timedelta(days=number + shift)
        moment += dt.timedelta(microseconds=500)
    except (OverflowError, ValueError):
        return number
    moment = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    if 0 <= number < 1:
        return moment.time()
    return moment if moment.time() != dt.time() else moment.date()


def _moment(text: str) -> object:
    try:
        return dt.datetime.fromisoformat(text)
    except ValueError:
        return text
