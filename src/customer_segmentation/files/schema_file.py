"""Schemas as TOML files, which people read, change and keep."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationError, create_model

from customer_segmentation.domain.attributes import (
    Aggregate,
    Attribute,
    IdType,
    Kind,
    Missing,
    Transform,
    Unknown,
)
from customer_segmentation.domain.errors import SchemaError
from customer_segmentation.domain.numbers import LARGEST_INTEGER
from customer_segmentation.domain.schema import (
    AUTO,
    DERIVATION_KEYS,
    Schema,
    SchemaFault,
    check_schema,
    derivation_content,
    make_schema,
    transaction_fields,
    transactions_content,
)
from customer_segmentation.domain.segments import MAX_SEGMENTS, MIN_SEGMENTS
from customer_segmentation.domain.toml import TomlError, parse_toml, to_toml, write_table
from customer_segmentation.domain.transactions import (
    LONGEST_TEXT,
    MAX_DECIMALS,
    TransactionSchema,
    UnknownCustomer,
)
from customer_segmentation.files.blocks import ASSIGNMENT_COLUMNS, GROUP_COLUMN
from customer_segmentation.files.map.entry_file import (
    LONGEST_HEADER,
    EntryTable,
    check_entry,
    entry_content,
    make_entry,
)
from customer_segmentation.files.map.number_texts import NumberStyle
from customer_segmentation.files.map.record_rules import RecordRules
from customer_segmentation.files.table_source import TableSource
from customer_segmentation.files.toml_tables import (
    TomlTable,
    faults_of,
    is_distinct,
    is_finite,
    is_visible,
    table_of,
)

MAX_ATTRIBUTES = 1_000
_MAX_TEXT = 2**21
_LONGEST_NAME = 63
"""The longest name of a column in PostgreSQL."""

_LONGEST_TITLE = 200
_LAST_HEADER = 1_000
_LONGEST_DESCRIPTION = 2_000
UNRECORDED = frozenset('"\\')
"""Marks that no record name may have."""

RESERVED_RECORD_NAMES = frozenset((*ASSIGNMENT_COLUMNS, GROUP_COLUMN))
"""Names that records and exported files have already."""

RESERVED_NAMES = RESERVED_RECORD_NAMES | frozenset(
    (
        *("segment_name", "raw_segment", "is_outlier", "next_best_action", "model_version"),
        *("epoch", "expires", "changed_at", "id", "body"),
    )
)
"""Names that answers and tables of the service have already."""


def _is_free(name: str) -> str:
    if name in RESERVED_NAMES:
        raise ValueError
    return name


def _is_free_in_records(name: str) -> str:
    # The two marks cannot be in a key of the JSON that is written.
    if name in RESERVED_RECORD_NAMES or not UNRECORDED.isdisjoint(name):
        raise ValueError
    return is_visible(name)


def _is_plain(text: str) -> str:
    return is_visible(text) if text else text


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


_Name = Annotated[
    str, Field(max_length=_LONGEST_NAME, pattern=r"^[a-z][a-z0-9_]*$"), AfterValidator(_is_free)
]
_Title = Annotated[str, Field(max_length=_LONGEST_TITLE), AfterValidator(is_visible)]
_RecordName = Annotated[str, Field(max_length=_LONGEST_TITLE), AfterValidator(_is_free_in_records)]
_Description = Annotated[str, Field(max_length=_LONGEST_DESCRIPTION), AfterValidator(_is_plain)]
_Integer = Annotated[int, Field(gt=-LARGEST_INTEGER, lt=LARGEST_INTEGER)]
_Value = Annotated[_Integer | float | _Title, AfterValidator(is_finite)]
_Titles = Annotated[list[_Title], AfterValidator(is_distinct)]
_Names = Annotated[list[str], AfterValidator(is_distinct)]

_A_NAME = (
    f"a name of at most {_LONGEST_NAME} letters a to z, digits and _, which begins with a letter "
    "and which the service does not use itself"
)
_A_TITLE = f"a text of 1 to {_LONGEST_TITLE} characters without control characters"
_A_RECORD_NAME = f'{_A_TITLE}, " or \\, which records and files of the service do not have already'
_A_DESCRIPTION = f"a text of at most {_LONGEST_DESCRIPTION:,} characters"
_A_VALUE = "a finite number or a text"
_AN_INTEGER = "an integer within ±2^53"
_LIST_OF_NAMES = "a list of different attributes' names"


def _words(
    words: type[Kind | IdType | Missing | Transform | Unknown | Aggregate | UnknownCustomer],
) -> str:
    return f"one of {', '.join(words)}"


class _Id(TomlTable):
    name: _Name = Field(description=_A_NAME)
    record_name: _RecordName | None = Field(default=None, description=_A_RECORD_NAME)
    title: _Title | None = Field(default=None, description=_A_TITLE)
    description: _Description = Field(default="", description=_A_DESCRIPTION)
    type: Literal["integer", "text"] = Field(description=_words(IdType))
    example: _Value | None = Field(default=None, description=_A_VALUE)


_Texts = Annotated[
    list[Annotated[str, Field(max_length=LONGEST_TEXT)]],
    Field(min_length=1),
    AfterValidator(is_distinct),
]
_LONGEST_WINDOW = 5
_LONGEST_FORM = 40
_Header = Annotated[str, Field(max_length=LONGEST_HEADER)]


class _PlainAttribute(TomlTable):
    name: _Name = Field(description=_A_NAME)
    record_name: _RecordName | None = Field(default=None, description=_A_RECORD_NAME)
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
    transform: Literal["linear", "log", "symlog"] = Field(
        default="linear", description=_words(Transform)
    )
    weight: Annotated[int | float, Field(ge=0), AfterValidator(is_finite)] = Field(
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


class _DerivedAttribute(_PlainAttribute):
    aggregate: (
        Literal[
            "count",
            "sum",
            "mean",
            "minimum",
            "maximum",
            "distinct",
            "days_since_first",
            "days_since_last",
        ]
        | None
    ) = Field(default=None, description=_words(Aggregate))
    of: str | None = Field(default=None, description="kind, or a field of transactions")
    where: Annotated[dict[str, _Texts], Field(min_length=1)] = Field(
        default={}, description="a table from kind and fields of transactions to lists of texts"
    )
    window: Annotated[str, Field(pattern=r"^[1-9]\d*d$", max_length=_LONGEST_WINDOW)] | None = (
        Field(default=None, description='a number of days such as "90d", of at most 9999')
    )


# The key `from` is a word of Python's own.
_From = Annotated[Literal["transactions"] | None, Field(description='"transactions"')]
_Attribute = create_model("_Attribute", __base__=_DerivedAttribute, **{"from": (_From, None)})  # type: ignore[call-overload]


class _TransactionField(TomlTable):
    name: _Name = Field(description=_A_NAME)
    title: _Title | None = Field(default=None, description=_A_TITLE)
    description: _Description = Field(default="", description=_A_DESCRIPTION)


class _Transactions(TomlTable):
    id_type: Literal["integer", "text"] = Field(default="text", description=_words(IdType))
    decimals: Annotated[int, Field(ge=0, le=MAX_DECIMALS)] = Field(
        default=2, description=f"an integer from 0 to {MAX_DECIMALS}"
    )
    unit: _Description = Field(default="", description=_A_DESCRIPTION)
    kinds: _Texts = Field(default=[], description="a list of different texts")
    unknown_customer: Literal["refused", "kept", "added"] = Field(
        default="refused", description=_words(UnknownCustomer)
    )
    fields: list[_TransactionField] = Field(
        default=[], description="tables, each headed [[transactions.fields]]"
    )


class _Profile(TomlTable):
    name: _Title = Field(description=_A_TITLE)
    strategy: _Title = Field(description=_A_TITLE)
    rule: dict[str, Annotated[int | float, AfterValidator(is_finite)]] = Field(
        default={}, description="a table from attributes' names to finite numbers"
    )
    above: _Names = Field(default=[], description=_LIST_OF_NAMES)
    below: _Names = Field(default=[], description=_LIST_OF_NAMES)
    usual: _Names = Field(default=[], description=_LIST_OF_NAMES)


class _Segments(TomlTable):
    number: Literal["auto"] | Annotated[int, Field(ge=MIN_SEGMENTS, le=MAX_SEGMENTS)] = Field(
        default="auto", description=f'"{AUTO}", or an integer from {MIN_SEGMENTS} to {MAX_SEGMENTS}'
    )
    profiles: list[_Profile] = Field(
        default=[], description="tables, each headed [[segments.profiles]]"
    )


class _Named(TomlTable):
    attribute: str = Field(description="the name of the id or of an attribute")


class _ColumnSource(EntryTable, _Named):
    """An entry of the section `source`; the attribute's name comes first."""


class _Records(TomlTable):
    columns: Annotated[dict[str, _Header], Field(min_length=1)] = Field(
        description="a table from fields of transactions to columns"
    )
    date_form: Annotated[str, Field(min_length=2, max_length=_LONGEST_FORM)] | None = Field(
        default=None, description="a form of dates such as %d.%m.%Y"
    )
    decimal: Literal[".", ","] = Field(default=".", description="a point or a comma")
    thousands: Literal["", ",", ".", " ", "\u00a0", "'"] = Field(
        default="", description="a comma, a point, a blank or ', and not the decimal"
    )


class _Source(TomlTable):
    numbered: bool = Field(default=False, description="true or false")
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = Field(
        default=None, description="one character"
    )
    encoding: _Title | None = Field(default=None, description="an encoding that Python knows")
    sheet: _Title | None = Field(default=None, description="a sheet's name")
    header: Annotated[int, Field(ge=1, le=_LAST_HEADER)] | None = Field(
        default=None, description=f"an integer from 1 to {_LAST_HEADER:,}"
    )
    columns: list[_ColumnSource] = Field(
        default=[], description="tables, each headed [[source.columns]]"
    )
    transactions: _Records | None = Field(default=None, description="a table with columns")


class _Document(TomlTable):
    id: _Id = Field(description="a table with name and type")
    attributes: Annotated[list[_Attribute], Field(min_length=1, max_length=MAX_ATTRIBUTES)] = Field(
        description=f"1 to {MAX_ATTRIBUTES:,} tables, each headed [[attributes]]"
    )
    transactions: _Transactions | None = Field(default=None, description="a table")
    segments: _Segments = Field(default=_Segments(), description="a table")
    channels: _Titles = Field(default=[], description="a list of different texts")
    missing_values: Annotated[
        list[Annotated[str, Field(max_length=_LONGEST_TITLE)]], AfterValidator(is_distinct)
    ] = Field(default=[""], description="a list of different texts")
    source: _Source = Field(default=_Source(), description="a table")


def allowed_by_key(table: type[TomlTable] = _Document, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield each key of a schema file, with those of the tables that it lies in, and its values."""
    for name, found in table.model_fields.items():
        inner = table_of(found.annotation)
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
        raise _refuse(name, text, faults_of(error, document, _Document)) from error
    if faults := [*_check_derivations(document)]:
        raise _refuse(name, text, faults)
    schema = make_schema(document)
    if faults := [*check_schema(schema), *_check_source(schema, source)]:
        raise _refuse(name, text, faults)
    return schema, _make_source(schema, source)


def _check_derivations(document: Mapping[str, Any]) -> Iterator[SchemaFault]:
    for at, entry in enumerate(document["attributes"]):
        given = [key for key in DERIVATION_KEYS if key in entry]
        for key in ("from", "aggregate"):
            if given and key not in entry:
                told = f"must be given with {', '.join(given)}"
                yield SchemaFault(("attributes", at, key), told)


def _check_source(schema: Schema, source: _Source) -> Iterator[SchemaFault]:
    columns = {column.name: column for column in schema.columns}
    named = [table.attribute for table in source.columns]
    if source.transactions is not None:
        yield from _check_records(schema, source.transactions)
    if source.numbered and schema.id.is_text:
        yield SchemaFault(("source", "numbered"), "is for ids that are integers")
    for at, table in enumerate(source.columns):
        path = ("source", "columns", at)
        if table.attribute in named[:at]:
            yield SchemaFault((*path, "attribute"), "is given twice")
        if table.attribute not in columns:
            yield SchemaFault((*path, "attribute"), "must name the id or an attribute")
            continue
        for key, message in check_entry(columns[table.attribute], table):
            yield SchemaFault((*path, key), message)


def _check_records(schema: Schema, records: _Records) -> Iterator[SchemaFault]:
    path = ("source", "transactions")
    if schema.transactions is None:
        yield SchemaFault(path, "goes with a section [transactions]")
        return
    fields = transaction_fields(schema)
    unknown = [name for name in records.columns if name not in fields]
    if unknown:
        yield SchemaFault((*path, "columns"), f"must name fields: {', '.join(fields)}")
    for needed in (schema.id.name, "time"):
        if needed not in records.columns:
            yield SchemaFault((*path, "columns"), f"must name the column of {needed}")
    if records.thousands == records.decimal:
        yield SchemaFault((*path, "thousands"), "must not be the decimal sign too")


def _make_source(schema: Schema, source: _Source) -> TableSource:
    columns = {column.name: column for column in schema.columns}
    entries = {
        table.attribute: make_entry(
            columns[table.attribute], table, columns[table.attribute].record_name
        )
        for table in source.columns
    }
    keys = ("numbered", "delimiter", "encoding", "sheet", "header")
    told = {key: getattr(source, key) for key in keys}
    return TableSource(**told, columns=entries, records=_make_records(source.transactions))


def _make_records(table: _Records | None) -> RecordRules | None:
    if table is None:
        return None
    style = NumberStyle(table.decimal, table.thousands)
    return RecordRules(dict(table.columns), table.date_form, style)


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
        parts.append(f"channels = {to_toml(list(schema.channels))}\n")
    if schema.missing_values != ("",):
        parts.append(f"missing_values = {to_toml(list(schema.missing_values))}\n")
    names = ("name", "record_name", "title", "description", "type", "example")
    parts.append(write_table("[id]", {name: getattr(schema.id, name) for name in names}))
    for attribute in schema.attributes:
        head = "".join(f"# {line}\n" for line in comments.get(attribute.name, "").splitlines())
        parts.append(head + write_table("[[attributes]]", _told(attribute)))
    if schema.transactions is not None:
        parts += _write_transactions(schema.transactions)
    number = AUTO if schema.segments is None else schema.segments
    parts.append(write_table("[segments]", {"number": number}))
    for profile in schema.profiles:
        keys = ("name", "strategy", "rule", "above", "below", "usual")
        told = {key: getattr(profile, key) for key in keys if getattr(profile, key)}
        parts.append(write_table("[[segments.profiles]]", told))
    if source is not None and source != TableSource():
        parts += _write_source(schema, source)
    return "\n".join(parts)


def _write_transactions(transactions: TransactionSchema) -> Iterator[str]:
    content = transactions_content(transactions)
    plain = transactions_content(TransactionSchema())
    fields = content.pop("fields")
    told = {key: value for key, value in content.items() if value != plain[key]}
    yield write_table("[transactions]", {"id_type": content["id_type"], **told})
    for field in fields:
        yield write_table("[[transactions.fields]]", {k: v for k, v in field.items() if v})


def _write_source(schema: Schema, source: TableSource) -> Iterator[str]:
    keys = ("numbered", "delimiter", "encoding", "sheet", "header")
    yield write_table("[source]", {k: getattr(source, k) for k in keys if getattr(source, k)})
    columns = {column.name: column for column in schema.columns}
    for name, entry in source.columns.items():
        content = entry_content(columns[name], entry, columns[name].record_name)
        yield write_table("[[source.columns]]", {"attribute": name, **content})
    if source.records is not None:
        rules = source.records
        told = {
            "columns": rules.columns,
            "date_form": rules.date_form,
            "decimal": rules.style.decimal if rules.style.decimal != "." else None,
            "thousands": rules.style.thousands,
        }
        given = {key: value for key, value in told.items() if value}
        yield write_table("[source.transactions]", given)


_ALWAYS = ("name", "kind", "example")
_PLAIN = Attribute("", "", "", "", 0, Kind.AMOUNT)
"""What an attribute is where the file does not say."""


def _told(attribute: Attribute) -> dict[str, Any]:
    """Return what a file must say of an attribute."""
    told = {}
    plain = {"record_name": attribute.name, "title": attribute.name.replace("_", " ")}
    for key in _Attribute.model_fields:
        if key in DERIVATION_KEYS:
            continue
        value = getattr(attribute, key)
        if key in _ALWAYS or value != plain.get(key, getattr(_PLAIN, key)):
            told[key] = value
    return told | derivation_content(attribute.derivation)
