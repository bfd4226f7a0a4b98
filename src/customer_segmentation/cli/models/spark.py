"""What commands share that can run on Apache Spark: options, the table, rows that are not taken."""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from customer_segmentation.cli.console.output import read_settings, warn
from customer_segmentation.domain.plurals import counted

if TYPE_CHECKING:
    from customer_segmentation.services.runtime.settings import Settings
    from customer_segmentation.services.training.external import ExternalTable


class EngineName(StrEnum):
    """Where work runs."""

    LOCAL = "local"
    SPARK = "spark"


def _pairs(texts: list[str] | None) -> list[str] | None:
    names = set()
    for text in texts or ():
        name, is_pair, _ = text.partition("=")
        if not (name and is_pair):
            raise typer.BadParameter(f"{text}: must be KEY=VALUE")
        if name in names:
            raise typer.BadParameter(f"{name} is given more than once")
        names.add(name)
    return texts


EngineOption = Annotated[
    EngineName,
    typer.Option("--engine", help="spark is for a table too large for this machine (extra spark)."),
]
TableOption = Annotated[
    str | None, typer.Option("--table", help="Table of the database at a JDBC URL (spark).")
]
MasterOption = Annotated[
    str | None,
    typer.Option(
        "--spark-master", help="Such as yarn or spark://HOST:7077.", show_default="the setting"
    ),
]
ConfOption = Annotated[
    list[str] | None,
    typer.Option(
        "--spark-conf",
        metavar="KEY=VALUE",
        help="Spark's configuration, such as spark.jars=/opt/postgresql.jar; repeatable.",
        callback=_pairs,
    ),
]


def spark_settings(master: str | None, conf: list[str] | None) -> "Settings":
    """Return the settings, with what options say of Spark's session."""
    settings = read_settings()
    pairs = (text.partition("=") for text in conf or ())
    more = {name: value for name, _, value in pairs}
    changed: dict[str, object] = {"spark_conf": settings.spark_conf | more}
    if master is not None:
        changed["spark_master"] = master
    return settings.model_copy(update=changed)


def external_table(source: str, table: str | None, mapping: Path | None) -> "ExternalTable":
    """Return a table outside the database, as options name it.

    Raises:
        InvalidInputError: it can be none.
        MappingError: the mapping is not as it must be.
    """
    from customer_segmentation.files.map.mapping_file import read_mapping_text
    from customer_segmentation.services.training.external import ExternalTable

    text = None if mapping is None else read_mapping_text(mapping)
    return ExternalTable(source, table, text)


def tell_refusals(refusals: Mapping[str, int]) -> None:
    """Tell how many rows of a table are not taken, and why."""
    for reason, rows in sorted(refusals.items()):
        warn(f"{counted(rows, 'row')} not taken: {reason}")
