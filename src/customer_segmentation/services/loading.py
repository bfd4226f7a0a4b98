"""The use case of a first start: load a data file into an empty database and train on it."""

import logging
from collections.abc import Callable
from pathlib import Path

from customer_segmentation.domain.errors import DataFileError, TrainingRefusedError
from customer_segmentation.domain.history import Activation, Cause
from customer_segmentation.domain.jobs import Origin, Trigger
from customer_segmentation.engines.engine import Engine
from customer_segmentation.files.rejects import RejectsFile
from customer_segmentation.model.artifact import to_json
from customer_segmentation.model.gates import find_failures
from customer_segmentation.services.activation import activate
from customer_segmentation.services.audit import note
from customer_segmentation.services.clock import now
from customer_segmentation.services.data_file import DataFile, read_data_file
from customer_segmentation.services.serving import load_model
from customer_segmentation.services.settings import Settings
from customer_segmentation.services.unit_of_work import UnitsOfWork
from customer_segmentation.store import customers, history, models

logger = logging.getLogger(__name__)

_NOBODY = "the service"


def load_first_data(units: UnitsOfWork, engine: Callable[[], Engine], settings: Settings) -> None:
    """Load a file's customers, train the first model on them and make it serve.

    All of it is one transaction: a start cut off half way leaves the database empty. Where a model
    is there already, nothing is changed.

    Raises:
        DataFileError: the file cannot be read, or has too few customers to train on.
    """
    path = settings.data
    data = read_data_file(path)
    _report(data, path)
    try:
        model = engine().train(data.ids, data.values, settings.parameters)
    except TrainingRefusedError as refusal:
        raise DataFileError(f"{path} cannot be used as the first data. {refusal}") from refusal
    held_back = find_failures(model, None, settings.gates)
    for reason in held_back:
        logger.warning("The first model serves, as there is no other, but: %s", reason)
    origin = Origin(Trigger.FIRST_START, _NOBODY, f"first data from {path.name}")
    with units.database.write() as connection:
        if models.lock(connection) is not None:
            return
        # One moment for all, as whoever was there when a version was trained was trained with.
        moment = now()
        version = models.add(connection, to_json(model), moment, origin, held_back)
        serving = load_model(connection, version)
        segments = serving.assigner.assign(data.values)
        customers.add_many(connection, data.ids, data.values, segments, epoch=0)
        entered = (None, segments)
        history.add_many(connection, data.ids, moment, Cause.ADDED, entered, version)
        note(connection, "file", path.name, f"{len(data.ids)} customers added", _NOBODY)
        activation = Activation(version, None, Cause.ADDED, moment, origin.by, origin.reason)
        activate(connection, activation, serving, model.distribution)
    logger.info("Loaded %s customers from %s", f"{len(data.ids):,}", path)


def _report(data: DataFile, path: Path) -> None:
    if data.ignored:
        logger.warning(
            "Ignored the columns of %s that are not known: %s", path, ", ".join(data.ignored)
        )
    if data.rejects:
        rejects = Path(f"{path.stem}.rejects.csv")
        with RejectsFile(rejects, data.columns) as file:
            file.add(data.rejects)
        logger.warning(
            "Did not load %s rows of %s: see %s", f"{len(data.rejects):,}", path, rejects
        )
