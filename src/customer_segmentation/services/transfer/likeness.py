"""Whether a table's customers are like those that the active model was trained on."""

from customer_segmentation.domain.arrays import FloatArray
from customer_segmentation.model.monitoring.distribution import Distribution
from customer_segmentation.model.monitoring.drift import LARGE, measure_drift
from customer_segmentation.services.monitoring.distribution import count
from customer_segmentation.services.runtime.serving import ServingModel

_LOOKED_AT = 20_000
"""The first customers of a table tell enough, and to count them all would take its time."""

_FEWEST = 200
"""Of fewer, a large difference says little."""


class Likeness:
    """Looks at the first customers of a table beside those that a model was trained on."""

    def __init__(self, serving: ServingModel) -> None:
        """Begin with nobody.

        Args:
            serving: the model.
        """
        self._serving = serving
        self._seen: Distribution | None = None
        self._count = 0

    def look(self, values: FloatArray) -> None:
        """Look at customers, (n, d), until enough are seen."""
        values = values[: _LOOKED_AT - self._count]
        if len(values) == 0:
            return
        segments = self._serving.assign_many(values)
        found = count(self._serving, values, segments)
        self._seen = found if self._seen is None else self._seen + found
        self._count += len(values)

    @property
    def differing(self) -> list[str]:
        """The attributes that are spread otherwise by far, the farthest first.

        Their population stability index is at least 0.25; see `model/monitoring/drift.py`.
        """
        if self._seen is None or self._count < _FEWEST:
            return []
        drift = measure_drift(self._serving.model, self._seen)
        far = [one for one in drift.attributes if one.psi >= LARGE]
        return [one.attribute for one in sorted(far, key=lambda one: -one.psi)]
