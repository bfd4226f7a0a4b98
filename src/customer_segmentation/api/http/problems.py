"""The one place where errors become answers: RFC 9457 problem details."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from math import ceil
from typing import Annotated, cast

import msgspec
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from msgspec import UNSET, Meta, Struct, UnsetType
from starlette._utils import get_route_path
from starlette.exceptions import HTTPException
from starlette.responses import Response

from customer_segmentation.api.http.validation import field_error
from customer_segmentation.domain import errors

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
RETRY_SECONDS = 1


class FieldFault(Struct, forbid_unknown_fields=True):
    """A field and what is wrong with it."""

    field: Annotated[str, Meta(description="Which field.")]
    message: Annotated[str, Meta(description="What its value is, and what is allowed.")]


class Problem(Struct, forbid_unknown_fields=True):
    """What went wrong, as RFC 9457 describes it. A failed request changes nothing."""

    type: Annotated[str, Meta(description="Which kind of problem it is.")]
    title: Annotated[str, Meta(description="The kind of problem, for people.")]
    status: Annotated[int, Meta(description="The HTTP status code.")]
    detail: Annotated[str, Meta(description="This very problem, for people.")]
    errors: (
        Annotated[list[FieldFault], Meta(description="The fields at fault, where there are any.")]
        | UnsetType
    ) = UNSET


@dataclass(frozen=True, slots=True)
class ProblemType:
    """A kind of problem.

    Attributes:
        status: the HTTP status code.
        slug: the last part of the problem's `type`.
        title: what every problem of this kind has in common, for people.
    """

    status: int
    slug: str
    title: str

    @property
    def uri(self) -> str:
        """The problem's `type`."""
        return f"urn:customer-segmentation:problem:{self.slug}"

    @property
    def retry(self) -> bool:
        """Whether the same request may succeed a little later, which `Retry-After` says."""
        return self.status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)

    def problem(self, detail: str, fields: Sequence[errors.FieldError] = ()) -> Problem:
        """Return a problem of this kind."""
        faults = [FieldFault(fault.field, fault.message) for fault in fields]
        return Problem(self.uri, self.title, self.status, detail, faults or UNSET)


NOT_SIGNED_IN = ProblemType(401, "not-signed-in", "Missing or invalid API key")
NOT_ALLOWED = ProblemType(403, "not-allowed", "The API key has an insufficient role")
CROSS_ORIGIN = ProblemType(403, "cross-origin", "A web page of another origin may not do this")
UNKNOWN_HOST = ProblemType(421, "unknown-host", "The service does not answer as this host")
TOO_MANY = ProblemType(429, "too-many-requests", "Too many requests")
INVALID = ProblemType(422, "invalid-input", "A value is missing or not allowed")
NOT_FOUND = ProblemType(404, "customer-not-found", "There is no such customer")
EXISTS = ProblemType(409, "customer-exists", "The customer id is taken")
NO_TRANSACTION = ProblemType(404, "transaction-not-found", "There is no such transaction")
TRANSACTION_EXISTS = ProblemType(409, "transaction-exists", "The transaction id is taken")
FOLLOWS = ProblemType(409, "attribute-follows", "The attribute follows from transactions")
NO_TRANSACTIONS = ProblemType(409, "no-transactions", "The schema declares no transactions")
NO_VERSION = ProblemType(404, "version-not-found", "There is no such model version")
NO_JOB = ProblemType(404, "job-not-found", "There is no such job")
NO_SEGMENT = ProblemType(404, "segment-not-found", "There is no such segment")
NO_AUDIENCE = ProblemType(404, "audience-not-found", "There is no such audience")
AUDIENCE_EXISTS = ProblemType(409, "audience-exists", "The audience's name is taken")
STALE_AUDIENCE = ProblemType(412, "stale-audience", "The audience has changed meanwhile")
NO_CAMPAIGN = ProblemType(404, "campaign-not-found", "There is no such campaign")
CAMPAIGN_EXISTS = ProblemType(409, "campaign-exists", "The campaign's name is taken")
CAMPAIGN_STATE = ProblemType(409, "campaign-state", "The campaign is not in this state")
NO_GUIDE = ProblemType(404, "guide-not-built", "The guide is not part of this installation")
NO_WEBHOOK = ProblemType(404, "webhook-not-found", "There is no such webhook or dead letter")
NOT_DELIVERED = ProblemType(409, "not-delivered", "The receiver did not take the message")
PUBLISHER_HELD = ProblemType(409, "publisher-held", "Another process holds the publisher")
ERASED = ProblemType(409, "customer-erased", "The customer was erased")
STALE = ProblemType(412, "stale-customer", "The customer has changed meanwhile")
STALE_SEGMENT = ProblemType(412, "stale-segment", "The segment has changed meanwhile")
KEY_REUSED = ProblemType(409, "idempotency-key-reused", "The key was used for something else")
KEY_EXISTS = ProblemType(409, "key-exists", "There is or was an API key of this name")
NO_KEY = ProblemType(404, "key-not-found", "There is no such API key")
KEYS_UNUSED = ProblemType(409, "keys-unused", "The service asks nobody for a key")
SCHEMA_INVALID = ProblemType(422, "schema-invalid", "The schema is none")
SCHEMA_REFUSED = ProblemType(409, "schema-refused", "The schema does not fit the customers")
JOB_RUNNING = ProblemType(409, "job-running", "A job of this kind is already running")
JOB_ENDED = ProblemType(409, "job-ended", "The job cannot be cancelled any more")
NO_FILE = ProblemType(404, "file-not-kept", "There is no such file, or not any more")
FOLDER = ProblemType(507, "folder-unusable", "The service cannot keep files")
NOT_UNDOABLE = ProblemType(409, "not-undoable", "The import cannot be undone")
APPROVAL = ProblemType(409, "approval-required", "A second person must approve")
NOT_COMPARABLE = ProblemType(409, "not-comparable", "The versions cannot be compared")
TRAINING_CANCELLED = ProblemType(409, "training-cancelled", "The training was cancelled")
TRAINING_REFUSED = ProblemType(409, "training-refused", "The customers cannot be trained on")
HELD_BACK = ProblemType(409, "model-held-back", "The new model is held back as a candidate")
EXTRA_MISSING = ProblemType(501, "extra-missing", "A part of the installation is missing")
TRAINING_FAILED = ProblemType(500, "training-failed", "The training ended without a model")
NOT_READY = ProblemType(503, "not-ready", "The service is not ready")
STORE_UNAVAILABLE = ProblemType(503, "database-unavailable", "The database does not answer")
NO_DATABASE = ProblemType(503, "no-database", "The database is absent or closed to the service")
BUSY = ProblemType(503, "busy", "The service is busy with others' work")
NOT_HTTP = ProblemType(400, "not-http", "The request is no HTTP that the service reads")
TOO_LARGE = ProblemType(413, "body-too-large", "The request body is too large")
TOO_SLOW = ProblemType(408, "body-too-slow", "The request body took too long to arrive")
MEDIA = ProblemType(415, "unsupported-media-type", "The request body is not JSON")
INTERNAL = ProblemType(500, "internal-error", "The service met an unexpected fault")

_BY_ERROR: dict[type[errors.SegmentationError], ProblemType] = {
    errors.NotSignedInError: NOT_SIGNED_IN,
    errors.NotAllowedError: NOT_ALLOWED,
    errors.TooManyRequestsError: TOO_MANY,
    errors.InvalidInputError: INVALID,
    errors.CustomerNotFoundError: NOT_FOUND,
    errors.CustomerExistsError: EXISTS,
    errors.TransactionNotFoundError: NO_TRANSACTION,
    errors.TransactionExistsError: TRANSACTION_EXISTS,
    errors.TransactionsNotDeclaredError: NO_TRANSACTIONS,
    errors.AttributeFollowsError: FOLLOWS,
    errors.VersionNotFoundError: NO_VERSION,
    errors.JobNotFoundError: NO_JOB,
    errors.SegmentNotFoundError: NO_SEGMENT,
    errors.WebhookNotFoundError: NO_WEBHOOK,
    errors.DeadLetterNotFoundError: NO_WEBHOOK,
    errors.DeliveryFailedError: NOT_DELIVERED,
    errors.PublisherHeldError: PUBLISHER_HELD,
    errors.CustomerErasedError: ERASED,
    errors.StaleCustomerError: STALE,
    errors.StaleSegmentError: STALE_SEGMENT,
    errors.AudienceNotFoundError: NO_AUDIENCE,
    errors.AudienceExistsError: AUDIENCE_EXISTS,
    errors.StaleAudienceError: STALE_AUDIENCE,
    errors.CampaignNotFoundError: NO_CAMPAIGN,
    errors.CampaignExistsError: CAMPAIGN_EXISTS,
    errors.CampaignStateError: CAMPAIGN_STATE,
    errors.IdempotencyError: KEY_REUSED,
    errors.KeyExistsError: KEY_EXISTS,
    errors.KeyNotFoundError: NO_KEY,
    errors.KeysUnusedError: KEYS_UNUSED,
    errors.ExtraMissingError: EXTRA_MISSING,
    errors.SchemaError: SCHEMA_INVALID,
    errors.SchemaRefusedError: SCHEMA_REFUSED,
    errors.JobRunningError: JOB_RUNNING,
    errors.JobEndedError: JOB_ENDED,
    errors.NotUndoableError: NOT_UNDOABLE,
    errors.FileNotKeptError: NO_FILE,
    errors.FolderError: FOLDER,
    errors.ApprovalRequiredError: APPROVAL,
    errors.VersionsNotComparableError: NOT_COMPARABLE,
    errors.TrainingCancelledError: TRAINING_CANCELLED,
    errors.TrainingRefusedError: TRAINING_REFUSED,
    errors.ModelHeldBackError: HELD_BACK,
    errors.TrainingFailedError: TRAINING_FAILED,
    errors.NotReadyError: NOT_READY,
    errors.ArtifactError: NOT_READY,
    errors.StoreUnavailableError: STORE_UNAVAILABLE,
    errors.StoreAbsentError: NO_DATABASE,
    errors.StoreRefusedError: NO_DATABASE,
    errors.BusyError: BUSY,
    errors.TransactionConflictError: STORE_UNAVAILABLE,
}


class RequestProblemError(HTTPException):
    """A request that is refused before it reaches a use case.

    It is an HTTP exception as FastAPI, where it reads a body itself, lets no other pass.
    """

    def __init__(self, problem: ProblemType, detail: str) -> None:
        super().__init__(problem.status, detail)
        self.problem = problem


def problem_response(error: errors.SegmentationError | RequestProblemError) -> Response:
    """Answer an expected error, and log one that is the service's own."""
    if isinstance(error, RequestProblemError):
        return _answer(error.problem, error.problem.problem(error.detail))
    kind = _type_of(error)
    if kind.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        logger.info("%s", error)
    answer = _answer(kind, problem_of(error))
    if isinstance(error, errors.TooManyRequestsError):
        answer.headers["Retry-After"] = str(ceil(error.retry_seconds))
    if isinstance(error, errors.NotSignedInError):
        answer.headers["WWW-Authenticate"] = "Bearer"
    return answer


def fault_response() -> Response:
    """Answer an error that nobody expected."""
    detail = "The error is logged; no changes were made, as far as known"
    return _answer(INTERNAL, INTERNAL.problem(detail))


def problem_of(error: errors.SegmentationError) -> Problem:
    """Return the problem that an expected error is."""
    fields: tuple[errors.FieldError, ...] = ()
    if isinstance(error, errors.InvalidInputError):
        fields = error.errors
    elif isinstance(error, errors.ModelHeldBackError):
        fields = tuple(errors.FieldError("model", reason) for reason in error.reasons)
    return _type_of(error).problem(str(error), fields)


def _type_of(error: errors.SegmentationError) -> ProblemType:
    """Return the problem of an error's type, or of the type that it is a kind of."""
    return next(_BY_ERROR[kind] for kind in type(error).__mro__ if kind in _BY_ERROR)


def install(app: FastAPI) -> None:
    """Make an app answer every expected error as problem details."""
    app.add_exception_handler(errors.SegmentationError, _on_expected)
    app.add_exception_handler(RequestProblemError, _on_expected)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(HTTPException, _on_http_exception)


async def _on_expected(_request: Request, error: Exception) -> Response:
    return problem_response(cast("errors.SegmentationError | RequestProblemError", error))


async def _on_invalid_request(_request: Request, error: Exception) -> Response:
    found = cast("RequestValidationError", error).errors()
    told = [field_error(fault) for fault in found[: errors.MAX_TOLD]]
    return problem_response(errors.InvalidInputError(told, more=len(found) - len(told)))


async def _on_http_exception(request: Request, error: Exception) -> Response:
    error = cast("HTTPException", error)
    if error.status_code == HTTPStatus.BAD_REQUEST:
        # FastAPI's only use of this status: a body that is not even text.
        fault = errors.FieldError("body", "The body must be JSON in UTF-8")
        return problem_response(errors.InvalidInputError([fault]))
    phrase = HTTPStatus(error.status_code).phrase
    kind = ProblemType(error.status_code, phrase.lower().replace(" ", "-"), phrase)
    detail = f"{request.method} {request.url.path}: {error.detail}"
    answer = _answer(kind, kind.problem(detail))
    answer.headers.update(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        answer.headers["Allow"] = ", ".join(_allowed_methods(request))
    return answer


def _allowed_methods(request: Request) -> list[str]:
    """Return the methods of a path, which several routes may share."""
    path = get_route_path(request.scope)
    routes = [
        route
        for route in iter_route_contexts(request.app.routes)
        if route.methods and route.path_regex.match(path)
    ]
    shared = [route for route in routes if route.path_format == routes[0].path_format]
    return sorted({method for route in shared for method in route.methods or ()})


def _answer(kind: ProblemType, problem: Problem) -> Response:
    headers = {"Retry-After": str(RETRY_SECONDS)} if kind.retry else None
    return Response(
        msgspec.json.encode(problem),
        status_code=kind.status,
        headers=headers,
        media_type=MEDIA_TYPE,
    )
