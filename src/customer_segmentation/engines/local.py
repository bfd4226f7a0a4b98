"""Training in memory on this machine."""

from customer_segmentation.domain.arrays import FloatArray, IntArray
from customer_segmentation.model.artifact import Model, Parameters
from customer_segmentation.model.train import train


class LocalEngine:
    """Trains with scikit-learn and NumPy."""

    def train(
        self,
        ids: IntArray,
        values: FloatArray,
        parameters: Parameters,
        serving: Model | None = None,
    ) -> Model:
        """See `Engine.train`."""
        return train(ids, values, parameters, serving)
