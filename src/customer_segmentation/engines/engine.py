"""What every engine offers."""

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Protocol

from customer_segmentation.domain.arrays import FloatArray, IdArray
from customer_segmentation.domain.jobs import Phase
from customer_segmentation.model.artifact import Model, Parameters
from customer_segmentation.model.quality.gates import Gates

if TYPE_CHECKING:
    # With it comes scikit-learn, for which a worker does not wait.
    from customer_segmentation.model.quality.study import Study

Progress = Callable[[Phase, int, int], None]
"""Is told the phase, and how much of how much of it is done."""


def unheard(_phase: Phase, _done: int, _total: int) -> None:
    """Tell nobody about the progress."""


class Engine(Protocol):
    """Trains models; whichever engine does it, the artifact is the same."""

    def train(
        self,
        ids: IdArray,
        values: FloatArray,
        parameters: Parameters,
        serving: Model | None = None,
        *,
        next_number: int | None = None,
        progress: Progress = unheard,
    ) -> Model:
        """Train a model on customers.

        Args:
            ids: (n,), the customers' ids: numbers, rising, or texts in any order.
            values: (n, d), the values of the schema's attributes, as they are inside.
            parameters: how to train.
            serving: the active model; its segments keep number, name and strategies.
            next_number: the number of the first segment that is new, by default the serving
                model's largest and one.
            progress: is told how far the training is.

        Raises:
            TrainingRefusedError: there are fewer customers, or fewer that differ, than segments.
        """
        ...

    def choose_segments(
        self, values: FloatArray, parameters: Parameters, gates: Gates
    ) -> tuple[int, str]:
        """Return how many segments a first model of customers, (n, d), should have, and why.

        Raises:
            TrainingRefusedError: there are fewer customers that differ than segments at the least.
        """
        ...

    def study(
        self,
        values: FloatArray,
        parameters: Parameters,
        gates: Gates,
        ks: Collection[int],
        progress: Progress = unheard,
        serving: Model | None = None,
    ) -> "Study":
        """Try numbers of segments, `ks`, and preparations on customers, (n, d).

        Raises:
            TrainingRefusedError: there are not more customers than the most segments tried.
        """
        ...
