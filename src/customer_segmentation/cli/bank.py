"""What commands ask of a bank: of the local database, or of a service through its client."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Protocol

import typer

from customer_segmentation.cli.console.output import (
    ExitCode,
    complain,
    errors_told,
    open_database,
    read_settings,
)

Json = dict[str, Any]

_BY_STATUS = {
    401: ExitCode.REFUSED,
    403: ExitCode.REFUSED,
    404: ExitCode.NOT_FOUND,
    422: ExitCode.USAGE,
    429: ExitCode.UNREACHABLE,
    502: ExitCode.UNREACHABLE,
    503: ExitCode.UNREACHABLE,
    504: ExitCode.UNREACHABLE,
}


class Bank(Protocol):
    """Answers with the JSON of the API, wherever the customers are; see `client.py`."""

    def get_customer(self, customer_id: int) -> Json:
        """Return a customer, its segment and its next best action."""

    def get_history(self, customer_id: int) -> Json:
        """Return a customer's changes of segment, the oldest first."""

    def explain_customer(self, customer_id: int) -> Json:
        """Tell why a customer is in its segment, and what would lead to another."""

    def list_segments(self) -> Json:
        """Return the segments and what their customers are like now."""

    def edit_segment(
        self,
        number: int,
        *,
        name: str | None,
        description: str | None,
        strategies: list[Json] | None,
        by: str,
    ) -> Json:
        """Change a segment's words, None staying as it is; a strategy has `text` and `channel`."""

    def get_transitions(self, since: datetime, until: datetime) -> Json:
        """Count who moved from where to where between two moments."""

    def get_moves(self, before: int, after: int) -> Json:
        """Count who is where by one model version and where by another."""

    def begin_training(
        self, *, k: int | None, seed: int | None, exclude: list[str] | None, by: str, reason: str
    ) -> Json:
        """Start a training; None is as the settings say."""

    def begin_study(self, *, ks: list[int], by: str, reason: str) -> Json:
        """Start a study over numbers of segments."""

    def get_study(self, job_id: str) -> Json:
        """Return how far a study is, and what it found."""

    def list_jobs(self) -> Json:
        """Return the newest hundred jobs."""

    def get_job(self, job_id: str) -> Json:
        """Return how far a job is, and how it ended."""

    def follow_job(self, job_id: str) -> Iterator[Json]:
        """Yield a job as it is, again and again, until it has ended."""

    def cancel_job(self, job_id: str, by: str = "") -> Json:
        """Cancel a running job."""

    def list_models(self) -> Json:
        """Return every model version that is kept, in brief."""

    def get_model(self, version: int) -> Json:
        """Return a model version whole."""

    def activate_model(self, version: int, by: str = "", reason: str = "") -> Json:
        """Let a version serve: promote, approve, or roll back."""

    def get_impact(self, version: int, against: int | None = None) -> Json:
        """Tell what a version would change for the customers, against another."""

    def get_record(self, version: int) -> Json:
        """Return a version's record for the model-risk file."""

    def get_drift(self) -> Json:
        """Return how far the customers have drifted from the active model's training data."""

    def list_audit_entries(
        self, before: int | None, *, limit: int, kind: str | None, subject: str | None
    ) -> Json:
        """Return who did what, the newest first."""


@contextmanager
def open_bank(url: str | None, key: str | None) -> Iterator[Bank]:
    """Open the service at an address, or without one the database of the settings.

    An expected error within the block is told, and the command exits with its code.
    """
    if url is None:
        from customer_segmentation.cli.local import LocalBank

        settings = read_settings()
        with open_database(settings) as units:
            yield LocalBank(units, settings)
    else:
        with _open_service(url, key) as service:
            yield service


@contextmanager
def _open_service(url: str, key: str | None) -> Iterator[Bank]:
    import httpx

    from customer_segmentation.client import Client, ServiceError

    try:
        with errors_told(), Client(url, key or None) as service:
            yield service
    except ServiceError as error:
        complain(error)
        raise typer.Exit(_BY_STATUS.get(error.status, ExitCode.FAILED)) from error
    except httpx.TransportError as error:
        complain(f"The service does not answer: {error}")
        raise typer.Exit(ExitCode.UNREACHABLE) from error
