"""The one place where errors become answers: RFC 9457 problem details."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, cast

import msgspec
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from customer_segmentation.domain import errors
from customer_segmentation.domain.features import describe_type

MEDIA_TYPE = "application/problem+json"
RETRY_SECONDS = 1


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


INVALID = ProblemType(422, "invalid-input", "A value is missing or not allowed")
NOT_FOUND = ProblemType(404, "customer-not-found", "There is no such customer")
EXISTS = ProblemType(409, "customer-exists", "The customer id is taken")
TRAINING_RUNNING = ProblemType(409, "training-running", "A training is already running")
TRAINING_REFUSED = ProblemType(409, "training-refused", "The customers cannot be trained on")
HELD_BACK = ProblemType(409, "model-held-back", "The new model is held back as a candidate")
TRAINING_FAILED = ProblemType(500, "training-failed", "The training ended without a model")
NOT_READY = ProblemType(503, "not-ready", "The service is not ready")
STORE_UNAVAILABLE = ProblemType(503, "database-unavailable", "The database does not answer")
TOO_LARGE = ProblemType(413, "body-too-large", "The request body is too large")
MEDIA = ProblemType(415, "unsupported-media-type", "The request body is not JSON")
INTERNAL = ProblemType(500, "internal-error", "The service met an unexpected fault")

_BY_ERROR: dict[type[errors.SegmentationError], ProblemType] = {
    errors.InvalidInputError: INVALID,
    errors.CustomerNotFoundError: NOT_FOUND,
    errors.CustomerExistsError: EXISTS,
    errors.TrainingRunningError: TRAINING_RUNNING,
    errors.TrainingRefusedError: TRAINING_REFUSED,
    errors.ModelHeldBackError: HELD_BACK,
    errors.TrainingFailedError: TRAINING_FAILED,
    errors.VersionNotFoundError: NOT_READY,
    errors.NotReadyError: NOT_READY,
    errors.ArtifactError: NOT_READY,
    errors.StoreUnavailableError: STORE_UNAVAILABLE,
}


class RequestProblemError(Exception):
    """A request that is refused before it reaches a use case."""

    def __init__(self, problem: ProblemType, detail: str) -> None:
        super().__init__(detail)
        self.problem = problem


def problem_body(
    problem: ProblemType, detail: str, fields: tuple[errors.FieldError, ...] = ()
) -> dict[str, Any]:
    """Return the members of a problem's JSON document."""
    body: dict[str, Any] = {
        "type": problem.uri,
        "title": problem.title,
        "status": problem.status,
        "detail": detail,
    }
    if fields:
        body["errors"] = [{"field": e.field, "message": e.message} for e in fields]
    return body


def problem_response(error: errors.SegmentationError | RequestProblemError) -> Response:
    """Answer an expected error."""
    if isinstance(error, RequestProblemError):
        return _answer(error.problem, str(error))
    fields: tuple[errors.FieldError, ...] = ()
    if isinstance(error, errors.InvalidInputError):
        fields = error.errors
    elif isinstance(error, errors.ModelHeldBackError):
        fields = tuple(errors.FieldError("model", reason) for reason in error.reasons)
    return _answer(_BY_ERROR[type(error)], str(error), fields)


def install(app: FastAPI) -> None:
    """Make an app answer every error as problem details."""
    app.add_exception_handler(errors.SegmentationError, _on_expected)
    app.add_exception_handler(RequestProblemError, _on_expected)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(Exception, _on_fault)


async def _on_expected(_request: Request, error: Exception) -> Response:
    return problem_response(cast("errors.SegmentationError | RequestProblemError", error))


async def _on_invalid_request(_request: Request, error: Exception) -> Response:
    found = cast("RequestValidationError", error).errors()
    return problem_response(
        errors.InvalidInputError(
            [
                errors.FieldError(
                    str(fault["loc"][-1]),
                    f"{fault['loc'][-1]}: {fault['msg']}, not {describe_type(fault['input'])}",
                )
                for fault in found
            ]
        )
    )


async def _on_http_exception(request: Request, error: Exception) -> Response:
    error = cast("HTTPException", error)
    phrase = HTTPStatus(error.status_code).phrase
    problem = ProblemType(error.status_code, phrase.lower().replace(" ", "-"), phrase)
    answer = _answer(problem, f"{request.method} {request.url.path}: {error.detail}")
    answer.headers.update(error.headers or {})
    return answer


async def _on_fault(_request: Request, _error: Exception) -> Response:
    return _answer(INTERNAL, "The fault is logged; the request changed nothing that it can tell")


def _answer(
    problem: ProblemType, detail: str, fields: tuple[errors.FieldError, ...] = ()
) -> Response:
    headers = {"Retry-After": str(RETRY_SECONDS)} if problem.retry else None
    return Response(
        msgspec.json.encode(problem_body(problem, detail, fields)),
        status_code=problem.status,
        headers=headers,
        media_type=MEDIA_TYPE,
    )
