"""Texts that have an order: bands of numbers, and words for how much of something."""

import re
from collections.abc import Sequence

_LADDERS: tuple[tuple[tuple[str, ...], ...], ...] = (
    (
        ("none", "no", "never"),
        ("very low", "tiny"),
        ("low", "little", "small", "poor", "few", "rarely", "seldom"),
        ("medium", "moderate", "middle", "mid", "average", "fair", "normal", "sometimes"),
        ("upper medium", "quite rich", "good", "often"),
        ("high", "rich", "large", "big", "many", "always"),
        ("very high", "very good", "extra large", "huge", "excellent"),
    ),
    (
        ("basic", "blue", "classic", "free", "bronze", "starter"),
        ("standard", "silver", "plus"),
        ("gold", "premium"),
        ("platinum", "business"),
        ("diamond", "black", "enterprise"),
    ),
    (
        ("none", "illiterate", "no formal education"),
        ("uneducated", "basic"),
        ("primary", "elementary", "primary school"),
        ("lower secondary", "middle school"),
        ("secondary", "high school", "highschool", "upper secondary", "school"),
        ("vocational", "professional course", "apprenticeship", "some college"),
        ("college", "associate", "undergraduate"),
        ("graduate", "graduation", "bachelor", "bachelors", "tertiary", "university"),
        ("2n cycle",),
        ("post graduate", "postgraduate", "postgrad", "master", "masters", "mba"),
        ("doctorate", "phd", "doctor"),
    ),
    (
        ("strongly disagree", "very unsatisfied", "very dissatisfied"),
        ("disagree", "unsatisfied", "dissatisfied"),
        ("neutral", "neither agree nor disagree"),
        ("agree", "satisfied"),
        ("strongly agree", "very satisfied"),
    ),
    (
        ("daily",),
        ("weekly",),
        ("monthly", "month to month"),
        ("quarterly",),
        ("yearly", "annual", "one year", "1 year"),
        ("two year", "two years", "2 years"),
        ("three years", "3 years"),
    ),
)
_NUMBER = re.compile(r"\d+(?:[.,]\d+)?")
_BELOW = re.compile(r"^\s*(<|less|under|below|up to|bis|unter)", re.IGNORECASE)


def in_order(categories: Sequence[str]) -> tuple[str, ...] | None:
    """Return categories from the lowest to the highest; None where they have no order.

    >>> in_order(["$60K - $80K", "Less than $40K", "$40K - $60K", "$120K +"])
    ('Less than $40K', '$40K - $60K', '$60K - $80K', '$120K +')
    >>> in_order(["rich", "little", "quite rich", "moderate"])
    ('little', 'moderate', 'quite rich', 'rich')
    """
    if len(categories) < 3:
        return None
    return _bands(categories) or _ladder(categories)


def _bands(categories: Sequence[str]) -> tuple[str, ...] | None:
    keys = {}
    for text in categories:
        numbers = _NUMBER.findall(text)
        letters = re.sub(
            r"(?i)\b(less|than|more|over|under|below|above|and|to|up|years?|k)\b|\d+k", "", text
        )
        if not 1 <= len(numbers) <= 2 or len(re.findall(r"[^\W\d_]", letters)) > 3:
            return None
        keys[text] = (float(numbers[0].replace(",", "")), not _BELOW.match(text))
    is_band = sum(
        len(_NUMBER.findall(text)) == 2
        or text.rstrip()[-1:] == "+"
        or bool(_BELOW.match(text))
        or text.lstrip()[:1] in "<>"
        for text in categories
    )
    if is_band < len(categories) / 2 or len(set(keys.values())) < len(keys):
        return None
    return tuple(sorted(categories, key=keys.__getitem__))


def _ladder(categories: Sequence[str]) -> tuple[str, ...] | None:
    for steps in _LADDERS:
        places = {word: place for place, words in enumerate(steps) for word in words}
        found = {text: places.get(_plain(text)) for text in categories}
        levels = [place for place in found.values() if place is not None]
        if len(levels) == len(found) and len(set(levels)) == len(levels):
            return tuple(sorted(categories, key=lambda text: found[text] or 0))
    return None


def _plain(text: str) -> str:
    return " ".join(re.split(r"[\W_]+", text.casefold())).strip()
