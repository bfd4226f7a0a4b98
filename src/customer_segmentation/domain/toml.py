"""Reading TOML that people write, with faults in words for them, and writing it."""

import datetime as dt
import json
import re
import tomllib
from collections.abc import Callable, Mapping
from typing import Any

_DIGITS = 4300
_LONG_NUMBER = re.compile(rf"\d[\d_]{{{_DIGITS},}}")
_LINE = re.compile(r"\(at line (\d+), ")
_FAULTS = {
    "Invalid value": "a value is missing, or is no text in quotes, number, list or table",
    "Cannot overwrite": "a name is given twice",
    "Cannot declare": "a table is given twice",
    "Expected newline": "something follows the value",
    "Expected '='": "a name has no value",
    "Expected ']'": "a bracket is not closed",
    "Unclosed": "a bracket is not closed",
    "Illegal character": "it contains a character that TOML does not allow there",
}
"""What the library's messages begin with."""


class TomlError(ValueError):
    """A text is not TOML; the message goes after its name, such as " (line 3): …"."""


def parse_toml(text: str, parse_float: Callable[[str], Any] = float) -> dict[str, Any]:
    """Return what a TOML text holds.

    Args:
        text: the text.
        parse_float: makes what numbers that are not whole become.

    Raises:
        TomlError: it is not TOML, or a number or the nesting is beyond any use.
    """
    try:
        return tomllib.loads(text, parse_float=parse_float)
    except tomllib.TOMLDecodeError as error:
        raise TomlError(_fault(text, str(error))) from error
    except RecursionError as error:
        raise TomlError(": its tables or lists are too deep") from error
    except ValueError as error:  # A number of more digits than Python reads.
        found = _LONG_NUMBER.search(text)
        line = text.count("\n", 0, found.start()) + 1 if found else 1
        raise TomlError(f" (line {line}): a number has more than {_DIGITS} digits") from error


def _fault(text: str, told: str) -> str:
    found = _LINE.search(told)
    line = int(found[1]) if found else max(len(text.splitlines()), 1)
    faults = (fault for begin, fault in _FAULTS.items() if told.startswith(begin))
    return f" (line {line}): {next(faults, 'it cannot be read there')}"


def write_document(document: Mapping[str, Any], comments: Mapping[str, str] | None = None) -> str:
    """Return tables as TOML that reads back the same.

    Args:
        document: values, tables, and lists of tables, whose tables hold values, tables within
            braces, and lists of tables again.
        comments: by the `name` of a table in a list, what is written above it.
    """
    return "\n".join(_parts("", document, comments or {}))


def _parts(path: str, table: Mapping[str, Any], comments: Mapping[str, str]) -> list[str]:
    inner = {key for key, value in table.items() if _is_tables(value)}
    if not path:
        inner |= {key for key, value in table.items() if isinstance(value, Mapping)}
    values = {key: value for key, value in table.items() if key not in inner}
    head = f"{path}\n" if path else ""
    parts = [head + write_table("", values).lstrip("\n")] if values or path else []
    for key in table:
        place = f"{path.strip('[]')}.{key}".lstrip(".")
        if key in inner and isinstance(table[key], Mapping):
            parts += _parts(f"[{place}]", table[key], comments)
        elif key in inner:
            for one in table[key]:
                told = comments.get(str(one.get("name")), "").splitlines()
                first, *others = _parts(f"[[{place}]]", one, comments)
                parts += ["".join(f"# {line}\n" for line in told) + first, *others]
    return parts


def _is_tables(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(o, Mapping) for o in value)


def write_table(header: str, entries: Mapping[str, Any]) -> str:
    """Return a table of TOML with its keys."""
    lines = [f"{key} = {to_toml(value)}\n" for key, value in entries.items()]
    return f"{header}\n{''.join(lines)}"


def to_toml(value: object) -> str:
    """Return a value as TOML has it."""
    match value:
        case bool():
            return str(value).lower()
        case str():
            # A basic string of TOML has the escapes of JSON's strings.
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case dt.date():
            return value.isoformat()
        case Mapping():
            pairs = [f"{_toml_key(key)} = {to_toml(entry)}" for key, entry in value.items()]
            return f"{{ {', '.join(pairs)} }}"
        case list() | tuple():
            return f"[{', '.join(map(to_toml, value))}]"
        case _:
            return repr(value)


def _toml_key(key: object) -> str:
    return str(key) if re.fullmatch(r"[\w-]+", str(key), re.ASCII) else to_toml(str(key))
