"""The use case of a first start: load a data file into an empty database and train on it."""

import logging
from collections.abc import Callable
from pathlib import Path

from customer_segmentation.domain.errors import DataFileError, TrainingRefusedError
from customer_segmentation.domain.jobs import Origin, Trigger
from customer_segmentation.domain.plurals import counted
from customer_segmentation.engines.engine import Engine
from customer_segmentation.files.check.rejects import RejectsFile, rejects_path
from customer_segmentation.model.quality.gates import find_failures
from customer_segmentation.services.runtime.settings import Settings
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork
from customer_segmentation.services.transfer.data_file import DataFile, read_data_file
from customer_segmentation.services.transfer.first_model import (
    LOADING,
    LOADING_SECONDS,
    FirstCustomers,
    store_first,
)
from customer_segmentation.store.database import wait_for_turn
from customer_segmentation.store.queries import demo, models

logger = logging.getLogger(__name__)

_NOBODY = "the service"


def load_first_data(
    units: UnitsOfWork, engine: Callable[[], Engine], settings: Settings, *, is_demo: bool
) -> None:
    """Load a file's customers, train the first model on them and make it serve.

    All of it is one transaction: a start cut off half way leaves the database empty. Of several
    servers that start at once one loads, and the others wait for it; where a model is there
    already, nothing is changed.

    Args:
        units: over the database.
        engine: returns the one to train with.
        settings: name the file, and how to train.
        is_demo: whether the file is the demonstration's, and goes when a bank begins its own.

    Raises:
        DataFileError: the file cannot be read, or has too few customers to train on.
    """
    with units.database.write(LOADING_SECONDS) as connection:
        wait_for_turn(connection, LOADING)
        if models.active_version(connection) is None:
            store_first(connection, units.customers, _read(engine, settings), units.audit)
            if is_demo:
                demo.mark(connection)


def _read(engine: Callable[[], Engine], settings: Settings) -> FirstCustomers:
    path = settings.data
    data = read_data_file(path)
    _report(data, path)
    try:
        model = engine().train(data.ids, data.values, settings.parameters)
    except TrainingRefusedError as refusal:
        raise DataFileError(f"{path} cannot be used as the first data. {refusal}") from refusal
    origin = Origin(Trigger.FIRST_START, _NOBODY, f"first data from {path.name}")
    weaknesses = find_failures(model, None, settings.gates)
    for reason in weaknesses:
        logger.warning("The first model is active, as there is no other, but: %s", reason)
    logger.info("Loading %s customers from %s", f"{len(data.ids):,}", path)
    return FirstCustomers(data.ids, data.values, model, origin, weaknesses, path.name)


def _report(data: DataFile, path: Path) -> None:
    if data.ignored:
        logger.warning(
            "Ignored the columns of %s that are not known: %s", path, ", ".join(data.ignored)
        )
    if data.rejects:
        rejects = rejects_path(path)
        with RejectsFile(rejects, data.columns) as file:
            file.add(data.rejects)
        logger.warning(
            "Did not load %s of %s: see %s", counted(len(data.rejects), "row"), path, rejects
        )
