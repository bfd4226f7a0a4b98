"""Segments, and the rules that name the very first model's clusters.

Only the first model is named by profile. Every later model inherits number, name and strategy by
matching its clusters to the active segments (see `model/fitting/align.py`).
"""

import unicodedata
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from customer_segmentation.domain.errors import FieldError, InvalidInputError
from customer_segmentation.domain.numbers import Number

MIN_SEGMENTS = 2
MAX_SEGMENTS = 12
"""How many segments a model may have."""

DEFAULT_SEGMENTS = 4
"""How many it has where neither schema, settings nor a study say."""


ANY_CHANNEL = "any"
"""The channel of a strategy that reaches every customer."""


NO_STRATEGY = "No strategy yet"
"""What people read in place of a strategy that nobody wrote."""


@dataclass(frozen=True, slots=True)
class Strategy:
    """What to do about a segment's customers, and on which channel."""

    text: str
    channel: str = ANY_CHANNEL


@dataclass(frozen=True, slots=True)
class Segment:
    """A group of customers that keeps its identity over every retrain.

    Attributes:
        number: its number, shown as `cluster_num`.
        name: what marketers call it.
        strategies: the business strategies for its customers, the main one first; none where
            nobody wrote one.
        description: what marketers say of it; empty where they said nothing.
    """

    number: int
    name: str
    strategies: tuple[Strategy, ...]
    description: str = ""

    @property
    def label(self) -> str:
        """Number and name, such as "Cluster 0: High-Value Power Users"."""
        return f"Cluster {self.number}: {self.name}"

    @property
    def tag(self) -> str:
        """What changes whenever its words do: an entity tag, without quotes."""
        strategies = [(strategy.text, strategy.channel) for strategy in self.strategies]
        content = [self.number, self.name, self.description, strategies]
        return sha256(repr(content).encode()).hexdigest()[:32]

    @property
    def strategy(self) -> str:
        """The main business strategy; that there is none, in words, where nobody wrote one."""
        return self.strategies[0].text if self.strategies else NO_STRATEGY

    def next_best_action(
        self,
        attributes: Mapping[str, Number],
        reach: Mapping[str, str],
        closed: Collection[str] = (),
        preferred: Iterable[Strategy] = (),
    ) -> Strategy | None:
        """Return the first strategy on a channel that reached the customer before.

        Those for a channel come before those for any; the main one is for customers that none
        reached. None where nobody wrote a strategy.

        Args:
            attributes: the customer's, by request name.
            reach: by channel, the attribute that is 1 where it reached the customer before.
            closed: channels on which the customer must not be addressed.
            preferred: strategies that come before the order that people wrote.
        """
        allowed = [one for one in self.strategies if one.channel not in closed]
        for strategy in preferred:
            if strategy in allowed:
                return strategy
        reaching = [
            strategy
            for strategy in allowed
            if strategy.channel == ANY_CHANNEL
            or (strategy.channel in reach and attributes[reach[strategy.channel]] == 1)
        ]
        direct = [strategy for strategy in reaching if strategy.channel != ANY_CHANNEL]
        return next(iter(direct + reaching + allowed), None)


def check_words(
    before: Segment, after: Segment, others: Iterable[Segment], channels: Collection[str]
) -> None:
    """See that people can read a segment's new words, and tell it from the others by its name.

    Words that stay as they were are not looked at.

    Args:
        before: the segment.
        after: the same with its new words.
        others: of the same model; the segment itself may be among them.
        channels: on which strategies may reach customers, beside any.

    Raises:
        InvalidInputError: they cannot.
    """
    faults = []
    if after.name != before.name:
        if _is_blank(after.name):
            faults.append(FieldError("name", "name must not be blank"))
        for other in others:
            if other.number != after.number and as_read(other.name) == as_read(after.name):
                told = f"name must differ from that of segment {other.number}, {other.name}"
                faults.append(FieldError("name", told))
    if after.strategies != before.strategies:
        for place, strategy in enumerate(after.strategies):
            if _is_blank(strategy.text):
                field_name = f"strategies.{place}.text"
                faults.append(FieldError(field_name, f"{field_name} must not be blank"))
            if strategy.channel not in {ANY_CHANNEL, *channels}:
                field_name = f"strategies.{place}.channel"
                allowed = ", ".join([ANY_CHANNEL, *channels])
                told = f"{field_name}, the channel of a strategy, must be one of {allowed}"
                faults.append(FieldError(field_name, told))
    if faults:
        raise InvalidInputError(faults)


def _is_blank(text: str) -> bool:
    return not any(letter.isprintable() and not letter.isspace() for letter in text)


def as_read(name: str) -> str:
    """Return the same for names that people take for the same."""
    return " ".join(unicodedata.normalize("NFKC", name).split()).casefold()


@dataclass(frozen=True, slots=True)
class SegmentEdit:
    """What someone made of a segment's words: name, description and strategies.

    Attributes:
        segment: the segment as it was after the edit.
        edited_at: when.
        edited_by: who, as far as known.
    """

    segment: Segment
    edited_at: datetime
    edited_by: str
