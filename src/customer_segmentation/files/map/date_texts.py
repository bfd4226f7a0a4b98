"""Dates as tables write them, of which only the day counts."""

import datetime as dt
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
    "%Y": r"(?:1[89]|2[01])\d\d",
    "%y": r"\d\d",
    "%m": r"\d\d?",
    "%d": r"\d\d?",
    "%b": r"[A-Za-z]{3}",
    "%B": r"[A-Za-z]{3,12}",
}
"""What a form may have, in words of strptime, each with what it matches."""


def read_days(texts: pa.Array, form: str) -> FloatArray:
    """Return the days since 1970, (n,), of dates; NaN for what is none in this form.

    >>> read_days(pa.array(["02.01.1970 08:15", "31.02.1970", None]), "%d.%m.%Y").tolist()
    [1.0, nan, nan]
    """
    plain = pc.replace_substring_regex(texts, _TIME, "")
    pattern = _pattern_of(form)
    is_date = pc.match_substring_regex(plain, pattern)
    moments = pc.strptime(
        pc.if_else(is_date, plain, None), format=form, unit="s", error_is_null=True
    )
    if "%d" in form:  # To strptime, February 31 is March 3.
        named = pc.extract_regex(plain, pattern)
        written = pc.struct_field(named, "day").cast(pa.int64())
        moments = pc.if_else(pc.equal(written, pc.day(moments)), moments, None)
    return days_of(moments)


def without_time(text: str) -> str:
    """Return a date without the time of day after it.

    >>> without_time("2024-06-14 16:06:14"), without_time("14.6.2024")
    ('2024-06-14', '14.6.2024')
    """
    return re.sub(_TIME, "", text)


def days_of(moments: pa.Array) -> FloatArray:
    """Return the days since 1970, (n,), of dates or times; NaN for null."""
    days = moments.cast(pa.date32(), safe=False).view(pa.int32()).cast(pa.float64())
    found: FloatArray = days.to_numpy(zero_copy_only=False).astype(np.float64)
    return found


def years_until(days: FloatArray, last: dt.date) -> FloatArray:
    """Return the whole years, (n,), from days since 1970 to a day, as an age is counted.

    >>> years_until(np.array([-1.0, 0.0, np.nan]), dt.date(2020, 12, 31)).tolist()
    [51.0, 50.0, nan]
    """
    known = np.isfinite(days)
    born = np.where(known, days, 0).astype("datetime64[D]")
    years, months = born.astype("datetime64[Y]"), born.astype("datetime64[M]")
    month_days = (months - years).astype(np.int64) * 31 + (born - months).astype(np.int64)
    before_birthday = month_days > (last.month - 1) * 31 + last.day - 1
    whole = last.year - 1970 - years.astype(np.int64) - before_birthday
    return np.where(known, whole, np.nan)


def _pattern_of(form: str) -> str:
    if form == "%Y":
        return f"^{DATE_PARTS['%Y']}$"
    pattern = re.escape(form).replace(r"\ ", " ")
    if not re.search(r"%[^%]+%", form.replace("%Y%m%d", "").replace("%y%m%d", "")):
        # Without signs between them, all digits must be there.
        year = DATE_PARTS["%Y"] if "%Y" in form else DATE_PARTS["%y"]
        return rf"^{year}\d\d(?P<day>\d\d)$"
    for part, expression in DATE_PARTS.items():
        named = f"(?P<day>{expression})" if part == "%d" else expression
        pattern = pattern.replace(re.escape(part), named, 1)
    return f"^{pattern}$"
