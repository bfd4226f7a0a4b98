"""Dates as tables write them, of which only the day counts."""

import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from customer_segmentation.domain.arrays import FloatArray

FORMATS = (
    *("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d"),
    *("%d.%m.%Y", "%d-%m-%Y", "%m/%d/%Y", "%d/%m/%Y", "%m-%d-%Y"),
    *("%d.%m.%y", "%d-%m-%y", "%m/%d/%y", "%d/%m/%y", "%y-%m-%d"),
    *("%d %b %Y", "%d-%b-%Y", "%b %d %Y", "%b %d, %Y", "%d-%b-%y"),
    *("%d %B %Y", "%B %d %Y", "%B %d, %Y"),
    "%y%m%d",
)
"""The usual forms, the likeliest first where a date can be read in two ways; in words of strptime.
Americans write slashes, and the month before the day."""

_TIME = r"[T ]\d{1,2}:\d\d(:\d\d([.,]\d+)?)?( ?[AaPp][Mm])?( ?(Z|UTC|[+-]\d\d:?\d\d))?$"
DATE_PARTS = {
    "%Y": r"(1[89]|2[01])\d\d",
    "%y": r"\d\d",
    "%m": r"\d\d?",
    "%d": r"\d\d?",
    "%b": r"[A-Za-z]{3}",
    "%B": r"[A-Za-z]{3,12}",
}
"""What a form may have, in words of strptime, each with what it matches."""


def read_days(texts: pa.Array, form: str) -> FloatArray:
    """Return the days since 1970, (n,), of dates; NaN for what is none in this form.

    >>> read_days(pa.array(["02.01.1970 08:15", "32.01.1970", None]), "%d.%m.%Y").tolist()
    [1.0, nan, nan]
    """
    plain = pc.replace_substring_regex(texts, _TIME, "")
    is_date = pc.match_substring_regex(plain, _pattern_of(form))
    moments = pc.strptime(
        pc.if_else(is_date, plain, None), format=form, unit="s", error_is_null=True
    )
    days = moments.cast(pa.date32()).view(pa.int32()).cast(pa.float64())
    return days.to_numpy(zero_copy_only=False).astype(np.float64)


def _pattern_of(form: str) -> str:
    pattern = re.escape(form).replace(r"\ ", " ")
    if not re.search(r"%[^%]+%", form.replace("%Y%m%d", "").replace("%y%m%d", "")):
        # Without signs between them, all digits must be there.
        year = DATE_PARTS["%Y"] if "%Y" in form else DATE_PARTS["%y"]
        return rf"^{year}\d\d\d\d$"
    for part, expression in DATE_PARTS.items():
        pattern = pattern.replace(re.escape(part), expression)
    return f"^{pattern}$"
