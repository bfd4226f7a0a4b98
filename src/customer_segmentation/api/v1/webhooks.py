"""Webhooks as resources, under `/v1/webhooks`, for admins."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Path, Response
from pydantic import BaseModel, ConfigDict, Field

from customer_segmentation.api.http.openapi import problem_responses
from customer_segmentation.api.http.problems import (
    INVALID,
    NO_WEBHOOK,
    NOT_DELIVERED,
    STORE_UNAVAILABLE,
)
from customer_segmentation.api.http.requests import JsonRoute
from customer_segmentation.api.http.roles import needs
from customer_segmentation.api.http.routers import Router
from customer_segmentation.api.middleware.authentication import Actor
from customer_segmentation.domain.access import Role
from customer_segmentation.domain.webhooks import Webhook
from customer_segmentation.services.operation.webhooks import (
    create_webhook,
    get_webhook,
    list_dead_letters,
    list_webhooks,
    redeliver,
    remove_webhook,
)
from customer_segmentation.services.runtime.settings import Settings
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork

WebhookId = Annotated[UUID, Path(description="The webhook's id.")]
_ERRORS = (NO_WEBHOOK, INVALID, STORE_UNAVAILABLE)


class NewWebhook(BaseModel):
    """Where to post customers' segment changes."""

    model_config = ConfigDict(extra="forbid")

    url: str = Field(
        min_length=1,
        max_length=2000,
        description="An https URL at a public address.",
        examples=["https://crm.example/segments"],
    )


class WebhookAnswer(BaseModel):
    """A webhook and how its deliveries go."""

    id: str = Field(description="32 hexadecimal digits.")
    url: str = Field(description="Where messages are posted to.")
    created_at: datetime = Field(description="When it was made, in UTC.")
    created_by: str = Field(description="Who made it; empty if unknown.")
    cursor: str = Field(description="The place in `/v1/events` up to where it was told.")
    attempts: int = Field(description="How often the next events were sent in vain.")
    next_at: datetime = Field(description="When it is looked at again.")
    error: str = Field(description="Why the last attempt failed; empty where it did not.")


class CreatedWebhook(WebhookAnswer):
    """A new webhook, with the secret that signs its messages."""

    secret: str = Field(description="Shown this once. Verify with any Standard Webhooks library.")


class Webhooks(BaseModel):
    """Every webhook, the oldest first."""

    webhooks: list[WebhookAnswer]


class DeadLetterAnswer(BaseModel):
    """Events that could not be delivered."""

    model_config = ConfigDict(from_attributes=True)

    id: int = Field(description="Of the dead letter.")
    message_id: str = Field(description="The `webhook-id` that it was sent with.")
    failed_at: datetime = Field(description="When it was given up, in UTC.")
    error: str = Field(description="Why the last attempt failed.")


class DeadLetters(BaseModel):
    """A webhook's dead letters, the oldest first."""

    dead_letters: list[DeadLetterAnswer]


def webhooks_router(units: UnitsOfWork, settings: Settings) -> Router:
    """Return the routes under `/v1/webhooks`."""
    router = Router("/v1/webhooks", "Events", route_class=JsonRoute)

    @router.post(
        "",
        status_code=201,
        summary="Be told of segment changes",
        operation_id="create_webhook",
        responses=problem_responses(INVALID, STORE_UNAVAILABLE),
    )
    @needs(Role.ADMIN)
    def create(asked: NewWebhook, actor: Actor, response: Response) -> CreatedWebhook:
        """Post every segment change from now on to a URL, in order and at least once.

        A message is signed as Standard Webhooks says (`webhook-id`, `webhook-timestamp`,
        `webhook-signature`). Not answered with 2xx, it is sent again, each time after a longer
        wait, and at last kept as a dead letter.
        """
        made = create_webhook(units, settings, asked.url, actor)
        response.headers["Location"] = f"/v1/webhooks/{made.id}"
        return CreatedWebhook(**_answer(made).model_dump(), secret=made.secret)

    @router.get(
        "",
        summary="The webhooks",
        operation_id="list_webhooks",
        responses=problem_responses(STORE_UNAVAILABLE),
    )
    @needs(Role.ADMIN)
    def show_all() -> Webhooks:
        """List every webhook, the oldest first."""
        return Webhooks(webhooks=[_answer(webhook) for webhook in list_webhooks(units)])

    @router.get(
        "/{webhook_id}",
        summary="A webhook",
        operation_id="get_webhook",
        responses=problem_responses(*_ERRORS),
    )
    @needs(Role.ADMIN)
    def show(webhook_id: WebhookId) -> WebhookAnswer:
        """Tell up to where a webhook was told, and whether its receiver fails."""
        return _answer(get_webhook(units, webhook_id.hex))

    @router.delete(
        "/{webhook_id}",
        status_code=204,
        summary="Remove a webhook",
        operation_id="remove_webhook",
        responses=problem_responses(*_ERRORS),
    )
    @needs(Role.ADMIN)
    def remove(webhook_id: WebhookId) -> Response:
        """Send nothing more; the webhook's dead letters go too."""
        remove_webhook(units, webhook_id.hex)
        return Response(status_code=204)

    @router.get(
        "/{webhook_id}/dead-letters",
        summary="What could not be delivered",
        operation_id="list_dead_letters",
        responses=problem_responses(*_ERRORS),
    )
    @needs(Role.ADMIN)
    def dead_letters(webhook_id: WebhookId) -> DeadLetters:
        """List the messages that were given up, the oldest first."""
        found = list_dead_letters(units, webhook_id.hex)
        return DeadLetters(dead_letters=[DeadLetterAnswer.model_validate(d) for d in found])

    @router.post(
        "/{webhook_id}/dead-letters/{number:int}:redeliver",
        status_code=204,
        summary="Send a dead letter once more",
        operation_id="redeliver_dead_letter",
        responses=problem_responses(NOT_DELIVERED, *_ERRORS),
    )
    @needs(Role.ADMIN)
    def send_again(
        webhook_id: WebhookId,
        number: Annotated[int, Path(ge=1, le=2**53, description="The dead letter's id.")],
    ) -> Response:
        """Send it now; when the receiver takes it, it is no dead letter any more."""
        redeliver(units, settings, webhook_id.hex, number)
        return Response(status_code=204)

    return router


def _answer(webhook: Webhook) -> WebhookAnswer:
    return WebhookAnswer(
        id=webhook.id,
        url=webhook.url,
        created_at=webhook.created_at,
        created_by=webhook.created_by,
        cursor=str(webhook.position),
        attempts=webhook.attempts,
        next_at=webhook.next_at,
        error=webhook.error,
    )
