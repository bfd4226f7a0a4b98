"""The use case of a first start: load a data file into an empty database and train on it."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from customer_segmentation.domain.errors import (
    DataFileError,
    OtherSchemaError,
    TrainingRefusedError,
)
from customer_segmentation.domain.imports import Mode
from customer_segmentation.domain.jobs import Origin, Trigger
from customer_segmentation.domain.plurals import counted
from customer_segmentation.domain.schema import Schema
from customer_segmentation.engines.engine import Engine
from customer_segmentation.files.blocks import Reject
from customer_segmentation.files.check.rejects import RejectsFile, rejects_path
from customer_segmentation.files.map.mapping import ColumnMapping
from customer_segmentation.files.read.tables import Source, open_table
from customer_segmentation.files.table_source import find_mapping
from customer_segmentation.services.runtime.current_schema import (
    begin_schema,
    load_schema,
    read_current,
)
from customer_segmentation.services.runtime.settings import Settings
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork
from customer_segmentation.services.transfer.first_import import Beginning
from customer_segmentation.services.transfer.first_model import (
    LOADING,
    LOADING_SECONDS,
    FirstCustomers,
    store_first,
)
from customer_segmentation.services.transfer.first_transactions import (
    Purchases,
    customers_of,
    read_first_transactions,
)
from customer_segmentation.services.transfer.importing import Import, import_customers
from customer_segmentation.store.database import wait_for_turn
from customer_segmentation.store.queries import demo, models

logger = logging.getLogger(__name__)

_NOBODY = "the service"


def load_first_data(
    units: UnitsOfWork, engine: Callable[[Schema], Engine], settings: Settings, *, is_demo: bool
) -> None:
    """Load a file's customers, train the first model on them and make it serve.

    All of it is one transaction: a start cut off half way leaves the database empty. Of several
    servers that start at once one loads, and the others wait for it; where a model is there
    already, nothing is changed. A schema that the settings name holds from then on, also where a
    first start before had another one.

    Args:
        units: over the database.
        engine: returns the one to train with, for a schema.
        settings: name the file, and how to train.
        is_demo: whether the file is the demonstration's, and goes when a bank begins its own.

    Raises:
        DataFileError: the file cannot be read, or has too few customers to train on.
        OtherSchemaError: another server has begun with another schema.
    """
    with units.database.write(LOADING_SECONDS) as connection:
        wait_for_turn(connection, LOADING)
        held = load_schema(connection)
        given = held
        if settings.schema_file is not None:
            given = read_current(settings.schema_file, held.number + 1)
        is_other = not given.says_the_same(held)
        is_empty = models.active_version(connection) is None
        if is_empty or (is_other and demo.is_held(connection)):
            own = UnitsOfWork(units.database, units.audit, given if is_other else held)
            # First, as nobody else can look at a table that is being made anew.
            first = _read(own, engine, settings)
            if is_other:
                begin_schema(connection, given)
            store_first(connection, own.customers, first, units.audit)
            if is_demo:
                demo.mark(connection)
        elif is_other and settings.schema_file is not None:
            raise OtherSchemaError(settings.schema_file)


def _read(
    units: UnitsOfWork, engine: Callable[[Schema], Engine], settings: Settings
) -> FirstCustomers:
    path = settings.data
    beginning = Beginning(units, settings)
    rejects: list[Reject] = []
    schema, told = units.schema, units.current_schema.source
    # Nobody is there to look at a guess.
    reading = replace(told.reading, encoding=told.encoding or "utf-8")
    purchases: Purchases = {}
    with open_table(path, reading) as source:
        records = told.records
        if records is not None and {*records.columns.values()} <= {*source.columns}:
            purchases = read_first_transactions(
                source, records.of_file(path.name), schema, rejects.extend
            )
            ids, values = customers_of(purchases, schema)
            beginning.begin_table(path.name)
            beginning.take(ids, values, np.zeros(values.shape, dtype=bool), Mode.INSERT)
            used = set(records.columns.values())
        else:
            used = _read_customers(units, source, beginning, rejects)
    _report(path, source.columns, used, rejects)
    origin = Origin(Trigger.FIRST_START, _NOBODY, f"first data from {path.name}")
    try:
        first = beginning.train(engine(units.schema), origin)
    except TrainingRefusedError as refusal:
        raise DataFileError(f"{path} cannot be used as the first data. {refusal}") from refusal
    for reason in first.weaknesses:
        logger.warning("The first model is active, as there is no other, but: %s", reason)
    logger.info("Loading %s customers from %s", f"{len(first.ids):,}", path)
    return replace(first, source=path.name, purchases=purchases)


def _read_customers(
    units: UnitsOfWork, source: Source, beginning: Beginning, rejects: list[Reject]
) -> set[str]:
    """Read a table of customers; return the columns that are used."""
    schema, told = units.schema, units.current_schema.source
    mapping = find_mapping(schema, source.columns, told)
    mapping = mapping or ColumnMapping.by_record_names(schema)
    how = Import(Path(source.name).name)
    import_customers(units, source, mapping, how, rejects.extend, beginning=beginning)
    return {name for entry in mapping.entries.values() for name in entry.columns}


def _report(path: Path, columns: Sequence[str], known: set[str], rejects: list[Reject]) -> None:
    """Tell what of a file is not loaded."""
    ignored = [name for name in columns if name not in known]
    if ignored:
        logger.warning("Ignored the columns of %s that are not known: %s", path, ", ".join(ignored))
    if rejects:
        target = rejects_path(path)
        with RejectsFile(target, columns) as file:
            file.add(rejects)
        logger.warning("Did not load %s of %s: see %s", counted(len(rejects), "row"), path, target)
