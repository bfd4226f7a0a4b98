"""Hiding small counts in the aggregates that leave the service; who is an admin sees them all."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np

from customer_segmentation.api.v1.models.answers import (
    DriftAnswer,
    ImpactAnswer,
    VersionAnswer,
    VersionSummary,
)
from customer_segmentation.api.v1.segments.answers import (
    AttributeProfileAnswer,
    DisparityAnswer,
    GroupAnswer,
    SegmentAnswer,
    Segments,
    Transition,
    Transitions,
)
from customer_segmentation.api.v1.segments.figure_answers import (
    AttributeDistribution,
    Distributions,
    GrowthAnswer,
    MapAnswer,
    SegmentSizes,
)
from customer_segmentation.domain.disclosure import hide_small

Key = TypeVar("Key")
Column = TypeVar("Column")
AnyVersion = TypeVar("AnyVersion", VersionSummary, VersionAnswer)


def suppress_count(count: int, least: int) -> int | None:
    """Return a count, None where it is of so few that it could tell of a person."""
    return None if 0 < count < least else count


def suppress_counts(counts: Mapping[Key, int | None], least: int) -> dict[Key, int | None]:
    """Return counts whose total is known, None for those that are hidden."""
    hidden = hide_small(np.array([count or 0 for count in counts.values()], dtype=np.int64), least)
    return {
        key: None if hides else count
        for (key, count), hides in zip(counts.items(), hidden.tolist(), strict=True)
    }


def suppress_table(
    counts: Mapping[Key, Mapping[Column, int]], least: int
) -> dict[Key, dict[Column, int | None]]:
    """Return a table whose rows' and columns' totals are known, None for what is hidden."""
    columns = sorted({column for row in counts.values() for column in row}, key=str)
    table = np.array([[row.get(c, 0) for c in columns] for row in counts.values()], dtype=np.int64)
    hidden = hide_small(table, least)
    return {
        key: {c: None if hidden[i, columns.index(c)] else row[c] for c in columns if c in row}
        for i, (key, row) in enumerate(counts.items())
    }


def suppress_segments(answer: Segments, least: int) -> Segments:
    """Hide small segments, and small groups within the others."""
    sizes = {segment.number: segment.size or 0 for segment in answer.segments}
    told = suppress_counts(sizes, least)
    segments = [_suppress_segment(s, told[s.number], least) for s in answer.segments]
    return answer.model_copy(update={"segments": segments})


def suppress_transitions(answer: Transitions, least: int) -> Transitions:
    """Hide small movements."""
    moves = {(t.from_segment, t.to_segment): t.customers or 0 for t in answer.transitions}
    columns = list(dict.fromkeys(entered for _, entered in moves))
    counts = {left: {c: moves.get((left, c), 0) for c in columns} for left, _ in moves}
    told = suppress_table(counts, least)
    # That nobody moved is not listed, unless it is hidden that nobody did.
    transitions = [
        Transition(from_segment=left, to_segment=entered, customers=count)
        for left, row in told.items()
        for entered, count in row.items()
        if count != 0
    ]
    hides = any(t.customers is None for t in transitions)
    moved = None if hides else answer.moved
    return answer.model_copy(update={"transitions": transitions, "moved": moved})


def suppress_growth(answer: GrowthAnswer, least: int) -> GrowthAnswer:
    """Hide how small groups came and went; who knows two of a segment's figures knows the third."""
    figures = [
        {s.segment: abs(getattr(s, name) or 0) for s in answer.segments}
        for name in ("entered", "left", "net")
    ]
    told = [suppress_counts(counts, least) for counts in figures]
    unknown = {"entered": None, "left": None, "net": None}
    segments = [
        s.model_copy(update=unknown) if any(counts[s.segment] is None for counts in told) else s
        for s in answer.segments
    ]
    return answer.model_copy(update={"segments": segments})


def suppress_sizes(answer: SegmentSizes, least: int) -> SegmentSizes:
    """Hide small segments, and sizes that differ by few from the one told after it."""
    kept = [
        suppress_counts({number: count or 0 for number, count in one.customers.items()}, least)
        for one in answer.sizes
    ]
    for number in {number for counts in kept for number in counts}:
        weeks = [counts for counts in kept if number in counts]
        told = suppress_steps([counts[number] for counts in weeks], least)
        for counts, count in zip(weeks, told, strict=True):
            counts[number] = count
    sizes = [
        one.model_copy(update={"customers": counts})
        for one, counts in zip(answer.sizes, kept, strict=True)
    ]
    return answer.model_copy(update={"sizes": sizes})


def suppress_steps(counts: Sequence[int | None], least: int) -> list[int | None]:
    """Return counts of one group over time, None also for those few from the one told after."""
    told: list[int | None] = []
    after: int | None = None
    for count in reversed(counts):
        is_step = count is not None and after is not None and 0 < abs(count - after) < least
        told.append(None if is_step else count)
        after = after if told[-1] is None else told[-1]
    return told[::-1]


def suppress_distributions(answer: Distributions, least: int) -> Distributions:
    """Hide small groups of values within a segment, and all of a segment whose size is hidden."""
    attributes = [_suppress_distribution(attribute, least) for attribute in answer.attributes]
    return answer.model_copy(update={"attributes": attributes})


def suppress_map(answer: MapAnswer, sizes: Mapping[int, int], least: int) -> MapAnswer:
    """Leave out segments whose sizes are hidden."""
    told = {number for number, size in suppress_counts(sizes, least).items() if size is not None}
    return answer.model_copy(
        update={
            "centroids": [point for point in answer.centroids if point.segment in told],
            "points": [point for point in answer.points if point.segment in told],
        }
    )


def suppress_disparity(answer: DisparityAnswer, least: int) -> DisparityAnswer:
    """Hide small groups, and small parts of groups in a segment."""
    groups = {name: _suppress_groups(found, least) for name, found in answer.groups.items()}
    return answer.model_copy(
        update={
            "groups": groups,
            "genders": groups.get("gender", []),
            "age_bands": groups.get("age", []),
        }
    )


def suppress_version(answer: AnyVersion, least: int) -> AnyVersion:
    """Hide small segments of the training data, and its extremes, which are single people's."""
    if least == 0:
        return answer
    sizes = suppress_counts(answer.quality.sizes, least)
    update: dict[str, object] = {"quality": answer.quality.model_copy(update={"sizes": sizes})}
    if answer.held_back and None in sizes.values():
        # A reason may tell a small segment's share.
        update["held_back"] = ["The reasons are for admins, as a segment is small"]
    if isinstance(answer, VersionAnswer):
        attributes = {
            name: told.model_copy(update={"minimum": None, "maximum": None})
            for name, told in answer.fingerprint.attributes.items()
        }
        update["fingerprint"] = answer.fingerprint.model_copy(update={"attributes": attributes})
        update["centroids"] = {n: c for n, c in answer.centroids.items() if sizes[n] is not None}
    return answer.model_copy(update=update)


def suppress_impact(answer: ImpactAnswer, least: int) -> ImpactAnswer:
    """Hide small movements between two versions, and small segments of either."""
    if least == 0:
        return answer
    matrix = {before: _counts(row) for before, row in answer.matrix.items()}
    told = suppress_table(matrix, least)
    hides = any(count is None for row in told.values() for count in row.values())
    update: dict[str, object] = {"matrix": told}
    if hides:
        update |= {"moved": None, "moved_share": None}
        update["segments"] = [
            fate.model_copy(update={"size_before": None, "size_after": None})
            for fate in answer.segments
        ]
    for name in ("before", "after"):
        quality = getattr(answer, f"quality_{name}")
        sizes = suppress_counts(quality.sizes, least)
        update[f"quality_{name}"] = quality.model_copy(update={"sizes": sizes})
        centroids = getattr(answer, f"centroids_{name}")
        update[f"centroids_{name}"] = {
            n: c for n, c in centroids.items() if sizes.get(n) is not None
        }
    return answer.model_copy(update=update)


def suppress_drift(answer: DriftAnswer, least: int, trained: int, customers: int) -> DriftAnswer:
    """Hide the shares of small segments.

    Args:
        answer: to hide them in.
        least: the smallest count that may be told.
        trained: how many customers the shares of the training are of.
        customers: how many those of now are of.
    """
    return answer.model_copy(
        update={
            "trained_shares": _suppress_shares(answer.trained_shares, trained, least),
            "current_shares": _suppress_shares(answer.current_shares, customers, least),
        }
    )


def _suppress_segment(segment: SegmentAnswer, size: int | None, least: int) -> SegmentAnswer:
    if size is None:
        unknown = {"size": None, "share": None, "outliers": None}
        return segment.model_copy(update={**unknown, "profile": [], "summary": ""})
    far = segment.outliers or 0
    outliers = suppress_counts({"in": size - far, "out": far}, least)
    profile = [_suppress_profile(attribute, size, least) for attribute in segment.profile]
    return segment.model_copy(update={"outliers": outliers["out"], "profile": profile})


def _suppress_profile(
    profile: AttributeProfileAnswer, size: int, least: int
) -> AttributeProfileAnswer:
    lacking = round((profile.missing or 0.0) * size)
    known = size - lacking
    cells = [round((share or 0.0) * known) for share in profile.shares.values()] or [known]
    if lacking:
        # Who has it and who lacks it add up to the segment's size, which is told.
        cells.append(lacking)
    hidden = hide_small(np.array(cells, dtype=np.int64), least).tolist()
    shares = {
        code: None if hides else share
        for (code, share), hides in zip(profile.shares.items(), hidden, strict=False)
    }
    missing = None if lacking and hidden[-1] else profile.missing
    return profile.model_copy(update={"shares": shares, "missing": missing})


def _suppress_distribution(answer: AttributeDistribution, least: int) -> AttributeDistribution:
    counts = {place: _counts(group.counts) for place, group in enumerate(answer.groups)}
    lacking, last = _counts(answer.missing), len(counts)
    if any(lacking.values()):
        counts[last] = lacking
    told = suppress_table(counts, least)
    numbers = counts[0] if counts else {}
    sizes = suppress_counts({n: sum(row[n] for row in counts.values()) for n in numbers}, least)
    groups = [
        group.model_copy(
            update={"counts": {n: None if sizes[n] is None else told[i][n] for n in numbers}}
        )
        for i, group in enumerate(answer.groups)
    ]
    missing = {n: None if sizes[n] is None else told.get(last, lacking)[n] for n in numbers}
    return answer.model_copy(update={"groups": groups, "missing": missing})


def _suppress_groups(groups: Sequence[GroupAnswer], least: int) -> list[GroupAnswer]:
    counts = {}
    for group in groups:
        size = group.size or 0
        counts[group.group] = {n: round((s or 0.0) * size) for n, s in group.shares.items()}
    told = suppress_table(counts, least)
    sizes = suppress_counts({group.group: group.size or 0 for group in groups}, least)
    suppressed = []
    for group in groups:
        known = {n for n, count in told[group.group].items() if count is not None}
        suppressed.append(
            group.model_copy(
                update={
                    "size": sizes[group.group],
                    "shares": {n: s if n in known else None for n, s in group.shares.items()},
                    "ratios": {n: r if n in known else None for n, r in group.ratios.items()},
                }
            )
        )
    return suppressed


def _suppress_shares(
    shares: Mapping[int, float | None], of: int, least: int
) -> dict[int, float | None]:
    told = suppress_counts(
        {key: round((share or 0.0) * of) for key, share in shares.items()}, least
    )
    return {key: None if told[key] is None else share for key, share in shares.items()}


def _counts(row: Mapping[int, int | None]) -> dict[int, int]:
    return {key: count or 0 for key, count in row.items()}
