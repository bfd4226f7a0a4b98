"""The use cases on segments: what they are like, what people call them, who moved between them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from customer_segmentation.domain.attributes import Attribute
from customer_segmentation.domain.errors import (
    FieldError,
    InvalidInputError,
    SegmentNotFoundError,
    StaleSegmentError,
)
from customer_segmentation.domain.segments import Segment, SegmentEdit, Strategy, check_words
from customer_segmentation.model.describing.profile import (
    GroupShares,
    SegmentProfile,
    group_shares,
    profile_segments,
)
from customer_segmentation.model.monitoring.distribution import Spread, spreads
from customer_segmentation.services.customers.changes import ANY_TAG
from customer_segmentation.services.monitoring.distribution import read_current
from customer_segmentation.services.runtime.audit import note
from customer_segmentation.services.runtime.clock import now
from customer_segmentation.services.runtime.serving import load_model
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork
from customer_segmentation.store.queries import audiences, history, models, segments


@dataclass(frozen=True, slots=True)
class ProfiledSegment:
    """A segment, and what its customers are like now."""

    segment: Segment
    profile: SegmentProfile


@dataclass(frozen=True, eq=False, slots=True)
class AttributeSpread:
    """An attribute, and how the customers of each segment are spread over its values."""

    attribute: Attribute
    spread: Spread


@dataclass(frozen=True, slots=True)
class Disparity:
    """How groups of people by protected attributes are spread over the segments.

    Attributes:
        model_version: the active version.
        excluded: the attributes that it does not use.
        groups: by protected attribute, each group's shares.
    """

    model_version: int
    excluded: tuple[str, ...]
    groups: Mapping[str, tuple[GroupShares, ...]]

    @property
    def genders(self) -> tuple[GroupShares, ...]:
        """The groups by gender, where the schema protects it."""
        return self.groups.get("gender", ())

    @property
    def age_bands(self) -> tuple[GroupShares, ...]:
        """The groups by age, likewise."""
        return self.groups.get("age", ())


@dataclass(frozen=True, slots=True)
class Growth:
    """How a segment has changed in number.

    Attributes:
        entered: customers who came, each time that one did.
        left: customers who went, likewise.
    """

    entered: int
    left: int


def list_segments(units: UnitsOfWork) -> tuple[int, list[ProfiledSegment], bool]:
    """Return the active version, its segments with what their customers are like now, and whether
    all customers are counted: while they are re-scored after an activation, some are not yet.

    Raises:
        NotReadyError: there is no model yet.
    """
    current = read_current(units)
    profiles = profile_segments(
        current.serving.model, current.counted, current.bins, is_complete=current.is_complete
    )
    profiled = [
        ProfiledSegment(segment, profile)
        for segment, profile in zip(current.serving.model.segments, profiles, strict=True)
    ]
    return current.serving.version, profiled, current.is_complete


def get_disparity(units: UnitsOfWork) -> Disparity:
    """Return how groups by protected attributes are spread over the segments now.

    Raises:
        NotReadyError: there is no model yet.
    """
    current = read_current(units)
    model = current.serving.model
    groups = group_shares(model, current.distribution)
    return Disparity(current.serving.version, model.parameters.excluded, groups)


def get_spreads(units: UnitsOfWork) -> tuple[int, tuple[int, ...], list[AttributeSpread]]:
    """Return the active version, its segments' numbers, and how their customers are spread now
    over the values of each attribute.

    Raises:
        NotReadyError: there is no model yet.
    """
    current = read_current(units)
    model = current.serving.model
    found = spreads(model.bins, model.distribution, current.distribution)
    spread = list(map(AttributeSpread, model.attributes, found))
    return current.serving.version, tuple(model.numbers.tolist()), spread


def edit_segment(
    units: UnitsOfWork,
    number: int,
    by: str,
    *,
    name: str | None = None,
    description: str | None = None,
    strategies: tuple[Strategy, ...] | None = None,
    tags: frozenset[str] | None = None,
) -> Segment:
    """Change a segment's name, description or strategies; each server answers so within a second.

    Args:
        units: of work.
        number: the segment's.
        by: who does it.
        name: a new name, if any.
        description: a new description, if any.
        strategies: new strategies, if any.
        tags: where given, the segment's tag must be one of these.

    Raises:
        StaleSegmentError: tags are given, and the segment's is none of them.
        SegmentNotFoundError: the active model has no such segment.
        InvalidInputError: the new words are blank, or the name is another segment's.
    """
    with units.database.write() as connection:
        # Locked, as two edits at once would each keep the other's old words.
        version = models.lock(connection)
        serving = None if version is None else load_model(connection, version, units.schema)
        if serving is None or number not in serving.segments:
            raise SegmentNotFoundError(number)
        if tags is not None and not tags & {ANY_TAG, serving.segments[number].tag}:
            raise StaleSegmentError(number)
        given = {"name": name, "description": description, "strategies": strategies}
        changed = {key: value for key, value in given.items() if value is not None}
        if not changed:
            return serving.segments[number]
        segment = replace(serving.segments[number], **changed)  # type: ignore[arg-type]
        others, channels = serving.segments.values(), units.schema.channels
        check_words(serving.segments[number], segment, others, channels)
        segments.add_edit(connection, SegmentEdit(segment, now(), by))
        models.raise_edition(connection)
        note(connection, "segment", number, "edited", by)
    units.refresh()
    return segment


def list_edits(units: UnitsOfWork, number: int) -> list[SegmentEdit]:
    """Return what people made of a segment's words, the oldest edit first.

    Raises:
        SegmentNotFoundError: there is no such segment, and there was none that was edited.
    """
    with units.read() as work:
        edits = segments.read_edits(work.connection, number)
        if not edits and number not in work.serving.segments:
            raise SegmentNotFoundError(number)
    return edits


def count_transitions(
    units: UnitsOfWork, before: datetime, after: datetime
) -> dict[tuple[int | None, int | None], int]:
    """Count customers by the segments they were in at two moments; None where they were not there.

    Raises:
        InvalidInputError: the second moment is before the first.
    """
    if after < before:
        raise InvalidInputError([FieldError("until", "until must not be before since")])
    with units.database.read() as connection:
        return history.count_transitions(connection, before, after)


def list_sizes(units: UnitsOfWork, weeks: int) -> list[tuple[datetime, dict[int, int]]]:
    """Return the segments' sizes by number, now and before each of the last weeks, oldest first.

    What is known of the past is what the history keeps.

    Args:
        units: over the database.
        weeks: how many, at least 1.
    """
    until = now()
    moments = [until - timedelta(weeks=ago) for ago in range(weeks, -1, -1)]
    with units.read() as work:
        moves = history.count_moves_within(work.connection, moments)
        everybody = audiences.everybody()
        present = audiences.count_by_segment(work.connection, work.customers, everybody)
        numbers = {*work.serving.segments, *present}
    numbers |= {number for *ends, _ in moves for number in ends if number is not None}
    sizes = {number: present.get(number, 0) for number in sorted(numbers)}
    found = [(until, sizes)]
    for place in range(weeks - 1, -1, -1):
        # A week before, whoever has come since was not there, and who has gone was.
        sizes = dict(sizes)
        for (left, entered, period), count in moves.items():
            if period != place:
                continue
            if left is not None:
                sizes[left] += count
            if entered is not None:
                sizes[entered] -= count
        found.append((moments[place], sizes))
    return found[::-1]


def measure_growth(units: UnitsOfWork, since: datetime) -> dict[int, Growth]:
    """Count who entered and who left each segment after a moment, by segment number.

    Segments that nobody entered or left are there too, where the active model has them.
    """
    with units.read() as work:
        moves = history.count_moves_since(work.connection, since)
        numbers = set(work.serving.segments)
    numbers |= {number for move in moves for number in move if number is not None}
    return {
        number: Growth(
            entered=sum(count for (_, entered), count in moves.items() if entered == number),
            left=sum(count for (left, _), count in moves.items() if left == number),
        )
        for number in sorted(numbers)
    }
