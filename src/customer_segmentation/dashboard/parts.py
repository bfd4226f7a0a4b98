"""The parts that pages are made of: tiles, bars, keys, as plain HTML that is there at once."""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from html import escape
from typing import TypeVar

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.navigation.page import StreamlitPage

from customer_segmentation.dashboard.words import Meaning

_PAGES = "pages"
_MARKDOWN = re.compile(r"[!-/:-@\[-`{-~]")
"""Every sign that Markdown or Streamlit may read: CommonMark lets each be escaped (0.31, 6.1)."""

_IN_A_LABEL = re.compile(r"[*_`$~:<>\[\]\\]")
"""Those that a label reads within a line; screen readers are told the backslashes too."""

_FORMULA = ("=", "+", "-", "@", "\N{FULLWIDTH EQUALS SIGN}", "\N{FULLWIDTH PLUS SIGN}")
"""How texts begin that a spreadsheet takes for formulas."""

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Tile:
    """A figure with what it means.

    Attributes:
        label: what it is.
        value: the figure.
        note: more of it.
        meaning: how good it is, and why.
    """

    label: str
    value: str
    note: str = ""
    meaning: Meaning | None = None


@dataclass(frozen=True, slots=True)
class Bar:
    """A row of a bar chart.

    Attributes:
        name: what it is of.
        value: how long it is; below zero it goes left.
        text: the figure beside it.
        colour: of the bar.
    """

    name: str
    value: float
    text: str
    colour: str


def lead(text: str) -> None:
    """Say what a page tells, in a sentence or two."""
    st.html(f'<p class="lead">{escape(text)}</p>')


def tiles(shown: Iterable[Tile]) -> None:
    """Show figures side by side."""
    st.html(f'<div class="tiles">{"".join(map(_tile, shown))}</div>')


def bars(rows: Sequence[Bar], *, limits: Sequence[float] = (), most: float = 0.0) -> None:
    """Show horizontal bars, the first on top.

    Args:
        rows: the bars.
        limits: values marked by a dashed line.
        most: the value that a whole track stands for, at least.
    """
    most = max([most, *(row.value for row in rows), *limits, 0.0]) or 1.0
    least = min([*(row.value for row in rows), 0.0])
    span = most - least

    def place(value: float) -> str:
        return f"{100 * (value - least) / span:.2f}%"

    marks = "".join(
        f'<span class="limit" style="--l:{place(limit)}"></span>' for limit in limits
    ) + (f'<span class="zero" style="--l:{place(0.0)}"></span>' if least < 0 else "")
    told = "".join(
        f'<div class="row" role="listitem"><span class="name">{escape(row.name)}</span>'
        f'<span class="track" aria-hidden="true"><span class="fill" style="--c:{row.colour};'
        f"--l:{place(min(row.value, 0.0))};--w:{100 * abs(row.value) / span:.2f}%"
        f'"></span>{marks}</span><span class="figure">{escape(row.text)}</span></div>'
        for row in rows
    )
    st.html(f'<div class="rows"><div class="bars" role="list">{told}</div></div>')


def table(rows: Sequence[Mapping[str, object]]) -> None:
    """Show a table whose rows all have the same columns; the first one names the row."""
    if not rows:
        return
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in rows[0])
    body = "".join(f"<tr>{_cells([*row.values()])}</tr>" for row in rows)
    # Where it is wider than the screen, the keyboard can scroll it.
    st.html(
        f'<div class="table" tabindex="0" role="region" aria-label="Table"><table><thead><tr>{head}'
        f"</tr></thead><tbody>{body}</tbody></table></div>"
    )


def first_of(shown: Sequence[Mapping[str, object]], count: int) -> None:
    """Show the first rows of a table of so many."""
    st.dataframe(shown, hide_index=True)
    if count > len(shown):
        st.caption(f"These are the first {len(shown):,} of {count:,}.")


def download(rows: Sequence[Mapping[str, object]], name: str) -> None:
    """Show a button that downloads a table as CSV, whose rows all have the same columns."""
    st.download_button(
        "Download as CSV",
        data=partial(_csv, rows),
        file_name=f"{name}.csv",
        mime="text/csv",
        on_click="ignore",
        icon=":material/download:",
        key=f"download-{name}",
    )


def _csv(rows: Sequence[Mapping[str, object]]) -> str:
    written = io.StringIO()
    writer = csv.writer(written)
    writer.writerow(rows[0])
    writer.writerows([_cell(value) for value in row.values()] for row in rows)
    return written.getvalue()


def _cell(value: object) -> object:
    """Return a value, a text so that no spreadsheet runs it (OWASP, CSV injection)."""
    risky = isinstance(value, str) and value.lstrip()[:1] in _FORMULA
    return f"'{value}" if risky else value


def link(page: str, label: str, icon: str, **query: object) -> None:
    """Show a link to a page of the dashboard, by its title."""
    asked = {name: str(value) for name, value in query.items()}
    st.page_link(pages()[page], label=label, icon=f":material/{icon}:", query_params=asked)


def pages() -> dict[str, StreamlitPage]:
    """Return the pages of the dashboard, by their titles."""
    found: dict[str, StreamlitPage] = st.session_state.setdefault(_PAGES, {})
    return found


def key(entries: Iterable[tuple[str, str]]) -> str:
    """Return which colours stand for what, as HTML."""
    told = "".join(
        f'<span><span class="dot" style="--c:{colour}"></span>{escape(name)}</span>'
        for colour, name in entries
    )
    return f'<div class="key">{told}</div>'


def in_rows(items: Sequence[Item], columns: int) -> Iterator[tuple[Item, DeltaGenerator]]:
    """Give each item a place, row by row, which is the order in which Tab visits them."""
    for start in range(0, len(items), columns):
        yield from zip(items[start : start + columns], st.columns(columns), strict=False)


def literal(text: str) -> str:
    """Return people's own words for where Streamlit reads Markdown, so that it shows them as is."""
    return _MARKDOWN.sub(r"\\\g<0>", text)


def label(text: str) -> str:
    """Return people's own words for a field's label, with no sign escaped that need not be."""
    return _IN_A_LABEL.sub(r"\\\g<0>", text)


def wrong(message: str) -> None:
    """Tell below a field what is wrong with what is in it."""
    st.html(f'<p class="wrong" role="alert">✕ {escape(message)}</p>')


def _cells(values: Sequence[object]) -> str:
    first, *others = (escape(str(value)) for value in values)
    return f'<th scope="row">{first}</th>' + "".join(f"<td>{value}</td>" for value in others)


def _tile(tile: Tile) -> str:
    note = escape(tile.note)
    mark = ""
    if tile.meaning is not None:
        grade = tile.meaning.grade
        mark = f'<span class="mark {grade}" aria-hidden="true">{grade.sign}</span>'
        note = f"{escape(tile.meaning.long)} {note}"
    return (
        f'<div class="card tile"><div class="label">{escape(tile.label)}</div>'
        f'<div class="value">{mark}{escape(tile.value)}</div>'
        f'<div class="note soft">{note}</div></div>'
    )
