"""The use case of comparing two versions over the current customers."""

import json
from dataclasses import asdict
from typing import Any

import numpy as np

from customer_segmentation.domain.errors import VersionNotFoundError, VersionsNotComparableError
from customer_segmentation.model.quality.impact import Impact, count_pairs, measure_impact
from customer_segmentation.services.jobs.pool import start_worker
from customer_segmentation.services.runtime.serving import load_model
from customer_segmentation.services.runtime.settings import Settings
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork
from customer_segmentation.store.arrow import arrow_reader
from customer_segmentation.store.queries import models

_MAX_AT_ONCE = 50_000
"""So many customers are compared sooner than a process starts."""


def compare_versions(
    units: UnitsOfWork, settings: Settings, before: int, after: int
) -> dict[str, Any]:
    """Return what `compare` tells; of a large bank in a process of its own.

    Raises:
        VersionNotFoundError: there is no such version.
        VersionsNotComparableError: the comparison could not be worked out.
    """
    with units.database.read() as connection:
        for version in (before, after):
            if models.find(connection, version) is None:
                raise VersionNotFoundError(version)
        is_small = units.customers.count(connection) <= _MAX_AT_ONCE
    if is_small:
        return dict(json.loads(json.dumps(asdict(compare(units, before, after)))))
    arguments = (str(before), str(after))
    with start_worker(settings, "compare", *arguments, background=True, answers=True) as process:
        assert process.stdout is not None  # noqa: S101
        answer = process.stdout.read()
    if process.returncode != 0:
        raise VersionsNotComparableError(
            f"Versions {before} and {after} could not be compared; the log tells why"
        )
    return dict(json.loads(answer))


def count_moves(compared: dict[str, Any]) -> dict[tuple[int | None, int | None], int]:
    """Return the customers of a comparison by the segments that its two versions give them."""
    return {
        (int(left), int(entered)): count
        for left, row in compared["matrix"].items()
        for entered, count in row.items()
        if count
    }


def compare(units: UnitsOfWork, before: int, after: int) -> Impact:
    """Tell what activating one version in place of another changes for the customers.

    Raises:
        VersionNotFoundError: there is no such version.
        ArtifactError: a version's artifact is damaged.
    """
    with units.database.read() as connection:
        left = load_model(connection, before, units.schema)
        entered = load_model(connection, after, units.schema)
    pairs = np.zeros((len(left.model.segments), len(entered.model.segments)), dtype=np.int64)
    with arrow_reader(units.database) as read:
        for values in units.customers.read_attributes(read):
            pairs += count_pairs(
                left.model,
                entered.model,
                left.assign_many(values),
                entered.assign_many(values),
            )
    return measure_impact(left.model, entered.model, pairs)
