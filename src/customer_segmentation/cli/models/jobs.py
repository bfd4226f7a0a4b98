"""Commands on jobs: list, show, cancel."""

from typing import Annotated
from uuid import UUID

import typer

from customer_segmentation.cli.console.options import AsJson, By, Key, Url
from customer_segmentation.cli.console.output import (
    moment,
    print_json,
    print_table,
    say,
    this_person,
)
from customer_segmentation.cli.console.service import Json, open_service
from customer_segmentation.domain.errors import JobNotFoundError
from customer_segmentation.domain.jobs import JobState

jobs = typer.Typer(no_args_is_help=True, help="List trainings and studies, and cancel one.")

_JobId = Annotated[str, typer.Argument(help="The job's id.")]


@jobs.command("list")
def list_jobs(url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """List the newest hundred jobs, the newest first.

    Example: customer-segmentation jobs list
    """
    with open_service(url, key) as service:
        found = service.list_jobs()
    if as_json:
        print_json(found)
        return
    columns = ("id", "kind", "state", "phase", "progress", "started", "because of")
    print_table(columns, map(_row, found["jobs"]))


@jobs.command("show")
def show_job(job_id: _JobId, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Tell how far a job is, and how it ended.

    Example: customer-segmentation jobs show 6f1c0a9e3b7d4c558f2e9d10a4b6c7e8
    """
    with open_service(url, key) as service:
        job = service.get_job(_id(job_id))
    if as_json:
        print_json(job)
        return
    rows = [(name, _cell(name, value)) for name, value in job.items() if value not in (None, "")]
    print_table(("what", "value"), rows)


@jobs.command("cancel")
def cancel_job(
    job_id: _JobId, by: By = None, url: Url = None, key: Key = None, as_json: AsJson = False
) -> None:
    """Cancel a running job: its model will not serve.

    Example: customer-segmentation jobs cancel 6f1c0a9e3b7d4c558f2e9d10a4b6c7e8
    """
    with open_service(url, key) as service:
        job = service.cancel_job(_id(job_id), this_person() if by is None else by)
    if as_json:
        print_json(job)
    else:
        say(f"Job {job_id} is cancelled")


def _id(text: str) -> str:
    """Return a job's id as paths have it.

    Raises:
        JobNotFoundError: no job has such an id.
    """
    try:
        return UUID(text).hex
    except ValueError:
        raise JobNotFoundError(text) from None


def _row(job: Json) -> tuple[str, ...]:
    runs = job["state"] == JobState.RUNNING and job["total"]
    progress = f"{job['done']:,} of {job['total']:,}" if runs else ""
    names = ("id", "kind", "state", "phase")
    return (*(job[n] for n in names), progress, moment(job["created_at"]), job["trigger"])


def _cell(name: str, value: object) -> str:
    return moment(str(value)) if name.endswith("_at") else str(value)
