"""Numbers as tables write them: decimal commas, thousands, a currency's sign, a percent sign."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from customer_segmentation.domain.arrays import FloatArray

_IN_BRACKETS = r"^\(\s*([^()]*?)\s*\)$"
_APART_FROM_SIGN = r"^([+-])\s+"


@dataclass(frozen=True, slots=True)
class NumberStyle:
    """How a table writes numbers.

    Attributes:
        decimal: what stands before the fraction, a point or a comma; `UNSURE` where a guess cannot
            tell, which a person is to say.
        thousands: what stands between groups of three digits; empty where nothing does.
    """

    decimal: str = "."
    thousands: str = ""

    @property
    def pattern(self) -> str:
        """A regular expression of the numbers in this style, for Python's engine and RE2."""
        digits = "[0-9]+"
        if self.thousands:
            digits = rf"([0-9]+|[1-9][0-9]{{0,2}}({re.escape(self.thousands)}[0-9]{{3}})+)"
        point = re.escape(self.decimal)
        return rf"[+-]?({digits}({point}[0-9]*)?|{point}[0-9]+)([eE][+-]?[0-9]+)?"

    def plain(self, text: str) -> str:
        """Return a number as Python writes it; what is no number in this style as "?".

        One in brackets is below zero, as accountants write it.
        """
        text = re.sub(_IN_BRACKETS, r"-\1", text.strip())
        text = re.sub(_APART_FROM_SIGN, r"\1", text, flags=re.ASCII)
        if not text or self == PLAIN:
            return text
        if not re.fullmatch(self.pattern, text):
            return "?"
        return text.replace(self.thousands, "").replace(self.decimal, ".")


PLAIN = NumberStyle()
UNSURE = NumberStyle("?")

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
_THOUSANDS = frozenset({"k", "K", "k$", "K$", "k€", "T€"})

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


def scale_of(sign: str) -> int:
    """Return what a number is multiplied by beside which a sign stands: k makes it thousands."""
    return 1000 if sign in _THOUSANDS else 1


def unit_beside(sign: str) -> str:
    """Return the unit that is left once a sign has made thousands.

    >>> unit_beside("k$"), unit_beside("€"), unit_beside("k")
    ('$', '€', '')
    """
    return sign[1:] if sign in _THOUSANDS else sign


def read_numbers(texts: pa.Array, style: NumberStyle, sign: str = "") -> FloatArray:
    """Return the numbers, (n,), of texts; NaN for what is none.

    >>> texts = pa.array(["1.200,5 €", "(3 €)", "x", None])
    >>> read_numbers(texts, NumberStyle(",", "."), "€").tolist()
    [1200.5, -3.0, nan, nan]
    >>> read_numbers(pa.array(["1.5k", "900"]), PLAIN, "k").tolist()
    [1500.0, 900.0]
    """
    numbers = parse_numbers(texts, style, sign)
    numbers[np.isinf(numbers)] = np.nan
    return numbers


def parse_numbers(texts: pa.Array, style: NumberStyle, sign: str = "") -> FloatArray:
    """Do as `read_numbers`, but for what is endless or too large, which is infinite."""
    if style == PLAIN and not sign:
        try:
            return _floats(texts.cast(pa.float64()))
        except pa.ArrowInvalid:
            pass  # Some text is no number: the slower way below tells which.
    scales: FloatArray = np.ones(len(texts))
    if sign:
        bears = pc.match_substring(texts, sign).fill_null(False).to_numpy(zero_copy_only=False)
        scales = np.where(bears, float(scale_of(sign)), 1.0)
        texts = pc.replace_substring(texts, sign, "")
    texts = pc.utf8_trim_whitespace(texts)
    texts = pc.replace_substring_regex(texts, _IN_BRACKETS, r"-\1")
    texts = pc.replace_substring_regex(texts, _APART_FROM_SIGN, r"\1")
    texts = pc.if_else(pc.match_substring_regex(texts, f"^({style.pattern})$"), texts, None)
    if style.thousands:
        texts = pc.replace_substring(texts, style.thousands, "")
    if style.decimal != ".":
        texts = pc.replace_substring(texts, style.decimal, ".")
    return _floats(texts.cast(pa.float64())) * scales


def _floats(numbers: pa.Array) -> FloatArray:
    found: FloatArray = numbers.to_numpy(zero_copy_only=False, writable=True)
    return found
