"""The engine that this machine trains with, imported only by who trains."""

from customer_segmentation.domain.features import SHIPPED
from customer_segmentation.engines.engine import Engine


def local_engine() -> Engine:
    """Return the engine of this machine; importing it takes longer than to read many customers."""
    from customer_segmentation.engines.local import LocalEngine

    return LocalEngine(SHIPPED)
