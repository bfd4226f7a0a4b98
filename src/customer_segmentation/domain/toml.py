"""Reading TOML that people write, with faults in words for them."""

import re
import tomllib
from collections.abc import Callable
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
