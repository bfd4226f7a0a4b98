"""The command that trains a model and follows the training."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from customer_segmentation.cli.console.commands import refuse_given
from customer_segmentation.cli.console.options import (
    AsJson,
    By,
    Key,
    Reason,
    Url,
    complete_attributes,
)
from customer_segmentation.cli.console.output import (
    ExitCode,
    complain,
    errors,
    open_database,
    print_json,
    say,
    this_person,
    warn,
)
from customer_segmentation.cli.console.service import Json, open_service, serve_in_process
from customer_segmentation.cli.files.tables import MappingOption
from customer_segmentation.cli.models.spark import (
    ConfOption,
    EngineName,
    EngineOption,
    MasterOption,
    TableOption,
    external_table,
    spark_settings,
    tell_refusals,
)
from customer_segmentation.domain.jobs import JobState, Phase

if TYPE_CHECKING:
    from customer_segmentation.client import Client
    from customer_segmentation.services.runtime.settings import Settings
    from customer_segmentation.services.training.external import ExternalTable

_FOLLOW_SECONDS = 0.2
_FINISHED = (JobState.SUCCEEDED, JobState.HELD_BACK)


def train(
    context: typer.Context,
    segments: Annotated[int | None, typer.Option(help="Number of segments.", min=2, max=12)] = None,
    seed: Annotated[
        int | None, typer.Option(help="Seed of every random choice.", min=0, max=2**32 - 1)
    ] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option(
            help="Attribute that the model must not use; repeatable.",
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
    """Train a model on the current customers, and activate it if it passes the gates.

    Exits with 3 where it does not, and stays a candidate; with 7 where rows of a table that it is
    trained on are not taken.

    Example: customer-segmentation train --segments 5 --reason "try five"
    """
    if engine is EngineName.SPARK:
        refuse_given(context, "is not for --engine spark", "url")
    else:
        of_spark = ("source", "table", "mapping", "master", "conf")
        refuse_given(context, "is for --engine spark", *of_spark)
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
        if source is None:
            raise typer.BadParameter("--from must name the table to train on")
        external = external_table(source, table, mapping)
        job, refusals = _train_on_spark(spark_settings(master, conf), external, asked)
    else:
        with open_service(url, key) as service:
            job = follow(service, lambda: service.begin_training(**asked))
    if as_json:
        print_json(job)
    tell_refusals(refusals)
    _tell(job, as_json)
    if refusals:
        raise typer.Exit(ExitCode.REJECTED)


def _train_on_spark(
    settings: "Settings", external: "ExternalTable", asked: dict[str, Any]
) -> tuple[Json, dict[str, int]]:
    """Train on a table that is not stored; return the job, and the rows that are not taken."""
    from customer_segmentation.domain.jobs import Origin, Trigger
    from customer_segmentation.services.training.start import (
        Overrides,
        begin_training,
        refused_rows,
    )

    excluded = tuple(asked["exclude"]) if asked["exclude"] else None
    overrides = Overrides(asked["k"], asked["seed"], excluded=excluded, external=external)
    origin = Origin(Trigger.REQUEST, asked["by"], asked["reason"])
    with open_database(settings) as units, serve_in_process(units, settings) as service:

        def begin() -> Json:
            return service.get_job(begin_training(units, settings, origin, overrides).id)

        job = follow(service, begin)
        return job, refused_rows(units, job["id"])


def follow(service: "Client", begin: Callable[[], Json]) -> Json:
    """Begin a job and show how far it is until it ends; return how it ended."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    job = None
    try:
        job = begin()
        with Progress(*columns, console=errors) as progress:
            task = progress.add_task(job["phase"], total=None)
            for now in service.follow_job(job["id"], _FOLLOW_SECONDS):
                job, total = now, now["total"] or None
                progress.update(task, description=job["phase"], completed=job["done"], total=total)
            if job["state"] in _FINISHED:
                # The last count that is written down may lie before the end.
                progress.update(task, completed=job["total"] or 1, total=job["total"] or 1)
    except KeyboardInterrupt:
        if job is not None and job["phase"] == Phase.RESCORING:
            warn(f"Model version {job['model_version']} is active already, and stays so")
        else:
            what = "A job that has begun" if job is None else f"The job {job['id']}"
            where = "jobs list" if job is None else f"jobs show {job['id']}"
            told = "goes on in the service, if that runs it, and else stops"
            warn(f"Nothing is changed yet. {what} {told}: see {where}")
        raise
    return job


def _tell(job: Json, as_json: bool) -> None:
    version = job["model_version"]
    if job["state"] == JobState.SUCCEEDED:
        if not as_json:
            say(f"Model version {version} is now active")
        return
    if job["state"] == JobState.HELD_BACK:
        complain(f"Model version {version} is held back; see customer-segmentation models list")
        raise typer.Exit(ExitCode.HELD_BACK)
    complain(f"The training is {job['state']}: {job['error']}")
    raise typer.Exit(ExitCode.FAILED)
