"""The command that trains a model and follows the training."""

from collections.abc import Iterable
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from customer_segmentation.cli.bank import open_bank
from customer_segmentation.cli.console import (
    ExitCode,
    complain,
    errors,
    print_json,
    say,
    this_person,
)
from customer_segmentation.cli.options import AsJson, By, Key, Reason, Url, complete_attributes
from customer_segmentation.client import Json
from customer_segmentation.domain.features import FEATURE_NAMES
from customer_segmentation.domain.jobs import JobState


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
    by: By = None,
    reason: Reason = "",
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Train a model on the customers as they are now, and let it serve if it passes the gates.

    Exits with 3 where it does not, and stays a candidate.

    Example: customer-segmentation train --segments 5 --reason "try five"
    """
    who = this_person() if by is None else by
    with open_bank(url, key) as bank:
        started = bank.begin_training(
            k=segments, seed=seed, exclude=exclude or None, by=who, reason=reason
        )
        job = _follow(bank.follow_job(started["id"]), started)
    if as_json:
        print_json(job)
    _tell(job, as_json)


def _follow(moments: Iterable[Json], started: Json) -> Json:
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
