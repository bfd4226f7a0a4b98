"""Mappings as TOML files, which people read, mend and keep."""

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from pathlib import Path
from typing import Any

from customer_segmentation.domain.attributes import Column
from customer_segmentation.domain.errors import MappingError
from customer_segmentation.domain.features import COLUMNS, CUSTOMER_ID
from customer_segmentation.domain.numbers import Number
from customer_segmentation.domain.toml import TomlError, parse_toml
from customer_segmentation.files.map.inference import Guess
from customer_segmentation.files.map.mapping import (
    UNSURE,
    ColumnMapping,
    Entry,
    NumberStyle,
    code_key,
)
from customer_segmentation.files.map.synonyms import TRANSACTION_COLUMNS
from customer_segmentation.files.map.transaction_rules import KINDS, Direction, TransactionRules

_KEYS = ("column", "factor", "codes", "decimal", "thousands", "default")
_TRANSACTIONS = "transactions"
_DIRECTIONS = {"deposits": Direction.DEPOSIT, "withdrawals": Direction.WITHDRAWAL}
_TRANSACTION_KEYS = (*TRANSACTION_COLUMNS, *_DIRECTIONS, "decimal", "thousands", "date_format")
_DECIMALS = (".", ",")
_THOUSANDS = ("", ",", ".", " ", "\u00a0", "'")
_MAX_TEXT = 2**20
_LONGEST_LINE = 2**15
_MANY_PARTS = re.compile(r"([^.=\n]{0,64}\.){100}")
_FACTOR_DIGITS = 30
_FACTOR_EXPONENT = 15
_NO_FACTOR = (
    'factor must be a number other than 0, or a fraction such as "1/12", of at most '
    f"{_FACTOR_DIGITS} digits and of an exponent from -{_FACTOR_EXPONENT} to {_FACTOR_EXPONENT}"
)


def read_mapping(path: Path, elsewhere: Collection[str] = ()) -> ColumnMapping:
    """Read a mapping.

    Args:
        path: of a TOML file with a table for each attribute.
        elsewhere: attributes, by request name, that come from elsewhere and need no entry.

    Raises:
        MappingError: names each entry that is missing or wrong, and what is allowed.
    """
    return parse_mapping(_read_text(path), str(path), elsewhere)


def read_rules(path: Path | None, columns: Sequence[str]) -> TransactionRules:
    """Read how a table of transactions is read; what is not told is guessed.

    Args:
        path: of a mapping, in whose table `transactions` it stands; None where there is none.
        columns: of the transactions.

    Raises:
        MappingError: names what is wrong in that table, and what is allowed.
        DataFileError: no column is named, or looks like, the customer's id or the amount.
    """
    told = {} if path is None else _document(_read_text(path), str(path)).get(_TRANSACTIONS, {})
    try:
        return _rules(told, columns)
    except ValueError as fault:
        raise MappingError(
            f"The mapping {path} cannot be used. {_TRANSACTIONS}: {fault}"
        ) from fault


def _read_text(path: Path) -> str:
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
        return parse_toml(text, Decimal)
    except TomlError as error:
        raise MappingError(f"The mapping {name} is not TOML{error}") from error


def parse_mapping(text: str, name: str, elsewhere: Collection[str] = ()) -> ColumnMapping:
    """Read a mapping from TOML; arguments and errors as `read_mapping`."""
    document = _document(text, name)
    known = {feature.name: feature for feature in COLUMNS}
    entries: dict[str, Entry] = {}
    faults = [
        f"{entry}: no such attribute; there are {', '.join(known)}"
        for entry in document
        if entry not in known and entry != _TRANSACTIONS
    ]
    for feature in COLUMNS:
        if feature.name in elsewhere:
            entries[feature.name] = Entry(None, default=0)
        elif feature.name in document:
            try:
                entries[feature.name] = _entry(feature, document[feature.name])
            except ValueError as fault:
                faults.append(f"{feature.name}: {fault}")
        elif feature != CUSTOMER_ID:
            faults.append(f"{feature.name}: there is no such entry")
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


def _entry(feature: Column, told: object) -> Entry:
    table = _keyed(told, _KEYS)
    column = table.get("column")
    if column is not None and not (isinstance(column, str) and column):
        raise ValueError("column must be the name of a column")
    default = None
    if "default" in table:
        if feature == CUSTOMER_ID:
            raise ValueError("there can be no default")
        default = _value(feature, "default", table["default"])
    if column is None and default is None:
        needed = "" if feature == CUSTOMER_ID else ", or a default for every customer"
        raise ValueError(f"give its column{needed}")
    codes = _codes(feature, table.get("codes", {}))
    return Entry(column, _factor(feature, table.get("factor", 1)), codes, _style(table), default)


def _value(feature: Column, key: str, value: object) -> Any:  # noqa: ANN401
    try:
        return feature.accept(float(value) if isinstance(value, Decimal) else value)
    except ValueError as refusal:
        raise ValueError(f"{key}: {refusal}") from refusal


def _factor(feature: Column, value: object) -> Fraction:
    if isinstance(value, str | int | Decimal) and not isinstance(value, bool):
        numerator, _, denominator = str(value).partition("/")
        parts = [_part(numerator), _part(denominator or "1")]
        if feature == CUSTOMER_ID and parts[0] != parts[1]:
            raise ValueError("there can be no factor")
        return parts[0] / parts[1]
    raise ValueError(_NO_FACTOR)


def _part(text: str) -> Fraction:
    """Return a number exactly; one of a few digits, since 1e400000000 written out fills memory."""
    if not text.isascii() or "_" in text:
        raise ValueError(_NO_FACTOR)  # Decimal reads `1_0` as 10, and digits of any script.
    try:
        number = Decimal(text)
    except InvalidOperation as error:
        raise ValueError(_NO_FACTOR) from error
    is_sensible = number.is_finite() and number and abs(number.adjusted()) <= _FACTOR_EXPONENT
    if not is_sensible or len(number.as_tuple().digits) > _FACTOR_DIGITS:
        raise ValueError(_NO_FACTOR)
    return Fraction(number)


def _codes(feature: Column, codes: object) -> dict[str, Number]:
    if not isinstance(codes, dict):
        raise ValueError('codes must be a table such as { "yes" = 1, "no" = 0 }')
    found: dict[str, Number] = {}
    for text, value in codes.items():
        if code_key(text) in found:
            raise ValueError(f"codes: {text} is there twice; case and blanks do not count")
        found[code_key(text)] = _value(feature, f"codes: {text}", value)
    return found


def _style(table: Mapping[str, Any]) -> NumberStyle:
    style = NumberStyle(table.get("decimal", "."), table.get("thousands", ""))
    if style.decimal == UNSURE.decimal:
        raise ValueError(
            'say how numbers are written: is 1,234 a thousand (decimal = ".", thousands = ",") '
            'or a little over one (decimal = ",")'
        )
    if style.decimal not in _DECIMALS:
        raise ValueError("decimal must be a point or a comma")
    if style.thousands not in _THOUSANDS or style.thousands == style.decimal:
        raise ValueError("thousands must be a comma, a point, a blank or ', and not the decimal")
    return style


def format_mapping(mapping: ColumnMapping) -> str:
    """Write a mapping as TOML that reads back the same."""
    return "\n".join(
        line
        for name, entry in mapping.entries.items()
        for line in [f"[{name}]", *_lines(entry), ""]
    )


def format_guesses(
    guesses: Mapping[str, Guess],
    name: str,
    columns: Sequence[str] = (),
    doubts: Sequence[str] = (),
) -> str:
    """Write guesses as a mapping for a person to look at, with what is missing left open.

    Args:
        guesses: one for each attribute.
        name: of the table.
        columns: all that the table has; those that no guess takes are told.
        doubts: about the table as a whole.
    """
    taken = {guess.entry.column for guess in guesses.values() if guess.entry}
    left = [_comment(column) for column in columns if column not in taken]
    lines = [
        f"# What the columns of {_string(name)} mean, as far as it could be guessed.",
        "# Look at every entry, mend what is wrong, fill in what is missing.",
        *[f"# {_comment(doubt)}" for doubt in doubts],
        *[f"# No entry takes these columns: {', '.join(left)}"] * bool(left),
        "",
    ]
    for feature in COLUMNS:
        guess = guesses[feature.name]
        lines += [f"# {_description(feature)}", f"[{feature.name}]"]
        lines += [f"# {guess.confidence}: {_comment(remark)}" for remark in guess.remarks]
        if guess.entry is None:
            lines += ['# column = "…"', *["# default = …"] * (feature != CUSTOMER_ID)]
        else:
            lines += _lines(guess.entry)
        lines.append("")
    return "\n".join(lines)


def _description(feature: Column) -> str:
    unit = f", in {feature.unit}" if feature.unit else ""
    codes = ", ".join(f"{number} {text}" for number, text in feature.codes.items())
    return f"{feature.description}{unit}: {codes or feature.allowed}"


def _comment(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _lines(entry: Entry) -> list[str]:
    lines = []
    if entry.column is not None:
        lines.append(f"column = {_string(entry.column)}")
    if entry.factor != 1:
        lines.append(f"factor = {_string(str(entry.factor))}")
    if entry.codes:
        codes = (f"{_string(text)} = {number!r}" for text, number in entry.codes.items())
        lines.append(f"codes = {{ {', '.join(codes)} }}")
    if entry.style.decimal != ".":
        lines.append(f"decimal = {_string(entry.style.decimal)}")
    if entry.style.thousands:
        lines.append(f"thousands = {_string(entry.style.thousands)}")
    if entry.default is not None:
        lines.append(f"default = {entry.default!r}")
    return lines


def _string(text: str) -> str:
    """Write a basic string of TOML: JSON's, but for DEL, which TOML wants escaped."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
