"""Explaining an assignment: distances, the attributes that decided, what would change it."""

from dataclasses import dataclass
from math import ceil, copysign, expm1, floor, inf, isnan, nextafter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from customer_segmentation.domain.arrays import FloatArray, IntArray
from customer_segmentation.domain.attributes import Attribute, Kind
from customer_segmentation.domain.customer import Attributes
from customer_segmentation.domain.numbers import Number, plain_number
from customer_segmentation.model.artifact import Model
from customer_segmentation.model.assign import Assigner
from customer_segmentation.model.missing import stretch
from customer_segmentation.model.prepare import restore_column

_CENT = 100.0
_NUDGES = 8


@dataclass(frozen=True, slots=True)
class Contribution:
    """How much one attribute pulls towards a segment rather than towards another.

    Attributes:
        attribute: its request name.
        value: the customer's value; NaN where it is not known.
        typical: the value at the centroid of the segment that the customer is in; of a nominal
            attribute the category that most of its customers have.
        typical_other: likewise, of the other segment.
        pull: the other centroid's squared distance along this attribute less this one's: above 0
            it speaks for the segment, below 0 for the other; 0 where the value is not known.
    """

    attribute: str
    value: Number
    typical: float
    typical_other: float
    pull: float


@dataclass(frozen=True, slots=True)
class Change:
    """The smallest change of one attribute, all others kept, that leads to a segment.

    Attributes:
        segment: the number of the segment that it leads to.
        attribute: the request name of the attribute.
        value: the customer's value now.
        needed: the value that it takes.
        effort: the way from the one to the other, in prepared coordinates; the smaller, the easier.
    """

    segment: int
    attribute: str
    value: Number
    needed: Number
    effort: float


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why someone is in a segment.

    Attributes:
        segment: the number of the nearest segment.
        other: the number of the segment that it is compared with: the second nearest.
        distances: by segment number, the distance to its centroid in prepared coordinates.
        confidence: 1 - d1/d2, with d1 and d2 the distances to the nearest and the second nearest
            centroid: 0 half way between them, 1 on the centroid.
        is_outlier: whether the customer is far from every centroid.
        contributions: each attribute's pull, the strongest first; they add up to d2^2 - d1^2.
        changes: for each other segment the smallest change of one changeable attribute that leads
            there, to a value that the training's customers had; a segment that no single attribute
            leads to is not among them.
    """

    segment: int
    other: int
    distances: dict[int, float]
    confidence: float
    is_outlier: bool
    contributions: tuple[Contribution, ...]
    changes: tuple[Change, ...]


def explain(model: Model, assigner: Assigner, attributes: Attributes) -> Explanation:
    """Explain the assignment of complete attributes.

    Raises:
        ValueError: the model has a single segment, so there is nothing to compare.
    """
    position = _position(model, attributes)
    squared = _squared(model, position[None, :])[0]
    numbers = model.numbers.tolist()
    nearest = numbers.index(assigner.assign_one(attributes))
    if len(numbers) < 2:
        raise ValueError("a model of one segment has no other to compare with")
    others = [row for row in np.argsort(squared, kind="stable").tolist() if row != nearest]
    second = others[0]
    changes = [
        change
        for row in others
        if (change := _find_change(model, assigner, attributes, numbers[row], position)) is not None
    ]
    distances = np.sqrt(squared)
    return Explanation(
        segment=numbers[nearest],
        other=numbers[second],
        distances=dict(zip(numbers, distances.tolist(), strict=True)),
        confidence=_confidence(float(distances[nearest]), float(distances[second])),
        is_outlier=bool(squared.min() > model.outlier_distance**2),
        contributions=_contributions(model, attributes, position, nearest, second),
        changes=tuple(changes),
    )


def typical_values(model: Model) -> FloatArray:
    """Return the centroids in users' units, (k, d).

    An attribute that is not used is at its training mean, a nominal one at its commonest category.
    """
    restored = model.preparation.restore(model.centroids)
    typical = np.empty((len(restored), len(model.attributes)))
    for j, (attribute, place) in enumerate(
        zip(model.attributes, model.preparation.columns, strict=True)
    ):
        column = restored[:, place.start]
        if attribute.kind is Kind.NOMINAL:
            column = np.array(attribute.choices)[restored[:, place].argmax(axis=1)]
        else:
            column = restore_column(attribute, column)
        typical[:, j] = column
    return typical


def smallest_change(
    model: Model, assigner: Assigner, attributes: Attributes, target: int
) -> Change | None:
    """Return the easiest change of one changeable attribute that leads to a segment.

    Args:
        model: the model.
        assigner: of the model.
        attributes: complete ones.
        target: the number of the segment to reach.

    Returns:
        None where changing no single attribute leads there.
    """
    return _find_change(model, assigner, attributes, target, _position(model, attributes))


def _find_change(
    model: Model, assigner: Assigner, attributes: Attributes, target: int, position: FloatArray
) -> Change | None:
    """Return the smallest change of somebody at a position, (c,)."""
    best: Change | None = None
    for j in model.preparation.used_attributes:
        attribute = model.attributes[j]
        # Nobody can tell how far what is not known would have to change.
        if attribute.changeable and not isnan(attributes[attribute.name]):
            one = _change_category if attribute.kind is Kind.NOMINAL else _change_one
            change = one(model, assigner, attributes, target, j, position)
            if change is not None and (best is None or change.effort < best.effort):
                best = change
    return best


@dataclass(frozen=True, eq=False, slots=True)
class Explanations:
    """Why many people are in their segments; see `Explanation` and `Contribution`.

    Attributes:
        others: (n,), the numbers of the second nearest segments.
        distances: (n, k), to each centroid, in prepared coordinates.
        contributions: by the names of the members of `Contribution`, (n, m) of each, for the m
            attributes that pull most, in either direction, the strongest first.
    """

    others: IntArray
    distances: FloatArray
    contributions: dict[str, NDArray[Any]]


def explain_many(
    model: Model, assigner: Assigner, values: FloatArray, strongest: int
) -> Explanations:
    """Explain the assignments of many people, (n, d), each by its strongest attributes.

    Raises:
        ValueError: the model has a single segment, so there is nothing to compare.
    """
    if len(model.segments) < 2:
        raise ValueError("a model of one segment has no other to compare with")
    distances = assigner.distances(values)
    rows = np.arange(len(values))
    nearest = np.searchsorted(model.numbers, assigner.assign(values))
    others = distances.copy()
    others[rows, nearest] = np.inf
    second = others.argmin(axis=1)
    pulls = pulls_apart(model, assigner, values)
    used = np.array(model.preparation.used_attributes)
    order = np.argsort(-np.abs(pulls[:, used]), axis=1, kind="stable")[:, :strongest]
    attributes = used[order]
    typical = typical_values(model)
    return Explanations(
        others=model.numbers[second],
        distances=distances,
        contributions={
            "attribute": np.array(model.names, dtype=object)[attributes],
            "value": np.take_along_axis(values, attributes, axis=1),
            "typical": typical[nearest[:, None], attributes],
            "typical_other": typical[second[:, None], attributes],
            "pull": np.take_along_axis(pulls, attributes, axis=1),
        },
    )


def pulls_apart(model: Model, assigner: Assigner, values: FloatArray) -> FloatArray:
    """Return each attribute's pull, (n, d), as `Contribution` has it, for many people, (n, d)."""
    position = model.preparation.prepare(values)
    nearest = np.searchsorted(model.numbers, assigner.assign(values))
    distances = _squared(model, position)
    distances[np.arange(len(values)), nearest] = np.inf
    here, there = model.centroids[nearest], model.centroids[distances.argmin(axis=1)]
    return _by_attribute(model, position, here, there)


def _position(model: Model, attributes: Attributes) -> FloatArray:
    """Return the coordinates, (c,), of one customer."""
    values = np.array([[attributes[name] for name in model.names]], dtype=np.float64)
    return model.preparation.prepare(values)[0]


def _squared(model: Model, position: FloatArray) -> FloatArray:
    """Return the squared distances, (n, k), of positions, (n, c), to the centroids."""
    ways = (position[:, None, :] - model.centroids) ** 2
    if not model.preparation.may_miss:
        return ways.sum(axis=2)
    return np.nansum(ways, axis=2) * _stretch(model, position)[:, None]


def _stretch(model: Model, position: FloatArray) -> FloatArray:
    return stretch(np.isnan(position).T, model.preparation.importance)


def _by_attribute(
    model: Model, position: FloatArray, here: FloatArray, there: FloatArray
) -> FloatArray:
    """Return each attribute's pull, (n, d), at positions, (n, c), between two centroids of each."""
    pulls: FloatArray = (position - there) ** 2 - (position - here) ** 2
    if model.preparation.may_miss:
        pulls = np.nan_to_num(pulls) * _stretch(model, position)[:, None]
    places = model.preparation.columns
    if len(places) == pulls.shape[1]:
        return pulls
    return np.add.reduceat(pulls, [place.start for place in places], axis=1)


def _confidence(first: float, second: float) -> float:
    return max(0.0, 1.0 - first / second) if second > 0.0 else 0.0


def _contributions(
    model: Model, attributes: Attributes, position: FloatArray, nearest: int, second: int
) -> tuple[Contribution, ...]:
    here, there = model.centroids[nearest], model.centroids[second]
    (pulls,) = _by_attribute(model, position[None, :], here, there)
    typical, names = typical_values(model), model.names
    contributions = [
        Contribution(
            attribute=names[j],
            value=attributes[names[j]],
            typical=float(typical[nearest, j]),
            typical_other=float(typical[second, j]),
            pull=float(pulls[j]),
        )
        for j in model.preparation.used_attributes
    ]
    return tuple(sorted(contributions, key=lambda c: -abs(c.pull)))


def _change_one(
    model: Model,
    assigner: Assigner,
    attributes: Attributes,
    target: int,
    j: int,
    position: FloatArray,
) -> Change | None:
    """Change one attribute as little as leads to the target.

    Along one coordinate x the target is nearer than another centroid m where
    2 (m_j - c_j) x < b, which is linear in x; together the others leave one interval.
    """
    feature, at = model.attributes[j], model.preparation.columns[j].start
    low, high = _interval(model, position, target, at)
    if not low < high:
        return None
    value, here = attributes[feature.name], float(position[at])
    if low < here < high:
        return None
    scale, center = float(model.preparation.scale[at]), float(model.preparation.center[at])
    upwards = here <= low
    edge = _restore((low if upwards else high) / scale + center, feature)
    for needed in _candidates(feature, edge, upwards=upwards):
        if not _is_allowed(feature, needed) or not _is_observed(model, feature, needed):
            return None
        if assigner.assign_one({**attributes, feature.name: needed}) == target:
            there = _position(model, {**attributes, feature.name: needed})
            effort = abs(float(there[at]) - here)
            return Change(target, feature.name, value, plain_number(needed), effort)
    return None


def _change_category(
    model: Model,
    assigner: Assigner,
    attributes: Attributes,
    target: int,
    j: int,
    position: FloatArray,
) -> Change | None:
    """Change a nominal attribute to the nearest category that leads to the target."""
    feature, place = model.attributes[j], model.preparation.columns[j]
    value = attributes[feature.name]
    best: Change | None = None
    for choice, scale in zip(feature.choices, model.preparation.scale[place].tolist(), strict=True):
        changed = {**attributes, feature.name: choice}
        # A category with scale 0 is one that nobody of the training had.
        if choice == value or scale == 0.0 or assigner.assign_one(changed) != target:
            continue
        way = _position(model, changed)[place] - position[place]
        effort = float(np.sqrt((way**2).sum()))
        if best is None or effort < best.effort:
            best = Change(target, feature.name, value, choice, effort)
    return best


def _interval(model: Model, position: FloatArray, target: int, at: int) -> tuple[float, float]:
    """Return between which coordinates of one column the target is the nearest centroid."""
    centroids = model.centroids
    row = model.numbers.tolist().index(target)
    ways = (position - centroids) ** 2
    ways[:, at] = centroids[:, at] ** 2
    squared = np.nansum(ways, axis=1)
    low, high = -inf, inf
    for other in range(len(centroids)):
        if other == row:
            continue
        slope = 2.0 * float(centroids[other, at] - centroids[row, at])
        room = float(squared[other] - squared[row])
        if slope > 0.0:
            high = min(high, room / slope)
        elif slope < 0.0:
            low = max(low, room / slope)
        elif room <= 0.0:
            return 0.0, 0.0
    return low, high


def _restore(transformed: float, feature: Attribute) -> float:
    if not feature.is_logarithmic:
        return transformed
    try:
        return copysign(expm1(abs(transformed)) * feature.divisor, transformed)
    except OverflowError:
        return copysign(inf, transformed)


def _candidates(feature: Attribute, edge: float, *, upwards: bool) -> list[Number]:
    """Return round values from an edge on, in the direction of the change; the first that works is
    the smallest change."""
    if abs(edge) == inf:
        return []
    direction = 1 if upwards else -1
    if feature.is_integer:
        first = ceil(edge) if upwards else floor(edge)
        return [first + direction * step for step in range(_NUDGES)]
    cents = edge * _CENT
    if abs(cents) >= 2**53:
        return [nextafter(edge, direction * inf)]
    first = ceil(cents) if upwards else floor(cents)
    return [(first + direction * step) / _CENT for step in range(_NUDGES)]


def _is_observed(model: Model, feature: Attribute, value: Number) -> bool:
    """Tell whether a value lies among those of the training's customers."""
    known = model.fingerprint.attributes[feature.name]
    return known.minimum <= value <= known.maximum


def _is_allowed(feature: Attribute, value: Number) -> bool:
    if value == feature.unscored:
        return False
    try:
        feature.accept(value)
    except ValueError:
        return False
    return True
