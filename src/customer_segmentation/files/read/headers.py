"""Finding the header of a table that stands below titles."""

from collections.abc import Sequence
from statistics import median

LOOKED_AT = 50
"""How many of the first rows are looked at."""

_MOST_TITLES = 20
_IN_A_TITLE = 2
_NEARLY_ALL = 0.8


def find_header(rows: Sequence[Sequence[str]]) -> int:
    """Return the place of the header among the first rows: 0, but below what can only be titles.

    >>> find_header([["Customers of 2025", "", ""], ["id", "age", "plan"], ["1", "44", "Gold"]])
    1
    """
    filled = [[text for text in map(str.strip, row) if text] for row in rows]
    if len(filled) < 3 or len(filled[0]) > _IN_A_TITLE:
        return 0
    width = median(map(len, filled))
    if width <= _IN_A_TITLE:
        return 0
    for place, texts in enumerate(filled[:_MOST_TITLES]):
        if len(texts) > _IN_A_TITLE:
            is_header = len(set(texts)) == len(texts) >= _NEARLY_ALL * width
            return place if is_header and not any(map(_is_number, texts)) else 0
    return 0


def _is_number(text: str) -> bool:
    try:
        float(text.replace(",", "."))
    except ValueError:
        return False
    return True
