"""Sessions of Apache Spark, and what goes wrong with them in the words of the domain."""

import logging
import os
import shutil
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import pyarrow as pa

from customer_segmentation.domain.errors import (
    DataFileError,
    EngineUnavailableError,
    ExtraMissingError,
)

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.types import StructType

BatchFunction: TypeAlias = Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]

_SUBMITTED = "PYSPARK_GATEWAY_PORT"
"""Where this variable is set, spark-submit started this process; its configuration holds."""

_NEEDED = {
    # Else a table that is gone over again and again stays in the 200 parts of Spark's shuffles,
    # and starting Python on each takes longer than the work.
    "spark.sql.optimizer.canChangeCachedPlanOutputPartitioning": "true"
}
_DEFAULTS = {
    "spark.log.level": "ERROR",
    "spark.sql.execution.arrow.maxRecordsPerBatch": "65536",
    "spark.ui.showConsoleProgress": "false",
}
_LOCAL_DEFAULTS = {"spark.ui.enabled": "false"}
"""Nobody else is meant to reach what runs on one machine only; its pages ask for no password."""


@contextmanager
def open_session(master: str, configuration: Mapping[str, str]) -> Iterator["SparkSession"]:
    """Open a session; one that this process has already is used as it is, and stays open.

    Args:
        master: where it runs, such as `local[*]`; under spark-submit, what that says holds.
        configuration: of Spark, by its own names.

    Raises:
        ExtraMissingError: PySpark is not installed.
        EngineUnavailableError: there is no Java, or Spark does not start.
    """
    if any(find_spec(name) is None for name in ("pyspark", "pandas")):
        raise ExtraMissingError("spark", "the engine of Apache Spark")
    from pyspark.sql import SparkSession

    active = SparkSession.getActiveSession()
    if active is not None:
        yield active
        return
    session = _start(master, dict(configuration))
    try:
        yield session
    finally:
        session.stop()


def _start(master: str, configuration: dict[str, str]) -> "SparkSession":
    from pyspark.errors import PySparkException
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.appName("customer-segmentation")
    if _SUBMITTED in os.environ:
        told = _NEEDED | configuration
    else:
        _require_java()
        # Else the workers on this machine would run the first python3 on the path.
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        builder = builder.master(master)
        told = _NEEDED | _DEFAULTS | configuration
        if master.startswith("local"):
            os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
            told = _LOCAL_DEFAULTS | told
    logging.getLogger("py4j").setLevel(logging.WARNING)
    for name, value in told.items():
        builder = builder.config(name, value)
    try:
        with _without_advice():
            return builder.getOrCreate()
    except PySparkException as failure:
        raise EngineUnavailableError(
            f"Apache Spark does not start; it needs Java 17 or later, and a master that answers: "
            f"{_first_line(failure)}"
        ) from failure


def _require_java() -> None:
    home = os.environ.get("JAVA_HOME")
    if not (Path(home, "bin", "java").exists() if home else shutil.which("java")):
        raise EngineUnavailableError(
            "Apache Spark needs Java 17 or later, and there is none"
            + (f" at JAVA_HOME={home}" if home else "; install a runtime or set JAVA_HOME")
        )


def map_batches(
    frame: "DataFrame", function: BatchFunction, schema: "StructType | str"
) -> "DataFrame":
    """Return what a function makes of the batches of each partition.

    Args:
        frame: a table.
        function: is sent to where the partitions are.
        schema: of what it yields.
    """
    with _without_advice():
        return frame.mapInArrow(function, schema)


@contextmanager
def _without_advice() -> Iterator[None]:
    """Keep PySpark's advice on versions of pandas from users: pandas is never used."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        yield


@contextmanager
def faults_told(name: str) -> Iterator[None]:
    """Tell what is wrong with a table in the words of the domain.

    Raises:
        DataFileError: it is not there, or cannot be read or written.
    """
    from py4j.protocol import Py4JJavaError
    from pyspark.errors import PySparkException, PythonException

    try:
        yield
    except PythonException:
        raise  # Our own code failed where the partitions are: that is no fault of the table.
    except PySparkException as error:
        raise DataFileError(f"{name} cannot be used: {_first_line(error)}") from error
    except Py4JJavaError as error:
        reason = _first_line(error.java_exception.getMessage())
        if error.java_exception.getClass().getSimpleName() == "ClassNotFoundException":
            reason = f"Spark has no {reason}; name its jar with --spark-conf spark.jars=FILE"
        raise DataFileError(f"{name} cannot be used: {reason}") from error


def _first_line(error: object) -> str:
    return str(error).strip().partition("\n")[0].partition(" SQLSTATE:")[0]
