"""Names, titles and units of attributes, made from headers."""

import re
import unicodedata
from collections.abc import Collection

from customer_segmentation.files.map.inference import words_of

_LONGEST = 63
_IN_BRACKETS = re.compile(r"\s*[(\[]([^)\]]*)[)\]]")
_RANGE = re.compile(r"^\s*(\d+)\s*(?:-|\u2013|to|\.\.)\s*(\d+)\s*$")
_SOUNDS_OF_TIME = {"age": "years", "years": "years", "months": "months", "days": "days"}


def make_name(header: str, place: int, taken: Collection[str]) -> str:
    """Return a name for the attribute of a column, which no other has.

    >>> make_name("Größe (cm)", 3, []), make_name("2nd order", 4, []), make_name("年齢", 5, [])
    ('grosse', 'column_2nd_order', 'column_5')

    Args:
        header: of the column.
        place: of the column, from 1.
        taken: names that are not free.
    """
    plain = unicodedata.normalize("NFKD", _without_brackets(header).replace("ß", "ss"))
    words = words_of(plain.encode("ascii", "ignore").decode())
    name = "_".join(words)
    if not name:
        name = f"column_{place}"
    elif not name[0].isalpha():
        name = f"column_{name}"
    name = name[:_LONGEST].rstrip("_")
    number, unique = 1, name
    while unique in taken:
        number += 1
        unique = f"{name[: _LONGEST - 5]}_{number}"
    return unique


def make_title(header: str) -> str:
    """Return what people may call a column.

    >>> make_title("Annual Income (k$)"), make_title("CREDIT_LIMIT"), make_title("paperlessBilling")
    ('annual income', 'credit limit', 'paperless billing')
    """
    words = re.split(r"[\s_]+", re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", _without_brackets(header)))
    title = " ".join(word if _is_abbreviation(word) else word.lower() for word in words if word)
    return "".join(letter for letter in title if letter.isprintable())[:200].strip()


def _is_abbreviation(word: str) -> bool:
    return word.isupper() and len(word) == 2 and word not in {"ID", "NO", "TO", "OF", "IN"}


def find_unit(header: str) -> str:
    """Return the unit that a header tells in brackets or by a word; empty where it tells none.

    >>> find_unit("Annual Income (k$)"), find_unit("Score (1-100)"), find_unit("Months_on_book")
    ('k$', '', 'months')
    """
    bracketed = _IN_BRACKETS.search(header)
    if bracketed and not _RANGE.match(bracketed[1]) and len(bracketed[1]) <= 20:
        return "".join(letter for letter in bracketed[1] if letter.isprintable()).strip()
    words = words_of(header)
    return next((unit for word, unit in _SOUNDS_OF_TIME.items() if word in words), "")


def find_range(header: str) -> tuple[int, int] | None:
    """Return the bounds that a header tells in brackets, such as those of "Score (1-100)"."""
    bracketed = _IN_BRACKETS.search(header)
    told = _RANGE.match(bracketed[1]) if bracketed else None
    return (int(told[1]), int(told[2])) if told and int(told[1]) < int(told[2]) else None


def _without_brackets(header: str) -> str:
    return _IN_BRACKETS.sub("", header) or header
