"""The customers seen from the side where they differ most: principal components."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from customer_segmentation.domain.arrays import FloatArray
from customer_segmentation.model.artifact import Model
from customer_segmentation.model.assign import Assigner
from customer_segmentation.model.missing import fill_in

_TOLD = 3

_FAR = 1e100
"""Farther away nothing is put: its square, and the sum of all, are numbers still."""


@dataclass(frozen=True, slots=True)
class Axis:
    """One direction of a map.

    Attributes:
        share: of the variance that it shows.
        attributes: the request names of those that count most in it, the strongest first; a name
            with a - before it falls along the axis.
    """

    share: float
    attributes: tuple[str, ...]


@dataclass(frozen=True, eq=False, slots=True)
class Projection:
    """Places of customers and centroids on a map.

    Attributes:
        points: (n, 2), of the customers.
        centroids: (k, 2), of the segments' centroids.
        axes: the two directions.
    """

    points: FloatArray
    centroids: FloatArray
    axes: tuple[Axis, Axis]


def project(model: Model, values: FloatArray) -> Projection:
    """Put customers, (n, d), n >= 2, on the plane in which they differ most as the model sees them.

    Source: Jolliffe 2002, "Principal Component Analysis".
    """
    coordinates = np.clip(model.preparation.prepare(values), -_FAR, _FAR)
    if model.preparation.may_miss:
        # What is not known is put where most of the segment's customers are.
        places = np.searchsorted(model.numbers, Assigner(model).assign(values))
        coordinates = fill_in(coordinates, model.centroids, places)
    center = coordinates.mean(axis=0)
    _, singular, axes = np.linalg.svd(coordinates - center, full_matrices=False)
    plane = axes[:2]
    # A component may point either way; the strongest attribute rises.
    plane = plane * np.sign(plane[np.arange(2), np.abs(plane).argmax(axis=1)])[:, None]
    shares = singular[:2] ** 2 / max(float((singular**2).sum()), 1e-300)
    first, second = (
        Axis(float(share), _strongest(_labels(model), loadings))
        for share, loadings in zip(shares, plane, strict=True)
    )
    return Projection(
        points=(coordinates - center) @ plane.T,
        centroids=(model.centroids - center) @ plane.T,
        axes=(first, second),
    )


def _labels(model: Model) -> list[str]:
    """Return the name of the attribute of each column."""
    places = zip(model.names, model.preparation.columns, strict=True)
    return [name for name, place in places for _ in range(place.start, place.stop)]


def _strongest(names: Sequence[str], loadings: FloatArray) -> tuple[str, ...]:
    order = np.argsort(-np.abs(loadings))[:_TOLD]
    return tuple(("-" if loadings[j] < 0 else "") + names[j] for j in order.tolist())
