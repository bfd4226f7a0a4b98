"""The audit log in answers: `/v1/audit`, for admins."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field

from customer_segmentation.api.http.openapi import problem_responses
from customer_segmentation.api.http.problems import INVALID, STORE_UNAVAILABLE
from customer_segmentation.api.http.roles import needs
from customer_segmentation.api.http.routers import Router
from customer_segmentation.domain.access import Role
from customer_segmentation.services.runtime.audit import list_entries, verify
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork


class AuditEntryAnswer(BaseModel):
    """One thing that somebody did."""

    id: int = Field(description="Its number; the newest has the highest.")
    at: datetime = Field(description="When, in UTC.")
    actor: str = Field(description="The key's name, or who ran the command; empty if unknown.")
    kind: str = Field(description="Of what was acted on, such as `customer`.")
    subject: str = Field(description="Which one: its id, number or name.")
    action: str = Field(description="What was done.", examples=["updated"])
    values: dict[str, Any] | None = Field(
        description="What was written; null where that is not kept, or was erased."
    )


class VerificationAnswer(BaseModel):
    """What came of computing the chain of hashes anew."""

    model_config = ConfigDict(from_attributes=True)

    entries: int = Field(description="How many are sealed.")
    head: str = Field(
        description="The last link's hash; kept elsewhere, it shows later that nothing before it "
        "is gone."
    )
    faults: list[str] = Field(description="What is wrong; empty if nothing is.")
    holds_anchor: bool | None = Field(
        description="Whether the head that was asked about is in the chain; null if none was."
    )


class AuditLog(BaseModel):
    """Entries, the newest first."""

    entries: list[AuditEntryAnswer]
    next_before: int | None = Field(description="`before` of the next page; null after the last.")


def audit_router(units: UnitsOfWork) -> Router:
    """Return the routes of the log."""
    router = Router("/v1", "Operation")

    @router.get(
        "/audit",
        summary="Who did what",
        operation_id="list_audit_entries",
        responses=problem_responses(INVALID, STORE_UNAVAILABLE),
    )
    @needs(Role.ADMIN)
    def entries(
        before: Annotated[
            int | None, Query(ge=1, le=2**53, description="Only entries of lower ids.")
        ] = None,
        limit: Annotated[int, Query(ge=1, le=1000, description="How many at most.")] = 100,
        kind: Annotated[
            str | None,
            Query(
                pattern="^[a-z]{1,16}$",
                description="Only entries about this kind.",
                examples=["customer"],
            ),
        ] = None,
        subject: Annotated[
            str | None,
            Query(
                pattern=r"^[^\x00-\x1f]{1,200}$",
                description="Only entries about this one.",
                examples=["56"],
            ),
        ] = None,
    ) -> AuditLog:
        """List what was done, by whom and when, the newest first.

        The log only grows, and a chain of hashes seals it: `customer-segmentation audit verify`.
        """
        found = list_entries(units.database, before=before, limit=limit, kind=kind, subject=subject)
        return AuditLog(
            entries=[
                AuditEntryAnswer(
                    id=entry.id,
                    at=entry.at,
                    actor=entry.actor,
                    kind=entry.kind,
                    subject=entry.subject,
                    action=entry.action,
                    values=values,
                )
                for entry, values in found
            ],
            next_before=found[-1][0].id if len(found) == limit else None,
        )

    @router.get(
        "/audit/verification",
        summary="Whether the log was changed",
        operation_id="verify_audit_log",
        responses=problem_responses(INVALID, STORE_UNAVAILABLE),
    )
    @needs(Role.ADMIN)
    def verification(
        head: Annotated[
            str | None,
            Query(max_length=64, description="A head that was kept, to look for in the chain."),
        ] = None,
    ) -> VerificationAnswer:
        """Compute the chain of hashes anew; tell each entry that was changed, put in or removed."""
        return VerificationAnswer.model_validate(verify(units.database, head))

    return router
