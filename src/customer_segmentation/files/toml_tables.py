"""Tables of TOML files that people write: what each key may hold, and what is wrong with one."""

import json
from collections.abc import Mapping
from math import isfinite
from typing import Any, TypeAlias, cast, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from customer_segmentation.domain.numbers import describe_type
from customer_segmentation.domain.schema import SchemaFault
from customer_segmentation.domain.toml import to_toml

Path: TypeAlias = tuple[str | int, ...]
"""Keys and places in lists, such as ("attributes", 3, "weight")."""

_LONGEST_SHOWN = 63


class TomlTable(BaseModel):
    """A table of the file; each key's description says what it may hold."""

    model_config = ConfigDict(extra="forbid", strict=True)


def faults_of(
    error: ValidationError, document: Mapping[str, Any], table: type["TomlTable"]
) -> list[SchemaFault]:
    """Return what is wrong, once for each key, in the words of the key's description."""
    faults: dict[Path, SchemaFault] = {}
    for found in error.errors():
        path, holder, key = _find_key(found["loc"], table)
        if key is None:
            fault = f"is not known; known keys are {', '.join(holder.model_fields)}"
        else:
            allowed = holder.model_fields[key].description
            is_missing = found["type"] == "missing" and found["loc"] == path
            given = "nothing" if is_missing else _describe(_value_at(document, path))
            fault = f"must be {allowed}, not {given}"
        faults.setdefault(path, SchemaFault(path, fault))
    return list(faults.values())


def _value_at(document: object, path: Path) -> object:
    for step in path:
        document = cast("Any", document)[step]
    return document


def _describe(value: object) -> str:
    """Name a value where it is short, otherwise its type."""
    is_short = isinstance(value, str | bool | int | float) and len(str(value)) <= _LONGEST_SHOWN
    return to_toml(value) if is_short else describe_type(value)


def _find_key(
    location: Path, table: type["TomlTable"]
) -> tuple[Path, type["TomlTable"], str | None]:
    """Return the path to the deepest key of a location, the table that has it, and the key."""
    for at, step in enumerate(location):
        if isinstance(step, int):
            continue
        if step not in table.model_fields:
            return location[: at + 1], table, None
        inner = table_of(table.model_fields[step].annotation)
        if inner is None or at + 1 == len(location):
            return location[: at + 1], table, step
        if all(isinstance(later, int) for later in location[at + 1 :]):
            return location[: at + 1], table, step
        table = inner
    raise AssertionError(f"{location} leads to no key")


def table_of(annotation: object) -> type["TomlTable"] | None:
    """Return the table that a key holds, or a list of which it holds."""
    if isinstance(annotation, type) and issubclass(annotation, TomlTable):
        return annotation
    found = (table_of(argument) for argument in get_args(annotation))
    return next((table for table in found if table is not None), None)


def is_distinct(items: list[Any]) -> list[Any]:
    """Refuse a list in which something comes twice; for Pydantic."""
    if len({json.dumps(item) for item in items}) < len(items):
        raise ValueError
    return items


def is_visible(text: str) -> str:
    """Refuse a blank text, or one with control characters; for Pydantic."""
    if not text.strip() or any(ord(letter) < 32 or 127 <= ord(letter) < 160 for letter in text):
        raise ValueError
    return text


def is_finite(value: object) -> object:
    """Refuse a number that is none or endless; for Pydantic."""
    if isinstance(value, float) and not isfinite(value):
        raise ValueError
    return value
