"""Model versions as resources, under `/v1/models`, and the drift away from the active one."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

from fastapi import Path, Query, Response
from starlette.concurrency import run_in_threadpool

from customer_segmentation.api.http.openapi import problem_responses
from customer_segmentation.api.http.problems import (
    APPROVAL,
    EXTRA_MISSING,
    INVALID,
    JOB_RUNNING,
    NO_VERSION,
    NOT_COMPARABLE,
    NOT_READY,
    STORE_UNAVAILABLE,
)
from customer_segmentation.api.http.requests import JsonRoute
from customer_segmentation.api.http.roles import needs
from customer_segmentation.api.http.routers import Router
from customer_segmentation.api.http.threads import Comparisons
from customer_segmentation.api.middleware.authentication import Actor, MinGroupSize
from customer_segmentation.api.v1.disclosure import (
    suppress_drift,
    suppress_impact,
    suppress_version,
)
from customer_segmentation.api.v1.jobs import Asked, JobAnswer, accepted, location_header
from customer_segmentation.api.v1.models.answers import (
    AttributeDriftAnswer,
    DriftAnswer,
    ImpactAnswer,
    QualityAnswer,
    SqlAnswer,
    TrainingRequest,
    VersionAnswer,
    Versions,
    version_answer,
    version_summary,
)
from customer_segmentation.domain.access import Role
from customer_segmentation.domain.errors import NotAllowedError
from customer_segmentation.services.models.onnx_export import write_onnx
from customer_segmentation.services.models.record import get_record, record_markdown
from customer_segmentation.services.models.registry import (
    activate_version,
    get_active_version,
    get_version,
    list_versions,
)
from customer_segmentation.services.monitoring.distribution import get_drift
from customer_segmentation.services.runtime.settings import Settings
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork
from customer_segmentation.services.training.start import begin_training

_MARKDOWN: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The record",
        "content": {"text/markdown": {"schema": {"type": "string"}}},
    }
}
_BYTES = "application/octet-stream"
_ONNX: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The model",
        "content": {_BYTES: {"schema": {"type": "string", "format": "binary"}}},
    }
}
_LARGEST_VERSION = 2**31 - 1

VersionNumber = Annotated[
    int, Path(ge=1, le=_LARGEST_VERSION, description="The model version.", examples=[1])
]


def models_router(
    units: UnitsOfWork,
    settings: Settings,
    begin_rescoring: Callable[[], None],
    comparisons: Comparisons,
) -> Router:
    """Return the routes under `/v1/models`, and `/v1/drift`."""
    router = Router("/v1", "Models", route_class=JsonRoute)

    @router.post(
        "/models",
        status_code=202,
        summary="Start a training",
        operation_id="begin_training",
        responses=location_header("The job.")
        | problem_responses(JOB_RUNNING, INVALID, STORE_UNAVAILABLE),
    )
    @needs(Role.ADMIN)
    def train(response: Response, actor: Actor, asked: TrainingRequest | None = None) -> JobAnswer:
        """Train on the current customers; follow the job at `Location`."""
        asked = asked or TrainingRequest()
        job = begin_training(units, settings, asked.origin(actor), asked.overrides)
        return accepted(job, response, "/v1/jobs")

    @router.get(
        "/models",
        summary="The model versions",
        operation_id="list_models",
        responses=problem_responses(STORE_UNAVAILABLE),
    )
    @needs(Role.READER)
    def read_versions(least: MinGroupSize) -> Versions:
        """List every version that is kept, the newest first."""
        found = [version_summary(version) for version in list_versions(units)]
        return Versions(models=[suppress_version(version, least) for version in found])

    @router.post(
        "/models/{version:int}:activate",
        summary="Let a version serve",
        operation_id="activate_model",
        responses=problem_responses(NO_VERSION, APPROVAL, INVALID, STORE_UNAVAILABLE),
    )
    @needs(Role.ADMIN)
    def activate(
        version: VersionNumber,
        actor: Actor,
        asked: Asked | None = None,
    ) -> VersionAnswer:
        """Promote a candidate, approve one, or roll back: it takes effect within one second."""
        origin = (asked or Asked()).origin(actor)
        activate_version(units, settings, version, origin.by, origin.reason)
        begin_rescoring()
        return version_answer(get_version(units, version))

    @router.get(
        "/models/{version:int}",
        summary="A model version",
        operation_id="get_model",
        responses=problem_responses(NO_VERSION, INVALID, STORE_UNAVAILABLE),
    )
    @needs(Role.READER)
    def read_version(version: VersionNumber, least: MinGroupSize) -> VersionAnswer:
        """Tell how a version was trained, on which data, how good it is, and when it served."""
        return suppress_version(version_answer(get_version(units, version)), least)

    @router.get(
        "/models/{version:int}/impact",
        summary="What a version would change",
        operation_id="get_impact",
        responses=problem_responses(
            NO_VERSION, NOT_COMPARABLE, NOT_READY, INVALID, STORE_UNAVAILABLE
        ),
    )
    @needs(Role.READER)
    async def impact(
        version: VersionNumber,
        least: MinGroupSize,
        against: Annotated[
            int | None,
            Query(
                ge=1,
                le=_LARGEST_VERSION,
                description="The version to compare with; by default the active one.",
            ),
        ] = None,
    ) -> ImpactAnswer:
        """Compare two versions over the current customers: who would move, and where to."""
        if against is None:
            against = await run_in_threadpool(get_active_version, units)
        before = against
        found = await comparisons.compare(before, version)

        def answer() -> ImpactAnswer:
            versions = {"before": get_version(units, before), "after": get_version(units, version)}
            centroids = {f"centroids_{name}": v.centroids for name, v in versions.items()}
            quality = {
                f"quality_{name}": QualityAnswer.model_validate(v.model.quality)
                for name, v in versions.items()
            }
            return ImpactAnswer(before=before, after=version, **found, **centroids, **quality)

        return suppress_impact(await run_in_threadpool(answer), least)

    @router.get(
        "/models/{version:int}/record",
        summary="A version's model record",
        operation_id="get_model_record",
        responses=_MARKDOWN | problem_responses(NO_VERSION, NOT_READY, INVALID, STORE_UNAVAILABLE),
    )
    @needs(Role.READER)
    def record(
        version: VersionNumber,
        least: MinGroupSize,
        style: Annotated[
            Literal["json", "markdown"], Query(alias="format", description="Of the answer.")
        ] = "json",
    ) -> dict[str, Any]:
        """Write the document for the model-risk file, filled from what was measured."""
        if least:
            raise NotAllowedError("The record holds counts of few people; it needs admin")
        found = get_record(units, settings, version)
        if style == "markdown":
            return Response(  # type: ignore[return-value]
                record_markdown(found), media_type="text/markdown"
            )
        return found

    @router.get(
        "/models/active/sql",
        summary="The active model's rule as SQL",
        operation_id="get_sql",
        responses=problem_responses(NOT_READY, INVALID, STORE_UNAVAILABLE),
    )
    @needs(Role.ADMIN)
    def rule_as_sql(
        dialect: Annotated[
            str, Query(description="Of SQL: postgres, duckdb, snowflake, bigquery, spark, …")
        ] = "postgres",
        table: Annotated[
            str,
            Query(description="With columns by the attributes' names, and `customer_id`."),
        ] = "customers",
        view: Annotated[
            str | None, Query(description="Create a view of this name, in place of a query.")
        ] = None,
    ) -> SqlAnswer:
        """Write the rule as a query that assigns customers inside a warehouse."""
        # Importing sqlglot takes as long as FastAPI; few ever need it.
        from customer_segmentation.services.models.sql_export import write_sql

        return SqlAnswer(sql=write_sql(units, dialect, table, view))

    @router.get(
        "/models/active/onnx",
        summary="The active model's rule as ONNX",
        operation_id="get_onnx",
        response_class=Response,
        responses=_ONNX | problem_responses(EXTRA_MISSING, NOT_READY, STORE_UNAVAILABLE),
    )
    @needs(Role.ADMIN)
    def rule_as_onnx() -> Response:
        """Write the rule as a network that assigns customers in other runtimes.

        Its input are the attributes, (n, 14), as float64 in the order that its metadata name; its
        output the numbers of the segments, (n,), as int64.
        """
        return Response(write_onnx(units), media_type=_BYTES)

    @router.get(
        "/drift",
        summary="How far the customers have drifted",
        operation_id="get_drift",
        responses=problem_responses(NOT_READY, STORE_UNAVAILABLE),
    )
    @needs(Role.READER)
    def drift(least: MinGroupSize) -> DriftAnswer:
        """Compare the current customers with those that the active model was trained on."""
        version, found = get_drift(units)
        answer = DriftAnswer(
            model_version=version,
            psi=found.psi,
            level=found.level.value,
            segments_psi=found.segments_psi,
            trained_shares=found.trained_shares,
            current_shares=found.current_shares,
            attributes=[AttributeDriftAnswer.model_validate(a) for a in found.attributes],
        )
        return suppress_drift(answer, least, found.trained_customers, found.current_customers)

    return router
