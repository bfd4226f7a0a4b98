"""What is wrong with the settings, in the words that every other refusal is told in."""

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from customer_segmentation.domain.errors import SettingsError, StoreUnavailableError
from customer_segmentation.domain.numbers import describe_type
from customer_segmentation.services.runtime.settings import (
    OTHER_VARIABLES,
    PREFIX,
    Settings,
    find_unknown,
    read_origin,
    variable_of,
)
from customer_segmentation.services.runtime.unit_of_work import units_over

_SIGNS = {Ge: "at least", Gt: "more than", Le: "at most", Lt: "less than"}
_KINDS = {
    bool: "true or false",
    int: "an integer",
    float: "a number",
    str: "a string",
    Path: "a path",
    tuple: "a list of strings",
    dict: "an object of strings",
}
"""What a setting must be, by its type."""

_NAMES = {variable_of(name): name for name in Settings.model_fields}


def find_faults(environment: Mapping[str, str]) -> list[str]:
    """Return what is wrong with the settings, in plain words, each fault by itself."""
    try:
        settings = Settings()
    except SettingsError as invalid:
        return [str(invalid)]
    except ValidationError as invalid:
        found = {
            _NAMES.get(place := str(fault["loc"][0]), place): fault for fault in invalid.errors()
        }
        faults = [_tell(name, fault, environment) for name, fault in found.items()]
        # The others are looked at all the same.
        settings = Settings.model_validate({name: _default_of(name) for name in found})
    else:
        faults = []
    unknown = find_unknown(environment)
    return [*faults, *_find_unusable(settings), *(_tell_unknown(name) for name in unknown)]


def limits_of(field: FieldInfo) -> str:
    """Return which values of its type a setting may have; empty where any."""
    if get_origin(field.annotation) is Literal:
        return " or ".join(f"`{value}`" for value in get_args(field.annotation))
    return " and ".join(
        f"{sign} {getattr(limit, kind.__name__.lower()):,}"
        for limit in field.metadata
        for kind, sign in _SIGNS.items()
        if isinstance(limit, kind)
    )


def _tell(name: str, fault: Mapping[str, Any], environment: Mapping[str, str]) -> str:
    """Tell where a wrong setting stands, what is allowed and what was given; not its value.

    The value may be a secret.
    """
    where = _place_of(name, environment)
    if fault["type"] == "value_error":
        return f"{where}: {fault['ctx']['error']}"
    given = describe_type(_number_of(fault["input"]))
    return f"{where} must be {rule_of(Settings.model_fields[name])}; given was {given}"


def _place_of(name: str, environment: Mapping[str, str]) -> str:
    origin = read_origin(name, environment)
    return origin if origin == variable_of(name) else f"{name} in {origin}"


def rule_of(field: FieldInfo) -> str:
    """Return what a setting must be, such as "an integer, at least 1 and at most 256"."""
    kinds: list[Any] = [get_origin(field.annotation), field.annotation, *get_args(field.annotation)]
    kind = next((_KINDS[kind] for kind in kinds if kind in _KINDS), "")
    return ", ".join(filter(None, (kind, limits_of(field))))


def _number_of(value: object) -> object:
    """Return what a variable's text stands for: an integer, another number, or itself."""
    for number in (int, float):
        try:
            return number(value) if isinstance(value, str) and "_" not in value else value
        except ValueError:
            pass
    return value


def _tell_unknown(told: str) -> str:
    """Name an unknown setting, as `find_unknown` does, and the one that may have been meant."""
    name, _, file = told.partition(" in ")
    known = [*_NAMES.values()] if file else [*_NAMES, *OTHER_VARIABLES]
    # Without what all begin with, which would make all alike.
    by_end = {one.removeprefix(PREFIX): one for one in known}
    end = name if file else name.upper().removeprefix(PREFIX)
    nearest = get_close_matches(end, by_end, n=1)
    hint = "".join(f"; did you mean {by_end[one]}?" for one in nearest)
    return f"there is no setting {told}{hint}"


def _default_of(setting: str) -> object:
    return Settings.model_fields[setting].get_default(call_default_factory=True)


def _find_unusable(settings: Settings) -> list[str]:
    """Look at what settings name; nothing is connected to."""
    faults = [] if settings.data.is_file() else [f"{variable_of('data')}: no file {settings.data}"]
    try:
        units_over(settings.database_url).close()
    except StoreUnavailableError as error:
        faults.append(str(error))
    return faults
