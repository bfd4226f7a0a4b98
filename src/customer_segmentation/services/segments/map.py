"""The use case of a map of customers: a sample by chance, seen from where segments differ most."""

from dataclasses import dataclass

import numpy as np

from customer_segmentation.domain.arrays import IntArray
from customer_segmentation.model.describing.projection import Projection, project
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork
from customer_segmentation.store.queries import history

MIN_SIZE, MAX_SIZE = 100, 5_000
"""How many customers a map may be of."""

_DRAWS = 4
"""Numbers drawn for each customer wanted, as some are of nobody who is there."""


@dataclass(frozen=True, eq=False, slots=True)
class SegmentMap:
    """A map of customers.

    Attributes:
        model_version: the version whose segments it shows.
        numbers: (k,), the segments' numbers, in the order of the centroids.
        segments: (n,), the number of each customer's segment.
        projection: where they are; None of fewer than two.
    """

    model_version: int
    numbers: IntArray
    segments: IntArray
    projection: Projection | None


def draw_map(units: UnitsOfWork, wanted: int) -> SegmentMap:
    """Map up to so many customers; while nobody is added, the same ones.

    Raises:
        NotReadyError: there is no model yet.
    """
    generator = np.random.default_rng(0)
    with units.read() as work:
        drawn = history.sample_added(work.connection, wanted * _DRAWS, generator)
        drawn = np.sort(generator.permutation(drawn)[:wanted])
        found = work.customers.find_many(work.connection, drawn)
        serving, active = work.serving, work.active
    settled = active.are_current(found.ids, found.epochs)
    anew = serving.reassign_many(found.values, found.segments)
    segments = np.where(settled, found.segments, anew)
    projection = project(serving.model, found.values) if len(found.ids) > 1 else None
    return SegmentMap(serving.version, serving.model.numbers, segments, projection)
