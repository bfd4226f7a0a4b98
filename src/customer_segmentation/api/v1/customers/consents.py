"""What customers have said of being addressed, and all that is kept about one of them."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import Query, Response
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    create_model,
)

from customer_segmentation.api.http.fields import Line, Moment
from customer_segmentation.api.http.ids import STORED, body_id, path_id, router_by_id
from customer_segmentation.api.http.openapi import Responses, problem_responses
from customer_segmentation.api.http.problems import (
    INVALID,
    NOT_FOUND,
    NOT_READY,
    STORE_UNAVAILABLE,
)
from customer_segmentation.api.http.requests import JsonRoute
from customer_segmentation.api.http.roles import needs
from customer_segmentation.api.http.routers import Router
from customer_segmentation.api.middleware.authentication import Actor
from customer_segmentation.api.middleware.body_limits import takes_many
from customer_segmentation.domain.access import Role
from customer_segmentation.domain.attributes import Id
from customer_segmentation.domain.consents import (
    LONGEST_WORD,
    Consent,
    ConsentState,
    CustomerConsent,
)
from customer_segmentation.services.customers.consents import (
    get_consents,
    set_consents,
    set_many,
)
from customer_segmentation.services.operation.dossier import dossier_page, make_dossier
from customer_segmentation.services.runtime.clock import now
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork

MAX_ROWS = 5_000
ROW_BYTES = 1_000
_TOLD = 100
_LONGEST_SOURCE = 200

_SAID = {"purpose": "marketing", "channel": "e-mail", "state": "granted"}
_Word = Annotated[Line, Field(min_length=1, max_length=LONGEST_WORD)]


_DOSSIER: Responses = {
    200: {
        "description": "As JSON, or as a page to be read",
        "content": {
            "application/json": {"schema": {"type": "object"}},
            "text/html": {"schema": {"type": "string"}},
        },
    }
}


class ConsentBody(BaseModel):
    """What a customer has said of a purpose and a channel."""

    model_config = ConfigDict(extra="forbid")

    purpose: _Word = Field(description="For what.", examples=["marketing"])
    channel: _Word = Field(description="On which channel.", examples=["e-mail"])
    state: ConsentState = Field(description="What was said.")
    source: Annotated[Line, Field(max_length=_LONGEST_SOURCE)] = Field(
        default="", description="Where that comes from, such as `web form`."
    )
    at: Moment | None = Field(
        default=None,
        description="When it was said, with its time zone; now unless given. What was said later "
        "holds, whatever comes first.",
    )

    def consent(self, moment: datetime) -> Consent:
        """What was said, at a moment unless it tells when."""
        at = moment if self.at is None else self.at
        return Consent(self.purpose, self.channel, self.state, self.source, at)


class ConsentsBody(BaseModel):
    """What a customer has said."""

    model_config = ConfigDict(extra="forbid")

    consents: Annotated[list[ConsentBody], Field(min_length=1, max_length=100)] = Field(
        description="By purpose and channel.", examples=[[_SAID]]
    )
    by: Annotated[Line, Field(max_length=_LONGEST_SOURCE)] = Field(
        default="", description="Who tells it, where the API asks for no key."
    )


class ConsentAnswer(BaseModel):
    """What a customer has said of a purpose and a channel."""

    model_config = ConfigDict(from_attributes=True)

    purpose: str = Field(description="For what.")
    channel: str = Field(description="On which channel.")
    state: ConsentState = Field(description="What was said.")
    source: str = Field(description="Where that comes from.")
    at: datetime = Field(description="When it was said, in UTC.")


class Consents(BaseModel):
    """All that a customer has said; of every other purpose and channel nothing is known."""

    consents: list[ConsentAnswer]


class ConsentsTaken(BaseModel):
    """What became of many consents."""

    kept: int = Field(description="How many are kept; what was said later before stays.")
    unknown: list[int | str] = Field(description="The first hundred customers who are not there.")
    others: int = Field(description="How many customers are not there.")


def consents_router(units: UnitsOfWork) -> Router:
    """Return the routes of consents, and of all that is kept about a customer."""
    key = units.schema.id
    router = router_by_id(key, "/v1/customers", "Consents", takes_json=True)
    of_path: Any = path_id(key)
    many = Router("/v1", "Consents", route_class=JsonRoute)
    many_type: Any = _many_body(key)

    @router.get(
        "/{customer_id}/consents",
        summary="What a customer has agreed to",
        operation_id="get_consents",
        responses=problem_responses(NOT_FOUND, INVALID, NOT_READY, STORE_UNAVAILABLE),
    )
    @needs(Role.READER)
    def read(customer_id: of_path) -> Consents:
        """Return what the customer has said, by purpose and channel."""
        return _answer(get_consents(units, customer_id))

    @router.put(
        "/{customer_id}/consents",
        summary="Keep what a customer has agreed to",
        operation_id="set_consents",
        responses=problem_responses(NOT_FOUND, INVALID, NOT_READY, STORE_UNAVAILABLE),
    )
    @needs(Role.WRITER)
    def write(customer_id: of_path, asked: ConsentsBody, actor: Actor) -> Consents:
        """Keep what the customer has said of each purpose and channel given; the others stay."""
        given, by = [one.consent(now()) for one in asked.consents], actor or asked.by
        return _answer(units.run(set_consents, customer_id, given, by))

    @router.get(
        "/{customer_id}/dossier",
        summary="All that is kept about a customer",
        operation_id="get_dossier",
        response_model=None,
        responses=_DOSSIER | problem_responses(NOT_FOUND, INVALID, NOT_READY, STORE_UNAVAILABLE),
    )
    @needs(Role.ADMIN)
    def dossier(
        customer_id: of_path,
        format: Annotated[  # noqa: A002
            Literal["json", "html"], Query(description="`json`, or `html` to be read.")
        ] = "json",
    ) -> Response | dict[str, Any]:
        """Answer a request for access: attributes, segment, history, consents and all the rest."""
        found = make_dossier(units, customer_id)
        if format == "html":
            return Response(dossier_page(found), media_type="text/html; charset=utf-8")
        return found

    @many.post(
        "/consents:batch",
        summary="Keep what many customers have agreed to",
        operation_id="set_many_consents",
        responses=problem_responses(INVALID, NOT_READY, STORE_UNAVAILABLE),
    )
    @needs(Role.WRITER)
    @takes_many(MAX_ROWS * ROW_BYTES)
    def write_many(asked: many_type, actor: Actor) -> ConsentsTaken:
        """Keep what customers have said; those who are not there are told, and nothing is kept."""
        moment, rows = now(), asked.consents
        given = [CustomerConsent(row.customer_id, row.consent(moment)) for row in rows]
        unknown = units.run(set_many, given, actor or asked.by)
        lost = {*unknown}
        return ConsentsTaken(
            kept=sum(row.customer_id not in lost for row in rows),
            unknown=unknown[:_TOLD],
            others=len(unknown),
        )

    many.add_to(router)
    return router


def _many_body(id_: Id) -> Any:  # noqa: ANN401
    told: Any = Field(description="Whose.", examples=[id_.example])
    row = create_model("CustomerConsent", __base__=ConsentBody, customer_id=(body_id(id_), told))
    whose = id_.example if id_.is_text else STORED
    rows: Any = Annotated[list[row], Field(min_length=1, max_length=MAX_ROWS)]
    given: Any = Field(description="Of each.", examples=[[{"customer_id": whose, **_SAID}]])
    by: Any = Annotated[Line, Field(max_length=_LONGEST_SOURCE, description="Who tells it.")]
    return create_model(
        "CustomerConsents",
        __doc__="What customers have said.",
        __config__=ConfigDict(extra="forbid"),
        consents=(rows, given),
        by=(by, ""),
    )


def _answer(found: list[Consent]) -> Consents:
    return Consents(consents=[ConsentAnswer.model_validate(one) for one in found])
