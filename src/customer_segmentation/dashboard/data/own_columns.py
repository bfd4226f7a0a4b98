"""What each column of an own table is taken for, as fields."""

from typing import Any

import streamlit as st

from customer_segmentation.dashboard import parts
from customer_segmentation.dashboard.data.draft import (
    ALLOWED,
    DEFAULT,
    ID,
    LEFT_OUT,
    REFUSED,
    UNUSED,
    USED,
    words_of,
)

Json = dict[str, Any]

_A_PAGE = 25
_WORDS_IN_A_ROW = 3
_USES = [USED, UNUSED, LEFT_OUT]
_RULES = {
    ALLOWED: "is not known",
    REFUSED: "refuses the row",
    DEFAULT: "is filled in by",
}


def column_fields(
    columns: list[Json], attributes: dict[str, Json], taken: dict[str, str], changes: Json, key: str
) -> None:
    """Show a row of fields for each column; note what is changed.

    Args:
        columns: what the service told of each.
        attributes: of the schema, by name.
        taken: by header, what a person takes a column for; changed in place.
        changes: by header, what a person changed of it; changed in place.
        key: tells these fields from others.
    """
    pages = range(0, len(columns), _A_PAGE)
    first = 0
    if len(pages) > 1:
        first = st.selectbox(
            "Columns",
            pages,
            format_func=lambda at: f"{at + 1} to {min(at + _A_PAGE, len(columns))}",
            width=200,
        )
    for place, column in enumerate(columns[first : first + _A_PAGE], first):
        with st.container(border=True):
            attribute = attributes.get(column["attribute"] or "")
            _row(column, attribute, taken, changes, f"{key}-{place}-{column['chosen']}")


def _row(
    column: Json, attribute: Json | None, taken: dict[str, str], changes: Json, key: str
) -> None:
    header = column["column"]
    name = header or "(no header)"
    changed = changes.setdefault(header, {})
    told, use, kind, missing = st.columns([2, 1, 1, 1])
    with told:
        st.markdown(f"**{parts.literal(name)}**")
        st.caption(parts.literal(" · ".join(column["samples"]) or "nothing in it"))
    if column["use"] == ID:
        use.markdown(f"tells customers apart, as {column['kind']}")
        _reasons(column)
        return
    with use:
        _use_field(column, attribute, changed, name, key)
    with kind:
        _kind_field(column, taken, changes, name, key)
    if attribute is not None and changed.get("use") != LEFT_OUT:
        with missing:
            _missing_field(attribute, changed, name, key)
    _reasons(column)
    if attribute is None or changed.get("use") == LEFT_OUT:
        return
    if st.toggle("More", key=f"more-{key}", help=f"Title, unit, range and codes of {name}"):
        _details(attribute, changed, name, key)


def _reasons(column: Json) -> None:
    st.caption(parts.literal("; ".join(column["reasons"])))


def _use_field(column: Json, attribute: Json | None, changed: Json, name: str, key: str) -> None:
    if attribute is None:
        hint = "Choose a kind to use it." if column["options"] else "It cannot be used."
        st.selectbox(
            f"Use of {parts.label(name)}",
            [LEFT_OUT],
            help=hint,
            disabled=True,
            key=f"use-{key}",
        )
        return
    now = str(changed.get("use", column["use"]))
    chosen = st.selectbox(
        f"Use of {parts.label(name)}",
        _USES,
        index=_USES.index(now),
        key=f"use-{key}",
    )
    if chosen != column["use"]:
        changed["use"] = chosen
    else:
        changed.pop("use", None)


def _kind_field(column: Json, taken: dict[str, str], changes: Json, name: str, key: str) -> None:
    options = column["options"]
    if not options:
        return

    def take() -> None:
        taken[column["column"]] = st.session_state[f"kind-{key}"]
        # What was said of the other kind is about other values.
        changes.pop(column["column"], None)

    now = column["chosen"]
    st.selectbox(
        f"Kind of {parts.label(name)}",
        options,
        index=options.index(now) if column["attribute"] and now in options else None,
        placeholder="left out",
        help="An amount is any number, a count a whole one; ordinal is a place on a scale, nominal "
        "one of several without an order, binary one of two.",
        on_change=take,
        key=f"kind-{key}",
    )


def _missing_field(attribute: Json, changed: Json, name: str, key: str) -> None:
    rules = [*_RULES]
    declared = DEFAULT if "default" in attribute else attribute.get("missing", REFUSED)
    now = str(changed.get("missing", declared))
    chosen = st.selectbox(
        f"Missing {parts.label(name)}",
        rules,
        index=rules.index(now),
        format_func=_RULES.__getitem__,
        key=f"missing-{key}",
    )
    if chosen != declared:
        changed["missing"] = chosen
    else:
        changed.pop("missing", None)
    if chosen == DEFAULT:
        _default_field(attribute, changed, name, key)
        st.caption("⚠ Whoever lacks it gets this value, which nobody told.")


def _default_field(attribute: Json, changed: Json, name: str, key: str) -> None:
    label = f"Instead of a missing {parts.label(name)}"
    if categories := attribute.get("categories"):
        changed["default"] = st.selectbox(label, categories, index=None, key=f"default-{key}")
        return
    given = st.text_input(label, str(changed.get("default", "")), key=f"default-{key}")
    try:
        changed["default"] = _number(given) if given.strip() else None
    except ValueError:
        changed["default"] = None
        parts.wrong("It must be a number.")


def _number(text: str) -> float:
    number = float(text.replace(",", ""))
    return int(number) if number.is_integer() else number


def _details(attribute: Json, changed: Json, name: str, key: str) -> None:
    words = words_of(attribute)
    title, unit, least, most = st.columns(4)
    changed["title"] = (
        title.text_input(
            f"Title of {parts.label(name)}",
            changed.get("title") or attribute.get("title", attribute["name"].replace("_", " ")),
            key=f"title-{key}",
        ).strip()
        or None
    )
    if not words:
        changed["unit"] = (
            unit.text_input(
                f"Unit of {parts.label(name)}",
                changed.get("unit") or attribute.get("unit", ""),
                key=f"unit-{key}",
            ).strip()
            or None
        )
        for place, bound, told in ((least, "minimum", "Smallest"), (most, "maximum", "Largest")):
            changed[bound] = place.number_input(
                f"{told} {parts.label(name)}",
                value=changed.get(bound, attribute.get(bound)),
                step=1,
                key=f"{bound}-{key}",
            )
    else:
        _words_fields(attribute, words, changed, name, key)
    for found in [found for found, value in changed.items() if value is None]:
        changed.pop(found)


def _words_fields(
    attribute: Json, words: dict[str, str], changed: Json, name: str, key: str
) -> None:
    is_open = attribute.get("unknown") == "other"
    if is_open:
        st.caption("Other texts than these count as another category, so these keep their names.")
    elif attribute.get("categories"):
        st.caption(
            "What each text of the table means. The same name makes two texts one category; "
            "without a name, a text means that the value is not known."
        )
    else:
        st.caption("What each number of the table means.")
    said = changed.get("words", {})
    given = {}
    for (word, label), place in parts.in_rows([*words.items()], _WORDS_IN_A_ROW):
        given[word] = place.text_input(
            f"{parts.label(name)}: {parts.label(word)} means",
            said.get(word, label),
            disabled=is_open,
            key=f"word-{key}-{word}",
        )
    changed["words"] = given if given != words else None
    if attribute["kind"] == "ordinal" and attribute.get("categories"):
        _order_field(given, changed, name, key)


def _order_field(given: dict[str, str], changed: Json, name: str, key: str) -> None:
    names = list(dict.fromkeys(word.strip() for word in given.values() if word.strip()))
    known = changed.get("order", names)
    order = st.multiselect(
        f"Order of {parts.label(name)}, from the lowest to the highest",
        names,
        [word for word in known if word in names],
        key=f"order-{key}-{hash(tuple(names))}",
    )
    if sorted(order) != sorted(names):
        parts.wrong("Choose each of them once, the lowest first.")
    changed["order"] = order if order != names and sorted(order) == sorted(names) else None
