"""Jobs and studies as resources, under `/v1/jobs` and `/v1/studies`."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Path, Response
from pydantic import BaseModel, ConfigDict, Field

from customer_segmentation.api.http.fields import NUMBER, Line, Text
from customer_segmentation.api.http.openapi import problem_responses
from customer_segmentation.api.http.problems import (
    INVALID,
    JOB_ENDED,
    JOB_RUNNING,
    NO_JOB,
    STORE_UNAVAILABLE,
)
from customer_segmentation.api.http.requests import JsonRoute
from customer_segmentation.api.http.roles import needs
from customer_segmentation.api.http.routers import Router
from customer_segmentation.api.middleware.authentication import Actor, MinGroupSize
from customer_segmentation.domain.access import Role
from customer_segmentation.domain.jobs import Job, JobKind, JobState, Origin, Phase, Trigger
from customer_segmentation.domain.segments import MAX_SEGMENTS, MIN_SEGMENTS
from customer_segmentation.services.jobs.lifecycle import cancel_job, get_job, list_jobs
from customer_segmentation.services.runtime.settings import Settings
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork
from customer_segmentation.services.training.study import begin_study, get_study

JobId = Annotated[UUID, Path(description="The job's id.")]
By = Annotated[
    Line, Field(max_length=200, description="Who asks, for the record.", examples=["Ada"])
]
Reason = Annotated[
    Text, Field(max_length=2000, description="Why, for the record.", examples=["quarterly"])
]


class Asked(BaseModel):
    """Who asks for something, and why."""

    model_config = ConfigDict(extra="forbid")

    by: By = ""
    reason: Reason = ""

    def origin(self, actor: str) -> Origin:
        """Return where what is asked for comes from; who shows a key is who the key says."""
        return Origin(Trigger.REQUEST, actor or self.by, self.reason)


class JobAnswer(BaseModel):
    """A job, how far it is and how it ended."""

    model_config = ConfigDict(from_attributes=True)

    id: str = Field(description="32 hexadecimal digits.")
    kind: JobKind
    state: JobState
    phase: Phase = Field(description="What it is doing.")
    done: int = Field(description="How much of the phase is done: customers, restarts, checks.")
    total: int = Field(description="Of how much; 0 where that is not known.")
    created_at: datetime = Field(description="When it was started, in UTC.")
    finished_at: datetime | None = Field(description="When it ended; null while it runs.")
    trigger: Trigger = Field(description="What asked for it.")
    requested_by: str = Field(description="Who asked for it; empty if unknown.")
    reason: str = Field(description="Why, in their words; may be empty.")
    model_version: int | None = Field(description="The version that a training made.")
    error: str | None = Field(description="Why there is no version or result.")


class Jobs(BaseModel):
    """The newest hundred jobs."""

    jobs: list[JobAnswer]


class StudyRequest(Asked):
    """What a study tries."""

    ks: list[Annotated[int, Field(ge=MIN_SEGMENTS, le=MAX_SEGMENTS), NUMBER]] = Field(
        default=list(range(MIN_SEGMENTS, MAX_SEGMENTS + 1)),
        min_length=1,
        max_length=MAX_SEGMENTS,
        description="The numbers of segments to try.",
    )


class TrialAnswer(BaseModel):
    """One number of segments with one preparation of the attributes."""

    k: int = Field(description="The number of segments.")
    weighting: str = Field(description="How the attributes were weighted.")
    inertia: float = Field(description="Comparable within one weighting.")
    silhouette: float = Field(description="From -1 to 1, the higher the better.")
    calinski_harabasz: float = Field(description="The higher the better.")
    davies_bouldin: float = Field(description="The lower the better.")
    stability: float = Field(description="Mean adjusted Rand index over reseeded bootstraps.")
    least_share: float | None = Field(
        description="The share of the smallest segment; null where that is hidden, as it is small."
    )
    passes: bool = Field(description="Whether it passes the gates that a training asks.")
    fails: list[str] = Field(default=[], description="Which gates it fails.")
    segments: list[str] = Field(
        default=[], description="What the segments would be, the largest first."
    )
    shares: list[float] = Field(
        default=[], description="The share of each; empty where one is hidden, as it is small."
    )


class StudyResult(BaseModel):
    """What a study found: a row of figures for each trial, to read or to plot over k."""

    customers: int = Field(description="How many customers were looked at.")
    trials: list[TrialAnswer]
    recommended: int | None = Field(description="The number of segments advised, if any.")
    reason: str = Field(description="Why.")


class StudyAnswer(JobAnswer):
    """A study: a job, and what it found."""

    result: StudyResult | None = Field(description="There once the study has succeeded.")


def accepted(job: Job, response: Response, path: str) -> JobAnswer:
    """Answer that a job was started, and where to follow it."""
    response.headers["Location"] = f"{path}/{job.id}"
    return JobAnswer.model_validate(job)


def location_header(what: str) -> dict[int | str, dict[str, Any]]:
    """Return what OpenAPI says of an answer 202."""
    return {
        202: {
            "description": "Started",
            "headers": {"Location": {"description": what, "schema": {"type": "string"}}},
        }
    }


def jobs_router(units: UnitsOfWork, settings: Settings) -> Router:
    """Return the routes under `/v1/jobs` and `/v1/studies`."""
    router = Router("/v1", "Jobs", route_class=JsonRoute)

    @router.get(
        "/jobs",
        summary="The newest jobs",
        operation_id="list_jobs",
        responses=problem_responses(STORE_UNAVAILABLE),
    )
    @needs(Role.READER)
    def read_jobs() -> Jobs:
        """List the newest hundred jobs, the newest first."""
        return Jobs(jobs=[JobAnswer.model_validate(job) for job in list_jobs(units)])

    @router.post(
        "/jobs/{job_id:uuid}:cancel",
        summary="Cancel a job",
        operation_id="cancel_job",
        responses=problem_responses(NO_JOB, JOB_ENDED, INVALID, STORE_UNAVAILABLE),
    )
    @needs(Role.ADMIN)
    def cancel(job_id: JobId, actor: Actor, asked: Asked | None = None) -> JobAnswer:
        """Cancel a running job: its model will not serve, and its process ends within seconds."""
        origin = (asked or Asked()).origin(actor)
        return JobAnswer.model_validate(cancel_job(units, job_id.hex, origin.by))

    @router.get(
        "/jobs/{job_id:uuid}",
        summary="How far a job is",
        operation_id="get_job",
        responses=problem_responses(NO_JOB, INVALID, STORE_UNAVAILABLE),
    )
    @needs(Role.READER)
    def read_job(job_id: JobId) -> JobAnswer:
        """Tell what a job is doing, how much of it is done, and how it ended."""
        return JobAnswer.model_validate(get_job(units, job_id.hex))

    @router.post(
        "/studies",
        status_code=202,
        summary="Study how many segments suit the customers",
        operation_id="begin_study",
        responses=location_header("The study.")
        | problem_responses(JOB_RUNNING, INVALID, STORE_UNAVAILABLE),
    )
    @needs(Role.ADMIN)
    def study(response: Response, actor: Actor, asked: StudyRequest | None = None) -> JobAnswer:
        """Try numbers of segments and preparations in the background; nothing else changes."""
        asked = asked or StudyRequest()
        job = begin_study(units, settings, asked.origin(actor), asked.ks)
        return accepted(job, response, "/v1/studies")

    @router.get(
        "/studies/{job_id:uuid}",
        summary="What a study found",
        operation_id="get_study",
        responses=problem_responses(NO_JOB, INVALID, STORE_UNAVAILABLE),
    )
    @needs(Role.READER)
    def read_study(job_id: JobId, least: MinGroupSize) -> StudyAnswer:
        """Return a study's figures for each trial, and its advice with the reason."""
        job = get_study(units, job_id.hex)
        return _suppress_small(StudyAnswer.model_validate(job), least)

    return router


def _suppress_small(answer: StudyAnswer, least: int) -> StudyAnswer:
    """Hide the shares of segments of fewer people than may be told."""
    found = answer.result
    if found is None:
        return answer
    trials = [
        trial.model_copy(update={"least_share": None, "shares": []})
        if round((trial.least_share or 0.0) * found.customers) < least
        else trial
        for trial in found.trials
    ]
    return answer.model_copy(update={"result": found.model_copy(update={"trials": trials})})
