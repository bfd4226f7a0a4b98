"""Colours, numbers and names, the same on every page."""

from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from customer_segmentation.domain.attributes import NOT_KNOWN, Attribute, Column, CustomerId, Value
from customer_segmentation.domain.segments import NO_STRATEGY

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


def label_of(column: Column) -> str:
    """Return a column's name for people, as a label begins."""
    return column.title[:1].upper() + column.title[1:]


def choices_of(attribute: Attribute) -> dict[Value, str]:
    """Return what an attribute may be, as the service takes it, with what each stands for.

    Empty for one that is a number.
    """
    if attribute.categories:
        return {label: label for label in attribute.labels.values()}
    if attribute.is_binary and not attribute.codes:
        return {0: "no", 1: "yes"}
    return {code: _YES_NO.get(label, label) for code, label in attribute.codes.items()}


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


def value_of(attribute: Attribute, value: Value | None) -> str:
    """Return an attribute's value with its unit, or what its code stands for."""
    if value is None:
        return NOT_KNOWN
    known = choices_of(attribute)
    if value in known or isinstance(value, str):
        return known.get(value, str(value))
    digits = 0 if float(value).is_integer() or abs(value) >= 1_000 else 2
    return f"{value:,.{digits}f} {unit_of(attribute)}".strip()


def id_of(customer_id: CustomerId) -> str:
    """Return a customer's id for people."""
    return customer_id if isinstance(customer_id, str) else f"{customer_id:,}"


def unit_of(attribute: Attribute) -> str:
    """Return an attribute's unit, in short."""
    unit, _, more = attribute.unit.partition(" ")
    # Which currency it is, who wrote no more than that did not say.
    if unit.strip(",") == "currency":
        return "a month" if more == "per month" else ""
    return attribute.unit


def strategy_of(segment: dict[str, Any]) -> str:
    """Return a segment's main strategy."""
    return next((str(one["text"]) for one in segment["strategies"]), NO_STRATEGY)


def title_of(segment: dict[str, Any]) -> str:
    """Return a segment's number and name."""
    return f"{segment['number']}: {segment['name']}"


def labelled(attribute: Attribute) -> str:
    """Return an attribute's name with its unit."""
    unit, label = unit_of(attribute), label_of(attribute)
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
