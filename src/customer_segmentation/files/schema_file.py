"""Schemas as TOML files, which people read, change and keep."""

import datetime as dt
import json
import re
from collections.abc import Iterator, Mapping
from fractions import Fraction
from math import isfinite
from pathlib import Path
from typing import Annotated, Any, Literal, cast, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from customer_segmentation.domain.attributes import (
    Attribute,
    IdType,
    Kind,
    Missing,
    Transform,
    Unknown,
)
from customer_segmentation.domain.errors import SchemaError
from customer_segmentation.domain.numbers import LARGEST_INTEGER, describe_type
from customer_segmentation.domain.schema import AUTO, Schema, SchemaFault, check_schema, make_schema
from customer_segmentation.domain.segments import MAX_SEGMENTS, MIN_SEGMENTS
from customer_segmentation.domain.toml import TomlError, parse_toml
from customer_segmentation.files.map.date_texts import DATE_PARTS
from customer_segmentation.files.map.mapping import NumberStyle
from customer_segmentation.files.map.source import ColumnSource, TableSource

MAX_ATTRIBUTES = 1_000
_MAX_TEXT = 2**21
_LONGEST_NAME = 63
"""The longest name of a column in PostgreSQL."""

_LONGEST_TITLE = 200
_LONGEST_DESCRIPTION = 2_000
LONGEST_HEADER = 2_000
_LONGEST_SIGN = 20
RESERVED_NAMES = frozenset(
    (
        *("segment", "segment_name", "raw_segment", "cluster_num", "is_outlier", "confidence"),
        *("next_best_action", "model_version", "epoch", "changed_at", "id", "body"),
    )
)
"""Names that answers and tables of the service have already."""


def _is_free(name: str) -> str:
    if name in RESERVED_NAMES:
        raise ValueError
    return name


def _is_distinct(items: list[Any]) -> list[Any]:
    if len({json.dumps(item) for item in items}) < len(items):
        raise ValueError
    return items


def _is_visible(text: str) -> str:
    if not text.strip() or any(ord(letter) < 32 or 127 <= ord(letter) < 160 for letter in text):
        raise ValueError
    return text


def _is_plain(text: str) -> str:
    return _is_visible(text) if text else text


def _are_integers(codes: dict[str, str]) -> dict[str, str]:
    if not all(
        re.fullmatch(r"0|-?[1-9]\d{0,15}", code) and abs(int(code)) < LARGEST_INTEGER
        for code in codes
    ):
        raise ValueError
    return codes


def _are_apart(bands: list[list[int]]) -> list[list[int]]:
    borders = [border for band in bands for border in band]
    if any(least > most for least, most in bands) or any(
        left >= right for left, right in zip(borders[1::2], borders[2::2], strict=False)
    ):
        raise ValueError
    return bands


def _is_finite(value: object) -> object:
    if isinstance(value, float) and not isfinite(value):
        raise ValueError
    return value


def _is_date_form(text: str) -> str:
    if text and (not set(re.findall("%.", text)) <= set(DATE_PARTS) or len(text) < 6):
        raise ValueError
    return text


def _is_factor(text: str) -> str:
    if not re.fullmatch(r"-?[1-9]\d{0,14}(/[1-9]\d{0,14})?", text):
        raise ValueError
    return text


_Name = Annotated[
    str, Field(max_length=_LONGEST_NAME, pattern=r"^[a-z][a-z0-9_]*$"), AfterValidator(_is_free)
]
_Title = Annotated[str, Field(max_length=_LONGEST_TITLE), AfterValidator(_is_visible)]
_Description = Annotated[str, Field(max_length=_LONGEST_DESCRIPTION), AfterValidator(_is_plain)]
_Integer = Annotated[int, Field(gt=-LARGEST_INTEGER, lt=LARGEST_INTEGER)]
_Value = Annotated[_Integer | float | _Title, AfterValidator(_is_finite)]
_Titles = Annotated[list[_Title], AfterValidator(_is_distinct)]
_Names = Annotated[list[str], AfterValidator(_is_distinct)]

_A_NAME = (
    f"a name of at most {_LONGEST_NAME} letters a to z, digits and _, which begins with a letter "
    "and which the service does not use itself"
)
_A_TITLE = f"a text of 1 to {_LONGEST_TITLE} characters without control characters"
_A_DESCRIPTION = f"a text of at most {_LONGEST_DESCRIPTION:,} characters"
_A_VALUE = "a finite number or a text"
_AN_INTEGER = "an integer within ±2^53"
_LIST_OF_NAMES = "a list of different attributes' names"


def _words(words: type[Kind | IdType | Missing | Transform | Unknown]) -> str:
    return f"one of {', '.join(words)}"


class _Table(BaseModel):
    """A table of the file; each key's description says what it may hold."""

    model_config = ConfigDict(extra="forbid", strict=True)


class _Id(_Table):
    name: _Name = Field(description=_A_NAME)
    record_name: _Title | None = Field(default=None, description=_A_TITLE)
    title: _Title | None = Field(default=None, description=_A_TITLE)
    description: _Description = Field(default="", description=_A_DESCRIPTION)
    type: Literal["integer", "text"] = Field(description=_words(IdType))
    example: _Value | None = Field(default=None, description=_A_VALUE)


class _Attribute(_Table):
    name: _Name = Field(description=_A_NAME)
    record_name: _Title | None = Field(default=None, description=_A_TITLE)
    title: _Title | None = Field(default=None, description=_A_TITLE)
    description: _Description = Field(default="", description=_A_DESCRIPTION)
    kind: Literal["binary", "ordinal", "nominal", "count", "amount"] = Field(
        description=_words(Kind)
    )
    example: _Value | None = Field(default=None, description=_A_VALUE)
    unit: _Description = Field(default="", description=_A_DESCRIPTION)
    minimum: _Integer | None = Field(default=None, description=_AN_INTEGER)
    maximum: _Integer | None = Field(default=None, description=_AN_INTEGER)
    codes: Annotated[dict[str, _Title], Field(min_length=1), AfterValidator(_are_integers)] = Field(
        default={}, description="a table from integers to labels"
    )
    categories: Annotated[_Titles, Field(min_length=1)] = Field(
        default=[], description="a list of different texts"
    )
    unknown: Literal["refused", "other"] = Field(default="refused", description=_words(Unknown))
    missing: Literal["refused", "allowed"] = Field(default="refused", description=_words(Missing))
    default: _Value | None = Field(default=None, description=_A_VALUE)
    unscored: _Integer | None = Field(default=None, description=_AN_INTEGER)
    used: bool = Field(default=True, description="true or false")
    transform: Literal["linear", "log"] = Field(default="linear", description=_words(Transform))
    weight: Annotated[int | float, Field(ge=0), AfterValidator(_is_finite)] = Field(
        default=1, description="a finite number of at least 0"
    )
    protected: bool = Field(default=False, description="true or false")
    bands: Annotated[
        list[Annotated[list[_Integer], Field(min_length=2, max_length=2)]],
        Field(min_length=1),
        AfterValidator(_are_apart),
    ] = Field(default=[], description="a list of [minimum, maximum], ascending and apart")
    changeable: bool = Field(default=True, description="true or false")
    channel: _Title | None = Field(default=None, description=_A_TITLE)
    high: _Title | None = Field(default=None, description=_A_TITLE)
    low: _Title | None = Field(default=None, description=_A_TITLE)


class _Profile(_Table):
    name: _Title = Field(description=_A_TITLE)
    strategy: _Title = Field(description=_A_TITLE)
    rule: dict[str, Annotated[int | float, AfterValidator(_is_finite)]] = Field(
        default={}, description="a table from attributes' names to finite numbers"
    )
    above: _Names = Field(default=[], description=_LIST_OF_NAMES)
    below: _Names = Field(default=[], description=_LIST_OF_NAMES)
    usual: _Names = Field(default=[], description=_LIST_OF_NAMES)


class _Segments(_Table):
    number: Literal["auto"] | Annotated[int, Field(ge=MIN_SEGMENTS, le=MAX_SEGMENTS)] = Field(
        default="auto", description=f'"{AUTO}", or an integer from {MIN_SEGMENTS} to {MAX_SEGMENTS}'
    )
    profiles: list[_Profile] = Field(
        default=[], description="tables, each headed [[segments.profiles]]"
    )


class _ColumnSource(_Table):
    attribute: str = Field(description="the name of the id or of an attribute")
    column: Annotated[str, Field(max_length=LONGEST_HEADER)] | None = Field(
        default=None, description="a column's header"
    )
    decimal: Literal[".", ","] = Field(default=".", description='"." or ","')
    thousands: Literal["", ",", ".", " ", "\u00a0", "'"] = Field(
        default="", description="a comma, a point, a blank or ', and not the decimal"
    )
    sign: Annotated[str, Field(max_length=_LONGEST_SIGN)] = Field(
        default="", description=f"a text of at most {_LONGEST_SIGN} characters"
    )
    date: Annotated[str, Field(max_length=_LONGEST_SIGN), AfterValidator(_is_date_form)] = Field(
        default="", description=f"a form of dates, of {', '.join(DATE_PARTS)}"
    )
    before: dt.date | None = Field(default=None, description="a date such as 2026-01-31")
    factor: Annotated[str, AfterValidator(_is_factor)] = Field(
        default="1", description='a whole number other than 0 or a fraction in quotes, as "1/12"'
    )
    missing: (
        Annotated[
            list[Annotated[str, Field(max_length=_LONGEST_TITLE)]], AfterValidator(_is_distinct)
        ]
        | None
    ) = Field(default=None, description="a list of different texts")


class _Source(_Table):
    numbered: bool = Field(default=False, description="true or false")
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = Field(
        default=None, description="one character"
    )
    encoding: _Title | None = Field(default=None, description="an encoding that Python knows")
    sheet: _Title | None = Field(default=None, description="a sheet's name")
    columns: list[_ColumnSource] = Field(
        default=[], description="tables, each headed [[source.columns]]"
    )


class _Document(_Table):
    id: _Id = Field(description="a table with name and type")
    attributes: Annotated[list[_Attribute], Field(min_length=1, max_length=MAX_ATTRIBUTES)] = Field(
        description=f"1 to {MAX_ATTRIBUTES:,} tables, each headed [[attributes]]"
    )
    segments: _Segments = Field(default=_Segments(), description="a table")
    channels: _Titles = Field(default=[], description="a list of different texts")
    missing_values: Annotated[
        list[Annotated[str, Field(max_length=_LONGEST_TITLE)]], AfterValidator(_is_distinct)
    ] = Field(default=[""], description="a list of different texts")
    source: _Source = Field(default=_Source(), description="a table")


def allowed_by_key(table: type[_Table] = _Document, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield each key of a schema file, with those of the tables that it lies in, and its values."""
    for name, found in table.model_fields.items():
        inner = _table_of(found.annotation)
        yield f"{path}{name}", str(found.description)
        if inner is not None:
            yield from allowed_by_key(inner, f"{path}{name}.")


def read_schema(path: Path) -> Schema:
    """Read a schema.

    Args:
        path: of a TOML file.

    Raises:
        SchemaError: the file cannot be read; otherwise as `parse_schema`.
    """
    return read_schema_file(path)[0]


def read_schema_file(path: Path) -> tuple[Schema, TableSource]:
    """Read a schema, and how the table is read that it was made from; errors as `read_schema`."""
    return parse_schema_file(read_text(path), str(path))


def read_text(path: Path) -> str:
    """Return the text of a schema file.

    Raises:
        SchemaError: the file cannot be read.
    """
    try:
        with path.open(encoding="utf-8") as file:
            return file.read(_MAX_TEXT + 1)
    except OSError as error:
        raise SchemaError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SchemaError(f"{path} is not UTF-8 text (byte {error.start})") from error


def parse_schema(text: str, name: str) -> Schema:
    """Read a schema from TOML.

    Args:
        text: the TOML.
        name: what messages call the file.

    Raises:
        SchemaError: it is not TOML, or keys are unknown, missing, hold what is not allowed or
            contradict one another; every fault is named with its line.
    """
    return parse_schema_file(text, name)[0]


def parse_schema_file(text: str, name: str) -> tuple[Schema, TableSource]:
    """Read a schema and its section `source` from TOML; arguments and errors as `parse_schema`."""
    if len(text) > _MAX_TEXT:
        raise SchemaError(f"The schema {name} has more than {_MAX_TEXT:,} characters")
    try:
        document = parse_toml(text)
    except TomlError as error:
        raise SchemaError(f"The schema {name} is not TOML{error}") from error
    try:
        source = _Document.model_validate(document).source
    except ValidationError as error:
        raise _refuse(name, text, _faults(error, document)) from error
    schema = make_schema(document)
    if faults := [*check_schema(schema), *_check_source(schema, source)]:
        raise _refuse(name, text, faults)
    return schema, _make_source(source)


def _check_source(schema: Schema, source: _Source) -> Iterator[SchemaFault]:
    known = [schema.id.name, *schema.names]
    named = [column.attribute for column in source.columns]
    for at, column in enumerate(source.columns):
        path = ("source", "columns", at)
        if column.attribute not in known:
            yield SchemaFault((*path, "attribute"), "must name the id or an attribute")
        if column.attribute in named[:at]:
            yield SchemaFault((*path, "attribute"), "is given twice")
        if column.thousands == column.decimal:
            yield SchemaFault((*path, "thousands"), "must not be the decimal sign too")
        if bool(column.date) is not (column.before is not None):
            key = "before" if column.before else "date"
            yield SchemaFault((*path, key), "must be given with both date and before, or neither")


def _make_source(source: _Source) -> TableSource:
    columns = {
        column.attribute: ColumnSource(
            column.column,
            NumberStyle(column.decimal, column.thousands),
            column.sign,
            column.date,
            column.before,
            Fraction(column.factor),
            None if column.missing is None else tuple(column.missing),
        )
        for column in source.columns
    }
    return TableSource(source.numbered, source.delimiter, source.encoding, source.sheet, columns)


def _refuse(name: str, text: str, faults: list[SchemaFault]) -> SchemaError:
    lines = find_lines(text)
    told = sorted({(_line_of(lines, f.path), f"{_written(f.path)} {f.message}") for f in faults})
    places = "".join(f"\n  line {line}: {message}" for line, message in told)
    return SchemaError(f"The schema {name} cannot be used:{places}")


def _line_of(lines: Mapping[tuple[str | int, ...], int], path: tuple[str | int, ...]) -> int:
    parents = (path[:end] for end in range(len(path), 0, -1))
    return next((lines[parent] for parent in parents if parent in lines), 1)


def _written(path: tuple[str | int, ...]) -> str:
    """Write a path for people, such as `attributes[4].weight`, counted from one."""
    told = "".join(f"[{step + 1}]" if isinstance(step, int) else f".{step}" for step in path)
    return told.removeprefix(".")


def _faults(error: ValidationError, document: Mapping[str, Any]) -> list[SchemaFault]:
    """Return what is wrong, once for each key, in the words of the key's description."""
    faults: dict[tuple[str | int, ...], SchemaFault] = {}
    for found in error.errors():
        path, table, key = _find_key(found["loc"])
        if key is None:
            fault = f"is not known; known keys are {', '.join(table.model_fields)}"
        else:
            allowed = table.model_fields[key].description
            is_missing = found["type"] == "missing" and found["loc"] == path
            given = "nothing" if is_missing else _describe(_value_at(document, path))
            fault = f"must be {allowed}, not {given}"
        faults.setdefault(path, SchemaFault(path, fault))
    return list(faults.values())


def _value_at(document: object, path: tuple[str | int, ...]) -> object:
    for step in path:
        document = cast("Any", document)[step]
    return document


def _describe(value: object) -> str:
    """Name a value where it is short, otherwise its type."""
    is_short = isinstance(value, str | bool | int | float) and len(str(value)) <= _LONGEST_NAME
    return _toml(value) if is_short else describe_type(value)


def _find_key(
    location: tuple[str | int, ...],
) -> tuple[tuple[str | int, ...], type[_Table], str | None]:
    """Return the path to the deepest key of a location, the table that has it, and the key."""
    table: type[_Table] = _Document
    for at, step in enumerate(location):
        if isinstance(step, int):
            continue
        if step not in table.model_fields:
            return location[: at + 1], table, None
        inner = _table_of(table.model_fields[step].annotation)
        if inner is None or at + 1 == len(location):
            return location[: at + 1], table, step
        if all(isinstance(later, int) for later in location[at + 1 :]):
            return location[: at + 1], table, step
        table = inner
    raise AssertionError(f"{location} leads to no key")


def _table_of(annotation: object) -> type[_Table] | None:
    """Return the table that a key holds, or a list of which it holds."""
    if isinstance(annotation, type) and issubclass(annotation, _Table):
        return annotation
    found = (_table_of(argument) for argument in get_args(annotation))
    return next((table for table in found if table is not None), None)


_HEADER = re.compile(r"\s*(\[{1,2})\s*([\w.]+)\s*\]")
_KEY = re.compile(r"\s*\"?([\w-]+)\"?\s*(?:\.[^=]*)?=")


def find_lines(text: str) -> dict[tuple[str | int, ...], int]:
    """Return the line of each table and key of a TOML text, by its path."""
    found: dict[tuple[str | int, ...], int] = {}
    counts: dict[str, int] = {}
    path: tuple[str | int, ...] = ()
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            name = header[2]
            path = tuple(name.split("."))
            if header[1] == "[[":
                found.setdefault(path, number)
                path = (*path, counts.get(name, 0))
                counts[name] = counts.get(name, 0) + 1
            found[path] = number
        elif key := _KEY.match(line):
            found.setdefault((*path, key[1]), number)
    return found


def write_schema(
    schema: Schema,
    comments: Mapping[str, str] | None = None,
    source: TableSource | None = None,
) -> str:
    """Return a schema as TOML, which reads back as the same.

    Args:
        schema: the schema.
        comments: lines above an attribute, by its name.
        source: how the table is read that it was made from.
    """
    comments = comments or {}
    parts = []
    if schema.channels:
        parts.append(f"channels = {_toml(list(schema.channels))}\n")
    if schema.missing_values != ("",):
        parts.append(f"missing_values = {_toml(list(schema.missing_values))}\n")
    names = ("name", "record_name", "title", "description", "type", "example")
    parts.append(_write_table("[id]", {name: getattr(schema.id, name) for name in names}))
    for attribute in schema.attributes:
        head = "".join(f"# {line}\n" for line in comments.get(attribute.name, "").splitlines())
        parts.append(head + _write_table("[[attributes]]", _told(attribute)))
    number = AUTO if schema.segments is None else schema.segments
    parts.append(_write_table("[segments]", {"number": number}))
    for profile in schema.profiles:
        keys = ("name", "strategy", "rule", "above", "below", "usual")
        told = {key: getattr(profile, key) for key in keys if getattr(profile, key)}
        parts.append(_write_table("[[segments.profiles]]", told))
    if source is not None and source != TableSource():
        parts += _write_source(source)
    return "\n".join(parts)


def _write_source(source: TableSource) -> Iterator[str]:
    keys = ("numbered", "delimiter", "encoding", "sheet")
    yield _write_table("[source]", {k: getattr(source, k) for k in keys if getattr(source, k)})
    for name, column in source.columns.items():
        told = {
            "attribute": name,
            "column": column.column,
            "decimal": column.style.decimal,
            "thousands": column.style.thousands,
            "sign": column.sign,
            "date": column.date,
            "before": column.before,
            "factor": str(column.factor),
            "missing": None if column.missing is None else list(column.missing),
        }
        plain = {key: field.default for key, field in _ColumnSource.model_fields.items()}
        kept = {key: value for key, value in told.items() if value != plain[key]}
        yield _write_table("[[source.columns]]", kept)


_ALWAYS = ("name", "kind", "example")
_PLAIN = Attribute("", "", "", "", 0, Kind.AMOUNT)
"""What an attribute is where the file does not say."""


def _told(attribute: Attribute) -> dict[str, Any]:
    """Return what a file must say of an attribute."""
    told = {}
    plain = {"record_name": attribute.name, "title": attribute.name.replace("_", " ")}
    for key in _Attribute.model_fields:
        value = getattr(attribute, key)
        if key in _ALWAYS or value != plain.get(key, getattr(_PLAIN, key)):
            told[key] = value
    return told


def _write_table(header: str, entries: Mapping[str, Any]) -> str:
    lines = [f"{key} = {_toml(value)}\n" for key, value in entries.items()]
    return f"{header}\n{''.join(lines)}"


def _toml(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case str():
            # A basic string of TOML has the escapes of JSON's strings.
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case dt.date():
            return value.isoformat()
        case Mapping():
            pairs = [f"{_toml_key(key)} = {_toml(entry)}" for key, entry in value.items()]
            return f"{{ {', '.join(pairs)} }}"
        case list() | tuple():
            return f"[{', '.join(map(_toml, value))}]"
        case _:
            return repr(value)


def _toml_key(key: object) -> str:
    return str(key) if re.fullmatch(r"[\w-]+", str(key), re.ASCII) else _toml(str(key))
