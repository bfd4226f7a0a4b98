"""Whether the service is well: `/v1/diagnosis`, for admins."""

from pydantic import BaseModel, ConfigDict, Field

from customer_segmentation.api.http.openapi import problem_responses
from customer_segmentation.api.http.problems import STORE_UNAVAILABLE
from customer_segmentation.api.http.roles import needs
from customer_segmentation.api.http.routers import Router
from customer_segmentation.domain.access import Role
from customer_segmentation.services.operation.maintenance import Finding, examine
from customer_segmentation.services.runtime.settings import Settings


class FindingAnswer(BaseModel):
    """One thing that was looked at."""

    model_config = ConfigDict(from_attributes=True)

    subject: str = Field(description="What.")
    is_well: bool = Field(description="Whether it is as it should be.")
    detail: str = Field(description="What was found, and what to do about it if it is not well.")


class Diagnosis(BaseModel):
    """Database, model, counts, jobs and disk."""

    findings: list[FindingAnswer]


def diagnosis_router(settings: Settings) -> Router:
    """Return the routes under `/v1/diagnosis`."""
    router = Router("/v1", "Operation")

    @router.get(
        "/diagnosis",
        summary="Whether the service is well",
        operation_id="get_diagnosis",
        responses=problem_responses(STORE_UNAVAILABLE),
    )
    @needs(Role.ADMIN)
    def diagnose() -> Diagnosis:
        """Look whether database, model, counts, jobs and disk are well."""
        return _answer(examine(settings))

    @router.post(
        "/diagnosis:recount",
        summary="Count all customers anew",
        operation_id="recount_customers",
        responses=problem_responses(STORE_UNAVAILABLE),
    )
    @needs(Role.ADMIN)
    def recount() -> Diagnosis:
        """Count all customers anew, repair the counts, and look whether all is well."""
        return _answer(examine(settings, recounted=True))

    return router


def _answer(findings: list[Finding]) -> Diagnosis:
    return Diagnosis(findings=[FindingAnswer.model_validate(finding) for finding in findings])
