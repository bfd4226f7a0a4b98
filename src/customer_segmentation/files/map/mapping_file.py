"""Mappings as TOML files, which people read, mend and keep."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from customer_segmentation.domain.attributes import Attribute, Column
from customer_segmentation.domain.errors import MappingError
from customer_segmentation.domain.schema import Schema, transaction_fields
from customer_segmentation.domain.toml import TomlError, parse_toml, to_toml
from customer_segmentation.files.map.entry_file import (
    UNSURE_STYLE,
    EntryTable,
    check_entry,
    entry_content,
    leaves_open,
    make_entry,
)
from customer_segmentation.files.map.inference import Guess
from customer_segmentation.files.map.mapping import ColumnMapping, Entry, code_key
from customer_segmentation.files.map.number_texts import NumberStyle
from customer_segmentation.files.map.record_rules import RecordRules
from customer_segmentation.files.map.synonyms import TRANSACTION_COLUMNS
from customer_segmentation.files.map.transaction_rules import KINDS, Direction, TransactionRules
from customer_segmentation.files.toml_tables import faults_of

_TRANSACTIONS = "transactions"
_DIRECTIONS = {"deposits": Direction.DEPOSIT, "withdrawals": Direction.WITHDRAWAL}
_STYLE_KEYS = ("decimal", "thousands")
_TRANSACTION_KEYS = (*TRANSACTION_COLUMNS, *_DIRECTIONS, *_STYLE_KEYS, "date_format")
_DECIMALS = (".", ",")
_THOUSANDS = ("", ",", ".", " ", "\u00a0", "'")
_MAX_TEXT = 2**20
_LONGEST_LINE = 2**15
_MANY_PARTS = re.compile(r"([^.=\n]{0,64}\.){100}")


def read_mapping(schema: Schema, path: Path, elsewhere: Collection[str] = ()) -> ColumnMapping:
    """Read a mapping.

    Args:
        schema: of the customers.
        path: of a TOML file with a table for each attribute.
        elsewhere: attributes, by request name, that come from elsewhere and need no entry.

    Raises:
        MappingError: names each entry that is missing or wrong, and what is allowed.
    """
    return parse_mapping(schema, read_mapping_text(path), str(path), elsewhere)


def read_rules(path: Path | None, columns: Sequence[str]) -> TransactionRules:
    """Read how a table of transactions is read; what is not told is guessed.

    Args:
        path: of a mapping, in whose table `transactions` it stands; None where there is none.
        columns: of the transactions.

    Raises:
        MappingError: names what is wrong in that table, and what is allowed.
        DataFileError: no column is named, or looks like, the customer's id or the amount.
    """
    told = (
        {} if path is None else _document(read_mapping_text(path), str(path)).get(_TRANSACTIONS, {})
    )
    try:
        return _rules(told, columns)
    except ValueError as fault:
        raise MappingError(
            f"The mapping {path} cannot be used. {_TRANSACTIONS}: {fault}"
        ) from fault


def read_record_rules(schema: Schema, path: Path) -> RecordRules:
    """Read how single transactions are read, such as those of messages.

    Args:
        schema: of the customers.
        path: of a mapping; its table `transactions` names the column of each field.

    Raises:
        MappingError: names what is wrong in that table, and what is allowed.
    """
    told = _document(read_mapping_text(path), str(path)).get(_TRANSACTIONS, {})
    try:
        return _record_rules(told, schema)
    except ValueError as fault:
        raise MappingError(
            f"The mapping {path} cannot be used. {_TRANSACTIONS}: {fault}"
        ) from fault


def _record_rules(told: object, schema: Schema) -> RecordRules:
    fields = transaction_fields(schema)
    table = _keyed(told, (*fields, *_STYLE_KEYS, "date_format"))
    for key in (*fields, "date_format"):
        if not (isinstance(table.get(key, "a"), str) and table.get(key, "a")):
            raise ValueError(f"{key} must be a text")
    columns = {field: table[field] for field in fields if field in table}
    missing = [field for field in (schema.id.name, "time") if field not in columns]
    if missing:
        raise ValueError(f"give the column of {missing[0]}")
    return RecordRules(columns, table.get("date_format"), _style(table))


def read_mapping_text(path: Path) -> str:
    """Return the text of a mapping file.

    Raises:
        MappingError: the file cannot be read.
    """
    try:
        with path.open(encoding="utf-8") as file:
            return file.read(_MAX_TEXT + 1)
    except OSError as error:
        raise MappingError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise MappingError(f"{path} is not UTF-8 text (byte {error.start})") from error


def _document(text: str, name: str) -> dict[str, Any]:
    if len(text) > _MAX_TEXT:
        raise MappingError(f"The mapping {name} has more than {_MAX_TEXT:,} characters")
    # What tomllib takes grows with the square of a dotted key's parts.
    lines = (line for line in text.splitlines() if not line.lstrip().startswith("#"))
    if any(len(line) > _LONGEST_LINE or _MANY_PARTS.search(line) for line in lines):
        raise MappingError(
            f"The mapping {name} cannot be used: a line is too long, or a key has many parts"
        )
    try:
        return parse_toml(text)
    except TomlError as error:
        raise MappingError(f"The mapping {name} is not TOML{error}") from error


def parse_mapping(
    schema: Schema, text: str, name: str, elsewhere: Collection[str] = ()
) -> ColumnMapping:
    """Read a mapping from TOML; arguments and errors as `read_mapping`."""
    document = _document(text, name)
    known = [column.name for column in schema.columns]
    entries: dict[str, Entry] = {}
    faults = [
        f"{entry}: no such attribute; there are {', '.join(known)}"
        for entry in document
        if entry not in known and entry != _TRANSACTIONS
    ]
    for column in schema.columns:
        is_told = column.name in document
        if column.name in elsewhere:
            entries[column.name] = Entry(None, default=0)
        elif is_told:
            try:
                entries[column.name] = _entry(column, document[column.name])
            except ValueError as fault:
                faults.append(f"{column.name}: {fault}")
        elif isinstance(column, Attribute):
            entries[column.name] = Entry(None)
            if not _can_be_filled(column, entries[column.name]):
                faults.append(f"{column.name}: there is no such entry")
    if faults:
        raise MappingError(f"The mapping {name} cannot be used. {'; '.join(faults)}")
    return ColumnMapping(entries)


def _keyed(table: object, keys: Sequence[str]) -> dict[str, Any]:
    if not isinstance(table, dict):
        raise ValueError(f"must be a table with some of {', '.join(keys)}")
    unknown = [key for key in table if key not in keys]
    if unknown:
        raise ValueError(f"there is no {unknown[0]}; there are {', '.join(keys)}")
    return table


def _rules(told: object, columns: Sequence[str]) -> TransactionRules:
    table = _keyed(told, _TRANSACTION_KEYS)
    named = {key: table[key] for key in (*TRANSACTION_COLUMNS, "date_format") if key in table}
    for key, text in named.items():
        if not (isinstance(text, str) and text):
            raise ValueError(f"{key} must be a text")
    date_format = named.pop("date_format", None)
    kinds = {
        code_key(word): direction
        for key, direction in _DIRECTIONS.items()
        for word in _words(key, table.get(key, []))
    }
    return replace(
        TransactionRules.guessed(columns, named),
        kinds={**KINDS, **kinds},
        style=_style(table),
        date_format=date_format,
    )


def _words(key: str, words: object) -> list[str]:
    if isinstance(words, list) and all(isinstance(word, str) for word in words):
        return words
    raise ValueError(f'{key} must be a list of texts, such as ["salary", "refund"]')


def _entry(column: Column, told: object) -> Entry:
    if not isinstance(told, dict):
        keys = ", ".join(EntryTable.model_fields)
        raise ValueError(f"must be a table with some of {keys}")
    if leaves_open(told):
        raise ValueError(UNSURE_STYLE)
    try:
        table = EntryTable.model_validate(told)
    except ValidationError as error:
        faults = [(f.path[0], f.message) for f in faults_of(error, told, EntryTable)]
        raise ValueError(_joined(faults)) from error
    if unfit := list(check_entry(column, table)):
        raise ValueError(_joined(unfit))
    entry = make_entry(column, table)
    if entry.column is None and not _can_be_filled(column, entry):
        told_more = ", or a default for every customer" if isinstance(column, Attribute) else ""
        raise ValueError(f"give its column{told_more}")
    return entry


def _joined(faults: Iterable[tuple[object, str]]) -> str:
    return ", ".join(f"{key} {message}" for key, message in faults)


def _can_be_filled(column: Column, entry: Entry) -> bool:
    try:
        entry.fill(column)
    except ValueError:
        return False
    return True


def _style(table: Mapping[str, Any]) -> NumberStyle:
    style = NumberStyle(table.get("decimal", "."), table.get("thousands", ""))
    if style.decimal not in _DECIMALS:
        raise ValueError("decimal must be a point or a comma")
    if style.thousands not in _THOUSANDS or style.thousands == style.decimal:
        raise ValueError("thousands must be a comma, a point, a blank or ', and not the decimal")
    return style


def format_mapping(schema: Schema, mapping: ColumnMapping) -> str:
    """Write a mapping as TOML that reads back the same."""
    columns = {column.name: column for column in schema.columns}
    return "\n".join(
        line
        for name, entry in mapping.entries.items()
        for line in [f"[{name}]", *_lines(columns[name], entry), ""]
    )


def format_guesses(
    schema: Schema,
    guesses: Mapping[str, Guess],
    name: str,
    columns: Sequence[str] = (),
    doubts: Sequence[str] = (),
) -> str:
    """Write guesses as a mapping for a person to look at, with what is missing left open.

    Args:
        schema: of the customers.
        guesses: one for each attribute.
        name: of the table.
        columns: all that the table has; those that no guess takes are told.
        doubts: about the table as a whole.
    """
    taken = {guess.entry.column for guess in guesses.values() if guess.entry}
    left = [_comment(column) for column in columns if column not in taken]
    lines = [
        f"# What the columns of {to_toml(name)} mean, as far as it could be guessed.",
        "# Look at every entry, mend what is wrong, fill in what is missing.",
        *[f"# {_comment(doubt)}" for doubt in doubts],
        *[f"# No entry takes these columns: {', '.join(left)}"] * bool(left),
        "",
    ]
    for column in schema.columns:
        guess = guesses[column.name]
        lines += [f"# {_description(column)}", f"[{column.name}]"]
        lines += [f"# {guess.confidence}: {_comment(remark)}" for remark in guess.remarks]
        if guess.entry is None:
            lines += ['# column = "…"', *["# default = …"] * isinstance(column, Attribute)]
        else:
            lines += _lines(column, guess.entry)
        lines.append("")
    return "\n".join(lines)


def _description(feature: Column) -> str:
    unit = f", in {feature.unit}" if feature.unit else ""
    codes = ", ".join(f"{number} {text}" for number, text in feature.codes.items())
    return f"{feature.description}{unit}: {codes or feature.allowed}"


def _comment(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _lines(column: Column, entry: Entry) -> list[str]:
    return [f"{key} = {to_toml(value)}" for key, value in entry_content(column, entry).items()]
