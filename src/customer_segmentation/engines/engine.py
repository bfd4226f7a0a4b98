"""What every engine offers."""

from typing import Protocol

from customer_segmentation.domain.arrays import FloatArray, IntArray
from customer_segmentation.model.artifact import Model, Parameters


class Engine(Protocol):
    """Trains models; whichever engine does it, the artifact is the same."""

    def train(
        self,
        ids: IntArray,
        values: FloatArray,
        parameters: Parameters,
        serving: Model | None = None,
    ) -> Model:
        """Train a model on customers.

        Args:
            ids: (n,), the customers' ids, rising.
            values: (n, d), their attributes in the feature table's order, in users' units.
            parameters: how to train.
            serving: the model that serves now; its segments keep number, name and strategy.

        Raises:
            TrainingRefusedError: there are fewer customers, or fewer that differ, than segments.
        """
        ...
