"""A model among attributes that it was not trained on: the schema may change while it is active.

An attribute goes on under its name, or under the one that it was given since. One that customers no
longer have is missing for all of them, and one that is new has no say before the next training.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from math import nan

import numpy as np

from customer_segmentation.domain.arrays import FloatArray, IntArray
from customer_segmentation.domain.attributes import Attribute, Kind, Missing, Unknown
from customer_segmentation.domain.customer import Attributes
from customer_segmentation.domain.numbers import Number
from customer_segmentation.model.artifact import Model
from customer_segmentation.model.monitoring.distribution import Bins, Distribution
from customer_segmentation.model.prepare import Preparation, restore_column, transform_column

_ABSENT = -1


def adapt(
    model: Model, attributes: Sequence[Attribute], renamed: Mapping[str, str] | None = None
) -> Model:
    """Return a model that speaks of its attributes in the words of the current ones.

    How it measures stays: kinds, codes, categories, transforms and weights. What an attribute is
    called, its range, whether it may be missing, change or is protected is as it is now.

    Args:
        model: the model.
        attributes: the current ones.
        renamed: current names by those at the time of the training, where they differ.
    """
    renamed = renamed or {}
    by_name = {attribute.name: attribute for attribute in attributes}
    taken, adapted = set(by_name), []
    for own in model.attributes:
        now = by_name.get(renamed.get(own.name, own.name))
        if now is not None and is_same_measure(own, now):
            adapted.append(_in_words_of(own, now))
        else:
            adapted.append(replace(own, name=_free(own.name, taken), missing=Missing.ALLOWED))
            taken.add(adapted[-1].name)
    if tuple(adapted) == model.attributes:
        return model
    return _with_attributes(model, tuple(adapted))


def is_same_measure(one: Attribute, other: Attribute) -> bool:
    """Tell whether values of two attributes can be compared: both numbers, or both categories."""
    is_nominal = (one.kind is Kind.NOMINAL, other.kind is Kind.NOMINAL)
    return is_nominal[0] is is_nominal[1] and bool(one.categories) is bool(other.categories)


def _free(name: str, taken: Collection[str]) -> str:
    while name in taken:
        name = f"former_{name}"
    return name


def _in_words_of(own: Attribute, now: Attribute) -> Attribute:
    lacking = Missing.ALLOWED in {own.missing, now.missing}
    return replace(
        now,
        kind=own.kind,
        minimum=own.minimum if own.choices else now.minimum,
        maximum=own.maximum if own.choices else now.maximum,
        codes={code: now.codes.get(code, label) for code, label in own.codes.items()},
        categories=own.categories,
        unknown=own.unknown,
        missing=Missing.ALLOWED if lacking else Missing.REFUSED,
        unscored=own.unscored,
        used=own.used,
        transform=own.transform,
        knee=own.knee,
        weight=own.weight,
    )


def _with_attributes(model: Model, attributes: tuple[Attribute, ...]) -> Model:
    names = dict(zip(model.names, (attribute.name for attribute in attributes), strict=True))
    bins = Bins(attributes, model.bins.cuts)
    parameters = replace(
        model.parameters,
        weights={names.get(n, n): weight for n, weight in model.parameters.weights.items()},
        excluded=tuple(names.get(name, name) for name in model.parameters.excluded),
    )
    summaries = {names[name]: own for name, own in model.fingerprint.attributes.items()}
    return replace(
        model,
        parameters=parameters,
        preparation=replace(model.preparation, attributes=attributes),
        fingerprint=replace(model.fingerprint, attributes=summaries),
        bins=bins,
        distribution=_with_missing(model.distribution, model.bins, bins),
    )


def _with_missing(distribution: Distribution, before: Bins, after: Bins) -> Distribution:
    """Return a distribution with bins of nobody for who lacks what could not be missing before."""
    counts = np.zeros((len(distribution.counts), int(after.offsets[-1])), dtype=np.int64)
    for j in range(len(before.attributes)):
        counts[:, after.of_attribute(j)] = distribution.counts[:, before.of_attribute(j)]
        if before.attributes[j].missing is Missing.ALLOWED:
            counts[:, after.of_missing(j)] = distribution.counts[:, before.of_missing(j)]
    return replace(distribution, counts=counts)


@dataclass(frozen=True, eq=False, slots=True)
class Columns:
    """Where a model finds its attributes among those of a table.

    Attributes:
        names: the model's attributes, d of them.
        places: (d,), the place of each in the table; -1 of one that the table has not.
        categories: by the place of a nominal attribute in the model, its number for each of the
            table's categories, where these differ; NaN for one that the model does not know.
        are_same: whether the table has the model's attributes in their order and no others.
    """

    names: tuple[str, ...]
    places: IntArray
    categories: Mapping[int, FloatArray]
    are_same: bool

    def take(self, values: FloatArray) -> FloatArray:
        """Return the model's attributes, (n, d), of customers by the table's, (n, m)."""
        if self.are_same:
            return values
        found = np.full((len(self.places), len(values)), nan)
        for j, place in enumerate(self.places.tolist()):
            if place != _ABSENT:
                found[j] = self._translated(j, values[:, place])
        return found.T

    def take_one(self, attributes: Attributes) -> Attributes:
        """Return the model's attributes of one customer, by their names."""
        if self.are_same:
            return attributes
        return {name: self._one(j, attributes) for j, name in enumerate(self.names)}

    def _one(self, j: int, attributes: Attributes) -> Number:
        if self.places[j] == _ABSENT:
            return nan
        value = attributes[self.names[j]]
        if j not in self.categories or value != value:  # noqa: PLR0124 - NaN alone differs
            return value
        return float(self.categories[j][int(value)])

    def _translated(self, j: int, column: FloatArray) -> FloatArray:
        if j not in self.categories:
            return column
        known = ~np.isnan(column)
        found = np.full(len(column), nan)
        found[known] = self.categories[j][column[known].astype(np.int64)]
        return found


def columns_in(model: Model, attributes: Sequence[Attribute]) -> Columns:
    """Find a model's attributes among those of a table.

    Args:
        model: the model; one of an earlier schema as `adapt` returns it.
        attributes: of the table.
    """
    places = {attribute.name: place for place, attribute in enumerate(attributes)}
    found = np.full(len(model.attributes), _ABSENT, dtype=np.int64)
    categories = {}
    for j, own in enumerate(model.attributes):
        place = places.get(own.name, _ABSENT)
        if place == _ABSENT or not is_same_measure(own, attributes[place]):
            continue
        found[j] = place
        if _labels(own) != _labels(attributes[place]) and own.categories:
            categories[j] = _translation(own, attributes[place])
    are_same = not categories and found.tolist() == list(range(len(attributes)))
    return Columns(tuple(model.names), found, categories, are_same)


def _labels(attribute: Attribute) -> tuple[str, ...]:
    return tuple(attribute.labels.values())


def _translation(own: Attribute, now: Attribute) -> FloatArray:
    """Return the model's number of each of the current categories."""
    other = float(len(own.categories)) if own.unknown is Unknown.OTHER else nan
    known = {category: float(place) for place, category in enumerate(own.categories)}
    named = [known.get(category, other) for category in now.categories]
    return np.array([*named, other])


def in_coordinates_of(preparation: Preparation, serving: Model) -> FloatArray:
    """Return a model's centroids, (k, c), in the coordinates of another preparation.

    Columns of attributes, and categories, that the model has not are NaN; those that the
    preparation does not use are 0.
    """
    restored = serving.preparation.restore(serving.centroids)
    coordinates = np.full((len(restored), len(preparation.scale)), nan)
    own = {
        attribute.name: (attribute, restored[:, place])
        for attribute, place in zip(serving.attributes, serving.preparation.columns, strict=True)
    }
    for attribute, place in zip(preparation.attributes, preparation.columns, strict=True):
        if attribute.name in own and is_same_measure(own[attribute.name][0], attribute):
            coordinates[:, place] = _moved(*own[attribute.name], attribute)
    coordinates = (coordinates - preparation.center) * preparation.scale
    coordinates[:, preparation.scale == 0.0] = 0.0
    return coordinates


def start_of(preparation: Preparation, serving: Model) -> FloatArray:
    """Return a model's centroids, (k, u), in the u columns that a preparation uses.

    Where the model has no attribute or category, its centroids begin as typical.
    """
    return np.nan_to_num(in_coordinates_of(preparation, serving)[:, preparation.used])


def _moved(before: Attribute, columns: FloatArray, after: Attribute) -> FloatArray:
    """Return transformed columns of an attribute, (k, w), as another declaration transforms it."""
    if after.kind is Kind.NOMINAL:
        found = np.full((len(columns), len(after.choices)), nan)
        places = {label: place for place, label in enumerate(_choices(before))}
        for place, label in enumerate(_choices(after)):
            if label in places:
                found[:, place] = columns[:, places[label]]
        return found
    if before.categories != after.categories[: len(before.categories)]:
        return np.full_like(columns, nan)
    if (before.transform, before.knee) == (after.transform, after.knee):
        return columns
    return transform_column(after, restore_column(before, columns))


def _choices(attribute: Attribute) -> Sequence[object]:
    """Return what tells the categories of a nominal attribute apart: their texts or codes."""
    if attribute.codes:
        return attribute.choices
    return [*attribute.categories, *([None] if attribute.unknown is Unknown.OTHER else [])]
