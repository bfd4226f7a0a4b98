"""The formats of files, and how one is recognised."""

import codecs
from enum import StrEnum
from pathlib import Path

from customer_segmentation.domain.errors import FieldError, InvalidInputError


class Format(StrEnum):
    """How a table is written down."""

    CSV = "csv"
    PARQUET = "parquet"
    ARROW = "arrow"
    NDJSON = "ndjson"
    EXCEL = "excel"


BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_BY_FIRST_BYTES = {
    b"PAR1": Format.PARQUET,
    b"ARROW1\0\0": Format.ARROW,
    b"\xff\xff\xff\xff": Format.ARROW,
    b"PK\x03\x04": Format.EXCEL,
    b"\xd0\xcf\x11\xe0": Format.EXCEL,
}
_BY_SUFFIX = {
    ".csv": Format.CSV,
    ".parquet": Format.PARQUET,
    ".arrow": Format.ARROW,
    ".feather": Format.ARROW,
    ".ndjson": Format.NDJSON,
    ".jsonl": Format.NDJSON,
    ".xlsx": Format.EXCEL,
}


def recognise(head: bytes) -> Format:
    """Return the format of a file by its first bytes, whatever its name says."""
    for first, form in _BY_FIRST_BYTES.items():
        if head.startswith(first):
            return form
    for mark in BYTE_ORDER_MARKS:
        head = head.removeprefix(mark)
    # In UTF-16 a NUL stands beside each character of ASCII.
    return Format.NDJSON if head.lstrip(b"\0 \t\r\n").startswith(b"{") else Format.CSV


def format_named(path: Path) -> Format | None:
    """Return the format that a file's name tells, None where it tells none."""
    return _BY_SUFFIX.get(path.suffix.lower())


def format_of(path: Path) -> Format:
    """Return the format to write a file in, by its name.

    Raises:
        InvalidInputError: the name ends in none that is known.
    """
    form = format_named(path)
    if form is None:
        known = ", ".join(_BY_SUFFIX)
        message = f"{path} names no format: output must end with one of {known}"
        raise InvalidInputError([FieldError("output", message)])
    return form
