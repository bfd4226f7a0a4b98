"""Keeping a spreadsheet from running what a text cell says (OWASP, CSV injection)."""

import re

import pyarrow as pa
import pyarrow.compute as pc

# Spreadsheets pass over blanks before a sign, and take full-width signs for those of ASCII.
_BLANKS = (
    r" \t\r\n\f\v\x85"
    "\u00a0\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u2064\u3000\ufeff"
)
_SIGNS = r"=+\-@" "\uff1d\uff0b\uff0d\uff20\u2212"
_FORMULA = rf"^(['{_BLANKS}]*[{_SIGNS}]|'*[\t\r\n])"
_NUMBER = r" *[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?"


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


def restored_column(texts: pa.Array) -> pa.Array:
    """Do as `restored` with every text."""
    is_neutralised = pc.and_(pc.starts_with(texts, "'"), pc.match_substring_regex(texts, _FORMULA))
    return pc.if_else(is_neutralised, pc.utf8_slice_codeunits(texts, 1), texts)
