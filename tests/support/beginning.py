"""Filling an empty database with the customers of any schema, as a first import does."""

import numpy as np

from customer_segmentation.domain.arrays import FloatArray, IdArray
from customer_segmentation.domain.imports import Mode
from customer_segmentation.domain.jobs import Origin, Trigger
from customer_segmentation.services.runtime.current_schema import begin_schema, parse_current
from customer_segmentation.services.runtime.settings import Settings
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork, units_over
from customer_segmentation.services.training.engine import local_engine
from customer_segmentation.services.transfer.first_import import Beginning
from customer_segmentation.services.transfer.first_model import store_first
from customer_segmentation.store.schema import migrate


def begin_with(database_url: str, schema: str, ids: IdArray, values: FloatArray) -> UnitsOfWork:
    """Store a schema, customers and the first model; return units of work over them.

    Args:
        database_url: of an empty database.
        schema: as TOML.
        ids: (n,).
        values: (n, d), attributes as they are inside.
    """
    units = units_over(database_url)
    try:
        _begin(units, schema, ids, values)
    except BaseException:
        units.close()
        raise
    return units


def _begin(units: UnitsOfWork, schema: str, ids: IdArray, values: FloatArray) -> None:
    migrate(units.database)
    with units.database.write() as connection:
        begin_schema(connection, parse_current(schema, "of a test", 0))
    units.forget_schema()
    beginning = Beginning(units, Settings())
    beginning.begin_table("first.csv")
    beginning.take(ids, values, np.zeros(values.shape, dtype=bool), Mode.INSERT)
    origin = Origin(Trigger.FIRST_IMPORT, "", "")
    first = beginning.train(local_engine(units.schema), origin)
    with units.database.write() as connection:
        store_first(connection, units.customers, first, units.audit)
