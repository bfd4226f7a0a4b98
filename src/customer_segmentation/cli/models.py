"""Commands on models: train, list, compare, activate, record, drift."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from customer_segmentation.cli.console import (
    errors,
    open_database,
    output,
    read_settings,
    this_person,
)
from customer_segmentation.domain.errors import TrainingFailedError
from customer_segmentation.domain.jobs import Job, JobState, Origin, Trigger
from customer_segmentation.services.comparison import compare_versions
from customer_segmentation.services.distribution import get_drift
from customer_segmentation.services.jobs import cancel_job, follow_job, list_jobs
from customer_segmentation.services.model_record import get_record, record_markdown
from customer_segmentation.services.training import Overrides, begin_training
from customer_segmentation.services.versions import activate_and_rescore, list_versions

models = typer.Typer(no_args_is_help=True, help="List model versions, and choose which one serves.")
jobs = typer.Typer(no_args_is_help=True, help="List trainings and studies, and cancel one.")

_By = Annotated[str | None, typer.Option("--by", help="Who asks (the user who runs this).")]
_Reason = Annotated[str, typer.Option("--reason", help="Why, for the record.")]


def train(
    segments: Annotated[int | None, typer.Option(help="Number of segments.", min=2, max=12)] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of every random choice.", min=0)] = None,
    exclude: Annotated[
        list[str] | None, typer.Option(help="Attribute that the model must not use; repeatable.")
    ] = None,
    by: _By = None,
    reason: _Reason = "",
) -> None:
    """Train a model on the customers as they are now, and let it serve if it passes the gates.

    Example: customer-segmentation train --segments 5 --reason "try five"
    """
    settings = read_settings()
    origin = Origin(Trigger.REQUEST, this_person() if by is None else by, reason)
    overrides = Overrides(k=segments, seed=seed, excluded=tuple(exclude) if exclude else None)
    with open_database(settings) as units:
        job = begin_training(units, settings, origin, overrides)
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=errors) as progress:
            task = progress.add_task(str(job.phase), total=None)
            for now in follow_job(units, job.id):
                progress.update(
                    task, description=str(now.phase), completed=now.done, total=now.total or None
                )
        _tell(now)


def _tell(job: Job) -> None:
    if job.state is JobState.SUCCEEDED:
        output.print(f"Model version {job.model_version} serves")
        return
    if job.state is JobState.HELD_BACK:
        raise TrainingFailedError(
            f"Model version {job.model_version} is held back; see customer-segmentation models list"
        )
    raise TrainingFailedError(f"The training is {job.state}: {job.error}")


@models.command("list")
def list_models() -> None:
    """List the model versions, the newest first."""
    table = Table(
        "version", "trained", "because of", "customers", "silhouette", "stability", "state"
    )
    with open_database() as units:
        for version in list_versions(units):
            state = "active" if version.is_active else ""
            if version.held_back and not version.is_active:
                state = f"held back: {' '.join(version.held_back)}"
            quality = version.model.quality
            table.add_row(
                str(version.number),
                f"{version.created_at:%Y-%m-%d %H:%M:%S} UTC",
                str(version.origin.trigger),
                f"{version.model.fingerprint.customers:,}",
                f"{quality.silhouette:.2f}",
                f"{quality.stability:.2f}",
                state,
            )
    output.print(table)


@models.command("activate")
def activate_model(
    version: Annotated[int, typer.Argument(help="The version that is to serve.")],
    by: _By = None,
    reason: _Reason = "",
) -> None:
    """Make a version serve, a candidate or an older one; running servers notice it by themselves.

    Every customer is segmented by it at once; the history tells it as "retrained" for a newer
    version and as "rolled back" for an older one.
    """
    settings = read_settings()
    with open_database(settings) as units:
        who = this_person() if by is None else by
        activate_and_rescore(units, settings, version, who, reason)
    typer.echo(f"Model version {version} serves")


@models.command("compare")
def compare_models(
    before: Annotated[int, typer.Argument(help="A version, such as the one that serves.")],
    after: Annotated[int, typer.Argument(help="Another version, such as a candidate.")],
) -> None:
    """Tell, as JSON, which customers would move if one version served in place of another."""
    settings = read_settings()
    with open_database(settings) as units:
        typer.echo(json.dumps(compare_versions(units, settings, before, after), indent=2))


@models.command("sql")
def write_rule(
    dialect: Annotated[
        str, typer.Option(help="Of SQL: postgres, duckdb, snowflake, bigquery, spark, tsql, …")
    ] = "postgres",
    table: Annotated[
        str, typer.Option(help="With columns by the attributes' names, and customer_id.")
    ] = "customers",
    view: Annotated[
        str | None, typer.Option(help="Create a view of this name, in place of a query.")
    ] = None,
) -> None:
    """Print the rule of the model that serves as SQL, to assign customers inside a warehouse.

    Example: customer-segmentation models sql --dialect snowflake --view customer_segments
    """
    # It takes a third of the time that any other command takes in all.
    from customer_segmentation.services.sql_export import write_sql

    with open_database() as units:
        typer.echo(write_sql(units, dialect, table, view) + ";")


@models.command("record")
def write_record(
    version: Annotated[int, typer.Argument(help="The version.")],
    to: Annotated[
        Path | None, typer.Option("--output", "-o", help="File (standard output).", dir_okay=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of Markdown.")] = False,
) -> None:
    """Write the document on a version for the bank's model-risk file.

    Example: customer-segmentation models record 3 -o model-3.md
    """
    settings = read_settings()
    with open_database(settings) as units:
        record = get_record(units, settings, version)
    text = json.dumps(record, indent=2) + "\n" if as_json else record_markdown(record)
    if to is None:
        typer.echo(text, nl=False)
    else:
        to.write_text(text, encoding="utf-8")


def drift() -> None:
    """Tell how far the customers have drifted from those that the active model was trained on."""
    with open_database() as units:
        version, found = get_drift(units)
    table = Table("attribute", "stability index", "meaning", "p-value")
    for attribute in found.attributes:
        table.add_row(
            attribute.attribute,
            f"{attribute.psi:.4f}",
            str(attribute.level),
            f"{attribute.p_value:.3f}",
        )
    table.add_row("segments", f"{found.segments_psi:.4f}", "", "")
    output.print(f"Model version {version}: drift is {found.level} ({found.psi:.4f})")
    output.print(table)


@jobs.command("list")
def show_jobs() -> None:
    """List the newest hundred jobs, the newest first."""
    table = Table("id", "kind", "state", "phase", "progress", "started", "because of")
    with open_database() as units:
        for job in list_jobs(units):
            table.add_row(
                job.id,
                str(job.kind),
                str(job.state),
                str(job.phase),
                f"{job.done:,} of {job.total:,}" if job.total else "",
                f"{job.created_at:%Y-%m-%d %H:%M:%S} UTC",
                str(job.trigger),
            )
    output.print(table)


@jobs.command("cancel")
def stop_job(job_id: Annotated[str, typer.Argument(help="The job's id.")], by: _By = None) -> None:
    """Cancel a running job: its model will not serve."""
    with open_database() as units:
        cancel_job(units, job_id, this_person() if by is None else by)
    typer.echo(f"Job {job_id} is cancelled")
