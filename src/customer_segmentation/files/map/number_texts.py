"""Numbers as tables write them: decimal commas, thousands, a currency's sign, a percent sign."""

import re
from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc

from customer_segmentation.domain.arrays import FloatArray
from customer_segmentation.files.map.mapping import PLAIN, NumberStyle

STYLES = (
    *(PLAIN, NumberStyle(".", ","), NumberStyle(",", "."), NumberStyle(",", " ")),
    *(NumberStyle(",", "\u00a0"), NumberStyle(".", " "), NumberStyle(".", "'")),
)
"""The usual ones, the likeliest first where a number can be read in two ways."""

SIGNS = frozenset(
    {
        "$",
        "€",
        "£",
        "¥",
        "₹",
        "₽",
        "₩",
        "₺",
        "₪",
        "%",
        "k",
        "K",
        "k$",
        "K$",
        "k€",
        "T€",
        "US$",
        "R$",
    }
    | {"EUR", "USD", "GBP", "CHF", "JPY", "CNY", "INR", "BRL", "SEK", "NOK", "DKK", "PLN", "CZK"}
    | {"kr", "Kč", "zł", "Fr.", "Rs", "Rs."}
)
"""What may stand before or after a number without being part of it."""

_AFTER = frozenset({"k", "K", "%"})

_NUMERIC = re.compile(r"[\d,'\s\u00a0+()-]|\.(?=\d)|(?<=\d)\.")


def sign_beside(texts: Iterable[str]) -> str:
    """Return the sign that stands beside numbers; empty where there is none, or not just one.

    >>> sign_beside(["$1,200.50", "$-3", "7"]), sign_beside(["$1", "2 €"])
    ('$', '')
    """
    texts = list(texts)
    signs = {_NUMERIC.sub("", text) for text in texts} - {""}
    if len(signs) != 1 or not signs <= SIGNS:
        return ""
    (sign,) = signs
    # K7 is a key, 7K a number.
    is_before = sign in _AFTER and any(text.startswith(sign) for text in texts)
    return "" if is_before else sign


def read_numbers(texts: pa.Array, style: NumberStyle, sign: str = "") -> FloatArray:
    """Return the numbers, (n,), of texts; NaN for what is none.

    One in brackets is below zero, as accountants write it.

    >>> texts = pa.array(["1.200,5 €", "(3 €)", "x", None])
    >>> read_numbers(texts, NumberStyle(",", "."), "€").tolist()
    [1200.5, -3.0, nan, nan]
    """
    if sign:
        texts = pc.replace_substring(texts, sign, "")
    texts = pc.utf8_trim_whitespace(texts)
    if style == PLAIN and not sign:
        try:
            return _finite(texts.cast(pa.float64()))
        except pa.ArrowInvalid:
            pass  # Some text is no number: the slower way below tells which.
    texts = pc.replace_substring_regex(texts, r"^\(([^()]*)\)$", r"-\1")
    texts = pc.replace_substring_regex(texts, r"^([+-])\s+", r"\1")
    texts = pc.if_else(pc.match_substring_regex(texts, f"^({style.pattern})$"), texts, None)
    if style.thousands:
        texts = pc.replace_substring(texts, style.thousands, "")
    if style.decimal != ".":
        texts = pc.replace_substring(texts, style.decimal, ".")
    return _finite(texts.cast(pa.float64()))


def _finite(numbers: pa.Array) -> FloatArray:
    found: FloatArray = numbers.to_numpy(zero_copy_only=False).copy()
    found[~(abs(found) < float("inf"))] = float("nan")
    return found
