"""The engine that this machine trains with, imported only by who trains."""

from customer_segmentation.domain.schema import Schema
from customer_segmentation.engines.engine import Engine


def local_engine(schema: Schema) -> Engine:
    """Return this machine's engine for a schema; to import it takes longer than to read many."""
    from customer_segmentation.engines.local import LocalEngine

    return LocalEngine(schema)
