"""Keeping a spreadsheet from running what a text cell says (OWASP, CSV injection)."""

import re

import pyarrow as pa
import pyarrow.compute as pc

_FORMULA = r"^'*[=+\-@\t\r]"
_NUMBER = r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?"


def neutralised(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula; a number stays as it is.

    >>> neutralised("=HYPERLINK(1)"), neutralised("-5")
    ("'=HYPERLINK(1)", '-5')
    """
    if re.match(_FORMULA, text) and not re.fullmatch(_NUMBER, text):
        return f"'{text}"
    return text


def restored(text: str) -> str:
    """Return the text that `neutralised` was given."""
    return text[1:] if text.startswith("'") and re.match(_FORMULA, text) else text


def neutralised_column(texts: pa.Array) -> pa.Array:
    """Do as `neutralised` with every text."""
    risky = pc.and_(
        pc.match_substring_regex(texts, _FORMULA),
        pc.invert(pc.match_substring_regex(texts, f"^{_NUMBER}$")),
    )
    return pc.if_else(risky, pc.binary_join_element_wise("'", texts, ""), texts)
