"""The command that trains a model and follows the training."""

from collections.abc import Iterable
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from customer_segmentation.cli.bank import open_bank
from customer_segmentation.cli.console import (
    ExitCode,
    complain,
    errors,
    errors_told,
    open_database,
    print_json,
    say,
    this_person,
)
from customer_segmentation.cli.local import LocalBank
from customer_segmentation.cli.options import AsJson, By, Key, Reason, Url, complete_attributes
from customer_segmentation.cli.spark import (
    ConfOption,
    EngineName,
    EngineOption,
    MasterOption,
    TableOption,
    external_table,
    refuse_with_spark,
    require_spark,
    spark_settings,
    tell_refusals,
)
from customer_segmentation.cli.tables import MappingOption
from customer_segmentation.client import Json
from customer_segmentation.domain.features import FEATURE_NAMES
from customer_segmentation.domain.jobs import JobState
from customer_segmentation.services.external import ExternalTable
from customer_segmentation.services.settings import Settings
from customer_segmentation.services.training import refused_rows


def _attributes(names: list[str] | None) -> list[str] | None:
    unknown = sorted(set(names or ()) - set(FEATURE_NAMES))
    if unknown:
        message = f"{', '.join(unknown)}: must be one of {', '.join(FEATURE_NAMES)}"
        raise typer.BadParameter(message)
    if len(set(names or ())) == len(FEATURE_NAMES):
        raise typer.BadParameter("must leave the model an attribute")
    return names


def train(
    segments: Annotated[int | None, typer.Option(help="Number of segments.", min=2, max=12)] = None,
    seed: Annotated[
        int | None, typer.Option(help="Seed of every random choice.", min=0, max=2**32 - 1)
    ] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option(
            help="Attribute that the model must not use; repeatable.",
            callback=_attributes,
            autocompletion=complete_attributes,
        ),
    ] = None,
    engine: EngineOption = EngineName.LOCAL,
    source: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="SOURCE",
            help="Train on this table, not on the stored customers (spark): Parquet, such as "
            "s3a://bank/customers/*.parquet, or a JDBC URL.",
        ),
    ] = None,
    table: TableOption = None,
    mapping: MappingOption = None,
    master: MasterOption = None,
    conf: ConfOption = None,
    by: By = None,
    reason: Reason = "",
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Train a model on the customers as they are now, and let it serve if it passes the gates.

    Exits with 3 where it does not, and stays a candidate; with 7 where rows of a table that it is
    trained on are not taken.

    Example: customer-segmentation train --segments 5 --reason "try five"
    """
    of_spark: dict[str, object] = {"--from": source, "--table": table, "--mapping": mapping}
    of_spark |= {"--spark-master": master, "--spark-conf": conf}
    require_spark(engine, of_spark)
    who = this_person() if by is None else by
    asked: dict[str, Any] = {
        "k": segments,
        "seed": seed,
        "exclude": exclude or None,
        "by": who,
        "reason": reason,
    }
    refusals: dict[str, int] = {}
    if engine is EngineName.SPARK:
        refuse_with_spark(engine, {"--url": url})
        if source is None:
            raise typer.BadParameter("--from must name the table to train on")
        with errors_told():
            external = external_table(source, table, mapping)
        job, refusals = _train_on_spark(spark_settings(master, conf), external, asked)
    else:
        with open_bank(url, key) as bank:
            started = bank.begin_training(**asked)
            job = follow(bank.follow_job(started["id"]), started)
    if as_json:
        print_json(job)
    tell_refusals(refusals)
    _tell(job, as_json)
    if refusals:
        raise typer.Exit(ExitCode.REJECTED)


def _train_on_spark(
    settings: Settings, external: ExternalTable, asked: dict[str, Any]
) -> tuple[Json, dict[str, int]]:
    """Train on a table that is not stored; return the job, and the rows that are not taken."""
    with open_database(settings) as units:
        bank = LocalBank(units, settings)
        started = bank.begin_training(**asked, external=external)
        job = follow(bank.follow_job(started["id"]), started)
        return job, refused_rows(units, job["id"])


def follow(moments: Iterable[Json], started: Json) -> Json:
    """Show how far a job is until it ends; return how it ended."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    job = started
    with Progress(*columns, console=errors) as progress:
        task = progress.add_task(job["phase"], total=None)
        for now in moments:
            job, total = now, now["total"] or None
            progress.update(task, description=job["phase"], completed=job["done"], total=total)
    return job


def _tell(job: Json, as_json: bool) -> None:
    version = job["model_version"]
    if job["state"] == JobState.SUCCEEDED:
        if not as_json:
            say(f"Model version {version} serves")
        return
    if job["state"] == JobState.HELD_BACK:
        complain(f"Model version {version} is held back; see customer-segmentation models list")
        raise typer.Exit(ExitCode.HELD_BACK)
    complain(f"The training is {job['state']}: {job['error']}")
    raise typer.Exit(ExitCode.FAILED)
