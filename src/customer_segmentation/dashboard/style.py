"""Colours, numbers and names, the same on every page."""

from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from customer_segmentation.domain.attributes import Attribute, Kind
from customer_segmentation.domain.features import FEATURE_BY_NAME

_COLOURS = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#CC79A7",
    "#56B4E9",
    "#D55E00",
    "#999999",
    "#F0E442",
)
"""Safe for colour-blind people. Source: Okabe, Ito 2008, "Color Universal Design"."""

_DARKER = 0.7
"""What is left of a colour's light in the next round of eight segments."""

_SYMBOLS = ("circle", "diamond", "square", "triangle-up", "x", "star", "cross", "pentagon")
_DASHES = ("solid", "dash", "dot", "dashdot")
EVERYBODY = "#808a94"
"""The colour of all customers together."""

_LABELS = {"has_loan": "Loan"}
_YES_NO = {"False": "no", "True": "yes"}


def colour_of(segment: int) -> str:
    """Return a segment's colour, on every page the same; the next eight are darker, and so on."""
    again, place = divmod(segment, len(_COLOURS))
    parts = (int(_COLOURS[place][at : at + 2], 16) for at in (1, 3, 5))
    return "#" + "".join(f"{round(part * _DARKER**again):02X}" for part in parts)


def symbol_of(segment: int) -> str:
    """Return a segment's sign in plots, for who does not see its colour."""
    return _SYMBOLS[(segment + segment // len(_COLOURS)) % len(_SYMBOLS)]


def dash_of(segment: int) -> str:
    """Return how a segment's line is drawn in plots."""
    return _DASHES[segment % len(_DASHES)]


def faint(colour: str, opacity: float) -> str:
    """Return a colour that lets through what is behind it."""
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"


def label_of(name: str) -> str:
    """Return an attribute's name for people."""
    words = name.replace("_interaction", "").replace("_", " ").capitalize()
    return _LABELS.get(name, words)


def code_of(feature: Attribute, code: int) -> str:
    """Return what a code of an attribute stands for."""
    label = feature.codes.get(code, str(code))
    return _YES_NO.get(label, label)


def number_of(value: float | None, digits: int = 0) -> str:
    """Return a number with separators of thousands; a hidden one as such."""
    return "hidden" if value is None else f"{value:,.{digits}f}"


def signed(value: float) -> str:
    """Return a figure of two digits with its sign."""
    text = f"{value:+.2f}"
    return "0.00" if float(text) == 0.0 else text.replace("-", "\N{MINUS SIGN}")


def share_of(value: float | None) -> str:
    """Return a share in per cent; a hidden one as such."""
    return "hidden" if value is None else f"{value:.1%}"


def difference_of(value: int | None) -> str:
    """Return a difference with its sign; a hidden one as such."""
    if value is None:
        return "hidden"
    return "no change" if value == 0 else f"{value:+,}".replace("-", "\N{MINUS SIGN}")


def value_of(name: str, value: float) -> str:
    """Return an attribute's value with its unit, or what its code stands for."""
    feature: Attribute = FEATURE_BY_NAME[name]
    if feature.codes and float(value).is_integer():
        return code_of(feature, int(value))
    digits = 0 if float(value).is_integer() or abs(value) >= 1_000 else 2
    return f"{value:,.{digits}f} {unit_of(feature)}".strip()


def unit_of(feature: Attribute) -> str:
    """Return an attribute's unit, in short."""
    # Which currency it is, the bank knows and the service does not.
    if feature.kind is Kind.AMOUNT:
        return "a month" if "month" in feature.unit else ""
    return feature.unit


def title_of(segment: dict[str, Any]) -> str:
    """Return a segment's number and name."""
    return f"{segment['number']}: {segment['name']}"


def labelled(feature: Attribute) -> str:
    """Return an attribute's name with its unit."""
    unit, label = unit_of(feature), label_of(feature.name)
    # A name may tell its unit.
    told = any(word[:5].lower() in label.lower() for word in unit.split() if len(word) > 1)
    return f"{label} ({unit})" if unit and not told else label


def titles_of(segments: list[dict[str, Any]]) -> dict[int, str]:
    """Return segments' titles by number."""
    return {segment["number"]: title_of(segment) for segment in segments}


def moment_of(text: str, zone: str | None) -> str:
    """Return a moment for people, in a time zone, which is named.

    Args:
        text: the moment, as ISO 8601 has it.
        zone: an IANA name, such as a browser tells; None or one unknown here is UTC.
    """
    try:
        known: tzinfo = UTC if zone is None else ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError):
        known = UTC
    name = "UTC" if known is UTC else zone
    moment = datetime.fromisoformat(text).astimezone(known)
    return f"{moment.strftime('%d %b %Y, %H:%M')} {name}"


def age_of(text: str) -> str:
    """Return how long ago a moment was."""
    return duration_of(datetime.now(UTC) - datetime.fromisoformat(text))


def duration_of(time: timedelta) -> str:
    """Return a length of time in its greatest unit."""
    minutes = int(time.total_seconds() // 60)
    for size, unit in ((1_440, "day"), (60, "hour"), (1, "minute")):
        if minutes >= size:
            count = minutes // size
            return f"{count:,} {unit}{'' if count == 1 else 's'}"
    return "less than a minute"
