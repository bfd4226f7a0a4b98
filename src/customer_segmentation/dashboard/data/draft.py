"""A schema that a person changes in fields, as the document that its TOML is."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from customer_segmentation.domain.toml import parse_toml, write_document

Json = dict[str, Any]
Changes = Mapping[str, Json]
"""By the header of a column, what was changed of it, by key; see `edited`."""

USED, UNUSED, LEFT_OUT, ID = "used", "kept, not used", "left out", "id"
REFUSED, ALLOWED, DEFAULT = "refused", "allowed", "default"
_PLAIN = ("title", "unit", "minimum", "maximum")


def edited(text: str, columns: Sequence[Json], changes: Changes) -> str:
    """Return a schema with what a person changed, as TOML; as it is where nothing was.

    Args:
        text: the schema, as the service made it.
        columns: what the service told of each column.
        changes: of a column, `use`, `missing` with `default`, `title`, `unit`, `minimum`,
            `maximum`, `words` (what each category, or the label of each code, is called) and
            `order` (of categories).
    """
    document = parse_toml(text)
    before = copy.deepcopy(document)
    by_name = {attribute["name"]: attribute for attribute in document["attributes"]}
    for column in columns:
        attribute = by_name.get(column["attribute"] or "")
        if attribute is not None and (changed := changes.get(column["column"])):
            _change(document, attribute, changed)
    if document == before:
        return text
    comments = {
        column["attribute"]: "\n".join(map(_in_one_line, column["reasons"]))
        for column in columns
        if column["attribute"]
    }
    return write_document(document, comments)


def words_of(attribute: Json) -> dict[str, str]:
    """Return what each category, or each code, of an attribute is called."""
    if attribute.get("categories"):
        return {category: category for category in attribute["categories"]}
    return {str(code): label for code, label in attribute.get("codes", {}).items()}


def _change(document: Json, attribute: Json, changed: Json) -> None:
    if changed.get("use") == LEFT_OUT:
        document["attributes"].remove(attribute)
        _set_entries(document, [e for e in _entries(document) if not _is_of(e, attribute)])
        return
    if "use" in changed:
        attribute["used"] = changed["use"] == USED
    for key in _PLAIN:
        if changed.get(key) is not None:
            attribute[key] = changed[key]
    if words := changed.get("words"):
        _rename(document, attribute, words)
    if "order" in changed:
        attribute["categories"] = list(changed["order"])
    match changed.get("missing"):
        case "refused" | "allowed" as rule:
            attribute["missing"] = rule
            attribute.pop("default", None)
        case "default" if changed.get("default") is not None:
            attribute["missing"] = REFUSED
            attribute["default"] = changed["default"]


def _rename(document: Json, attribute: Json, words: Mapping[str, str]) -> None:
    """Call categories or codes otherwise; those that are called nothing are missing."""
    known = words_of(attribute)
    names = {text: words.get(text, name).strip() for text, name in known.items()}
    if names == known:
        return
    if not attribute.get("categories"):
        attribute["codes"] = {code: name or code for code, name in names.items()}
        return
    entry = next((e for e in _entries(document) if _is_of(e, attribute)), None)
    if entry is None:
        entry = {"attribute": attribute["name"]}
        _set_entries(document, [*_entries(document), entry])
    attribute["categories"] = list(dict.fromkeys(name for name in names.values() if name))
    attribute["example"] = names.get(attribute["example"]) or attribute["categories"][0]
    entry["codes"] = {text: name for text, name in names.items() if name}
    unnamed = [text for text, name in names.items() if not name]
    if unnamed:
        attribute["missing"] = ALLOWED
        missing = entry["missing"] if "missing" in entry else document.get("missing_values", [""])
        entry["missing"] = list(dict.fromkeys([*missing, *unnamed]))


def _entries(document: Json) -> list[Json]:
    found: list[Json] = document.get("source", {}).get("columns", [])
    return found


def _set_entries(document: Json, entries: list[Json]) -> None:
    source = document.setdefault("source", {})
    source.pop("columns", None)
    if entries:
        source["columns"] = entries


def _is_of(entry: Json, attribute: Json) -> bool:
    return bool(entry["attribute"] == attribute["name"])


def _in_one_line(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text)
