"""A client of the service, for users' own code and for the dashboard.

>>> with Client("http://localhost:8000") as bank:
...     bank.get_customer(56)["segment_name"]
'High-Value Power Users'

`Client` waits for each answer; `AsyncClient` has the same methods to be awaited. Both try again by
themselves where that is safe: what was not let in, as `Retry-After` says, and, for calls that do no
more the second time, what was lost on the way or met a database that was away. An answer that is
not a success is raised as a `ServiceError`, which holds the problem details.
"""

import asyncio
import contextlib
import re
import ssl
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, BinaryIO, Generic, Self, TypeVar
from urllib.parse import quote

import httpx

Json = dict[str, Any]
Attributes = Mapping[str, int | float | str | None]
"""Numbers and categories by attribute; None of what is not known."""

TRIES = 5
LONGEST_WAIT_SECONDS = 60.0
"""Where the service asks for a longer wait, its answer stands."""

TIMEOUT = httpx.Timeout(30.0, connect=5.0)
LONG_TIMEOUT = httpx.Timeout(30.0, connect=5.0, read=600.0)
"""For answers that look at every customer, unless a time-out is given."""

LIMITS = httpx.Limits(max_connections=100, max_keepalive_connections=20)
_PIECE_BYTES = 2**20
_TOO_MANY, _UNAVAILABLE = 429, 503
_SAFE_METHODS = ("GET", "HEAD", "PUT")
_NOT_ENDED = ("waiting", "running")
_ONNX = "/v1/models/active/onnx"
_SECONDS = re.compile(r"[0-9]+")


class Reply(dict[str, Any]):
    """An answer's JSON.

    Attributes:
        tag: the entity tag of the customer that it shows, to change it only as it was seen.
    """

    tag: str | None = None


Answer = TypeVar("Answer", Reply, Awaitable[Reply])


class ServiceError(Exception):
    """The service refused a call.

    Attributes:
        status: the HTTP status code.
        problem: the problem details: `type`, `title`, `detail`, and `errors` by field, if any.
    """

    def __init__(self, status: int, problem: Json) -> None:
        """Tell what the service said."""
        super().__init__(str(problem.get("detail") or problem.get("title") or f"HTTP {status}"))
        self.status = status
        self.problem = problem


@dataclass(frozen=True, slots=True)
class _Call:
    """One request.

    Attributes:
        method: its HTTP method.
        path: after the service's address.
        query: its parameters; None is left out.
        body: its JSON body, None for none.
        headers: more headers.
        repeatable: whether sending it twice does no more than once; None is as its method says.
        is_long: whether the service looks at every customer to answer it, or keeps a file.
        file: its body where that is a file.
    """

    method: str
    path: str
    query: Mapping[str, Any] = field(default_factory=dict)
    body: object = None
    headers: Mapping[str, str] = field(default_factory=dict)
    repeatable: bool | None = None
    is_long: bool = False
    file: bytes | Path | None = None

    def options(self, timeout: httpx.Timeout | None) -> Json:
        """Return what httpx is given.

        Args:
            timeout: of every call; None is as long as calls of the kind may take.
        """
        given = {name: value for name, value in self.query.items() if value is not None}
        options: Json = {"params": given, "headers": dict(self.headers)}
        if self.body is not None:
            options["json"] = self.body
        if timeout is None:
            options["timeout"] = LONG_TIMEOUT if self.is_long else TIMEOUT
        return options

    def pieces(self) -> bytes | Iterator[bytes] | None:
        """Return the file, from its beginning at each call."""
        return _pieces(self.file) if isinstance(self.file, Path) else self.file

    def awaited_pieces(self) -> bytes | AsyncIterator[bytes] | None:
        """Return the file to a client that awaits; as `pieces`."""
        return _awaited_pieces(self.file) if isinstance(self.file, Path) else self.file

    @property
    def is_repeatable(self) -> bool:
        """Whether sending it twice does no more than once, and is answered alike."""
        if self.repeatable is not None:
            return self.repeatable
        if "Idempotency-Key" in self.headers:
            return True
        # What was done the first time has changed the entity tag.
        return self.method in _SAFE_METHODS and "If-Match" not in self.headers

    # stamina, which wraps tenacity, takes 30 ms to import, of the 500 ms that a command may take to
    # start, and sleeps by itself: the dashboard lets no wait be longer than a page may take.
    def wait(
        self,
        attempt: int,
        tries: int,
        answer: httpx.Response | None,
        fault: httpx.TransportError | None,
    ) -> float | None:
        """Return how long to wait before trying again; None where the answer stands.

        Args:
            attempt: how many were made before, from 0.
            tries: how many may be made.
            answer: what came, None for a lost connection.
            fault: how the connection was lost.
        """
        if attempt + 1 >= tries:
            return None
        if isinstance(fault, httpx.ReadTimeout):
            # The answer is late, not lost: asked again, the service would begin anew beside it.
            return None
        if answer is None:
            never_sent = isinstance(fault, httpx.ConnectError | httpx.ConnectTimeout)
            return 0.1 * 2.0**attempt if never_sent or self.is_repeatable else None
        if answer.status_code == _TOO_MANY or (
            answer.status_code == _UNAVAILABLE and self.is_repeatable
        ):
            asked = _seconds_of(answer.headers.get("Retry-After", ""))
            seconds = 2.0**attempt if asked is None else asked
            return seconds if seconds <= LONGEST_WAIT_SECONDS else None
        return None


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            yield piece


async def _awaited_pieces(path: Path) -> AsyncIterator[bytes]:
    pieces = _pieces(path)
    while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
        yield piece


@contextlib.contextmanager
def _whole_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file to write that is there once all of it is."""
    part = path.with_name(f".{uuid.uuid4().hex}.part")
    try:
        with part.open("xb") as file:
            yield file
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _seconds_of(retry_after: str) -> float | None:
    """Return the wait that a `Retry-After` header asks for (RFC 9110, 10.2.3), None for none.

    More seconds than a number can hold are infinitely many.
    """
    if _SECONDS.fullmatch(retry_after):
        return float(retry_after)
    try:
        moment = parsedate_to_datetime(retry_after)
        # A date without a zone is in UTC, as every date of HTTP.
        moment = moment.replace(tzinfo=moment.tzinfo or UTC)
        return max(0.0, (moment - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return None


def _read(answer: httpx.Response | None, fault: httpx.TransportError | None) -> Reply:
    """Return an answer's JSON, `{}` for an empty one.

    Raises:
        ServiceError: the answer is not a success, or is no JSON, so not the service's.
        httpx.TransportError: there is none.
    """
    if answer is None:
        raise fault or httpx.TransportError("no answer")
    if answer.is_success and not answer.content:
        return Reply()
    try:
        content = Reply(_object(answer.json()))
    except ValueError:
        told = {"title": answer.reason_phrase, "detail": f"No JSON: {answer.text[:500]}"}
        raise ServiceError(answer.status_code, told) from None
    if answer.is_success:
        content.tag = answer.headers.get("ETag")
        return content
    raise ServiceError(answer.status_code, content)


def _content(answer: httpx.Response) -> bytes:
    """Return an answer that is no JSON.

    Raises:
        ServiceError: the answer is not a success.
    """
    if not answer.is_success:
        _read(answer, None)
    return answer.content


def _object(content: object) -> Json:
    if not isinstance(content, dict):
        raise ValueError("The answer is no JSON object")
    return content


def _authorization(key: str | None) -> dict[str, str]:
    return {} if key is None else {"Authorization": f"Bearer {key}"}


def _if_match(tag: str | None) -> dict[str, str]:
    return {} if tag is None else {"If-Match": tag}


def _once() -> dict[str, str]:
    """Return a header by which the service knows a call that is sent again."""
    return {"Idempotency-Key": uuid.uuid4().hex}


def _customer(customer_id: int | str, within: str = "") -> str:
    return f"/v1/customers/{_segment(customer_id)}{within}"


def _segment(customer_id: int | str) -> str:
    """Return an id as a segment of a path, whatever is in it."""
    encoded = quote(str(customer_id), safe="")
    # Plain, these would lead to another folder.
    return encoded.replace(".", "%2E") if encoded in {".", ".."} else encoded


class _Service(Generic[Answer]):
    """What can be asked of the service; each method returns the answer's JSON.

    A customer's attributes go by their request names, as `/docs` lists them; its id is an integer
    or a text, as the schema says.
    """

    def _send(self, call: _Call) -> Answer:
        raise NotImplementedError

    def get_customer(self, customer_id: int | str) -> Answer:
        """Return a customer, its segment and its next best action."""
        return self._send(_Call("GET", _customer(customer_id)))

    def list_customers(self, cursor: str | None = None, **selection: object) -> Answer:
        """Return a page of customers: `customers`, and `next_cursor` for the next page.

        Args:
            cursor: of the page before.
            selection: such as `segment=2`, `age_min=30`, `sort="-monthly_income"`, `limit=500`.
        """
        return self._send(_Call("GET", "/v1/customers", {**selection, "cursor": cursor}))

    def add_customer(
        self, customer_id: int | str, attributes: Attributes, id_name: str = "customer_id"
    ) -> Answer:
        """Add a customer; tried again, it is added once all the same.

        Args:
            customer_id: whose.
            attributes: all of them, but those that may be left out.
            id_name: what the schema calls the id.
        """
        body = {id_name: customer_id, **attributes}
        return self._send(_Call("POST", "/v1/customers", {}, body, _once()))

    def replace_customer(
        self, customer_id: int | str, attributes: Attributes, tag: str | None = None
    ) -> Answer:
        """Store a customer under an id; given its entity tag, only while it has not changed."""
        path = _customer(customer_id)
        return self._send(_Call("PUT", path, {}, dict(attributes), _if_match(tag)))

    def update_customer(
        self, customer_id: int | str, changes: Attributes, tag: str | None = None
    ) -> Answer:
        """Change some attributes; given the entity tag, only while nobody else has."""
        path = _customer(customer_id)
        # Without a tag a second try sets the same values again.
        again = tag is None
        return self._send(_Call("PATCH", path, {}, dict(changes), _if_match(tag), again))

    def delete_customer(self, customer_id: int | str, tag: str | None = None) -> Answer:
        """Delete a customer; given its entity tag, only while it has not changed.

        Tried again, it is answered as the first time.
        """
        path = _customer(customer_id)
        return self._send(_Call("DELETE", path, headers=_once() | _if_match(tag)))

    def erase_customer(self, customer_id: int | str) -> Answer:
        """Delete a customer for good, history and all; return the receipt."""
        path, query = _customer(customer_id), {"erase": True}
        return self._send(_Call("DELETE", path, query, headers=_once()))

    def get_erasure(self, customer_id: int | str) -> Answer:
        """Return the receipt of an erased customer."""
        return self._send(_Call("GET", f"/v1/erasures/{_segment(customer_id)}"))

    def lift_erasure(self, customer_id: int | str) -> Answer:
        """Let an erased customer be added again."""
        return self._send(_Call("DELETE", f"/v1/erasures/{_segment(customer_id)}"))

    def apply_batch(self, operations: Sequence[Json], *, dry_run: bool = False) -> Answer:
        """Add, update and delete up to 1,000 customers; each row's outcome is told.

        Args:
            operations: such as `{"action": "delete", "customer": {"customer_id": 787}}`.
            dry_run: only tell what would come of it.
        """
        # What changes nothing may be tried again.
        query, again = ({"dry_run": True}, True) if dry_run else ({}, None)
        body = {"operations": operations}
        return self._send(_Call("POST", "/v1/customers:batch", query, body, repeatable=again))

    def take_transaction(self, transaction: Json) -> Answer:
        """Take in a transaction: its outcome, and the customer, segmented anew."""
        return self._send(_Call("POST", "/v1/transactions", body=transaction, repeatable=True))

    def take_transactions(self, transactions: Sequence[Json]) -> Answer:
        """Take in up to 100,000 transactions: what became of each."""
        body = [dict(one) for one in transactions]
        call = _Call("POST", "/v1/transactions", body=body, repeatable=True, is_long=True)
        return self._send(call)

    def delete_transaction(self, transaction_id: int | str) -> Answer:
        """Take a transaction back: its customer without it; empty where that is not stored."""
        path = f"/v1/transactions/{_segment(transaction_id)}"
        return self._send(_Call("DELETE", path))

    def list_transactions(
        self, customer_id: int | str, cursor: str | None = None, limit: int = 100
    ) -> Answer:
        """Return a customer's transactions, the newest first, and `next_cursor`."""
        query = {"cursor": cursor, "limit": limit}
        return self._send(_Call("GET", f"{_customer(customer_id)}/transactions", query))

    def begin_day(self) -> Answer:
        """Let attributes that change with time hold for today; return the day that holds."""
        path = "/v1/transactions:begin-day"
        return self._send(_Call("POST", path, repeatable=True, is_long=True))

    def get_history(self, customer_id: int | str) -> Answer:
        """Return a customer's changes of segment, the oldest first."""
        return self._send(_Call("GET", _customer(customer_id, "/history")))

    def explain_customer(self, customer_id: int | str) -> Answer:
        """Tell why a customer is in its segment."""
        return self._send(_Call("GET", _customer(customer_id, "/explanation")))

    def predict(self, attributes: Attributes, *, explain: bool = False) -> Answer:
        """Tell the segment of someone who need not be a customer, and why where asked."""
        query = {"explain": explain}
        path = "/v1/segments:predict"
        return self._send(_Call("POST", path, query, dict(attributes), repeatable=True))

    def predict_many(self, people: Sequence[Attributes], *, explain: bool = False) -> Answer:
        """Tell the segments of up to 100,000 people, in their order, and why where asked."""
        query = {"explain": explain}
        body = [dict(attributes) for attributes in people]
        return self._send(_Call("POST", "/v1/segments:predict", query, body, repeatable=True))

    def list_segments(self) -> Answer:
        """Return the segments and what their customers are like now."""
        return self._send(_Call("GET", "/v1/segments"))

    def edit_segment(self, number: int, tag: str | None = None, **words: object) -> Answer:
        """Change a segment's `name`, `description` or `strategies`; `by` says who does.

        Given the tag that it was read with, only if nobody has changed it since.
        """
        return self._send(_Call("PATCH", f"/v1/segments/{number}", {}, words, _if_match(tag)))

    def count_audience(self, rule: str) -> Answer:
        """Count the customers who meet a rule now, such as `segment = 2 AND age >= 60`."""
        call = _Call("POST", "/v1/audiences:count", body={"rule": rule}, repeatable=True)
        return self._send(call)

    def create_audience(self, name: str, rule: str, **told: object) -> Answer:
        """Save a rule under a name.

        Args:
            name: what to call it.
            rule: who is in it, such as `segment IN (1, 2) AND days_in_segment >= 30`.
            told: such as `description="..."`, `owner="Ada"`, `frozen=True`, `by="Ada"`.
        """
        return self._send(_Call("POST", "/v1/audiences", {}, {"name": name, "rule": rule, **told}))

    def list_audiences(self) -> Answer:
        """Return the audiences and how many customers each has."""
        return self._send(_Call("GET", "/v1/audiences"))

    def get_audience(self, audience_id: int) -> Answer:
        """Return an audience; `list_customers(audience=...)` lists its customers."""
        return self._send(_Call("GET", f"/v1/audiences/{audience_id}"))

    def change_audience(self, audience_id: int, tag: str | None = None, **told: object) -> Answer:
        """Change an audience's `name`, `description`, `owner` or `rule`; `by` says who does.

        Given the tag that it was read with, only if nobody has changed it since.
        """
        path = f"/v1/audiences/{audience_id}"
        return self._send(_Call("PATCH", path, {}, told, _if_match(tag)))

    def delete_audience(self, audience_id: int) -> Answer:
        """Delete an audience; its customers stay."""
        return self._send(_Call("DELETE", f"/v1/audiences/{audience_id}"))

    def get_audience_profile(self, audience_id: int) -> Answer:
        """Return what an audience's customers are like, beside all customers."""
        return self._send(_Call("GET", f"/v1/audiences/{audience_id}/profile", is_long=True))

    def get_audience_overlaps(self, audience_id: int) -> Answer:
        """Return how many customers an audience shares with each other one."""
        return self._send(_Call("GET", f"/v1/audiences/{audience_id}/overlaps", is_long=True))

    def get_audience_sizes(self, audience_id: int) -> Answer:
        """Return how large an audience was, by day."""
        return self._send(_Call("GET", f"/v1/audiences/{audience_id}/sizes"))

    def create_campaign(
        self, name: str, audience_id: int, arms: Sequence[Json], outcome: Json, **plan: object
    ) -> Answer:
        """Plan a campaign; nothing is done before `start_campaign`.

        Args:
            name: what to call it.
            audience_id: whom it is for.
            arms: such as `[{"name": "Cashback", "channel": "e-mail", "cost": 0.1}]`.
            outcome: such as `{"what": "renewals", "days": 30, "value": 40}`.
            plan: such as `holdout_percent=10`, `expected_rate=0.05`, `by="Ada"`.
        """
        body = {"name": name, "audience_id": audience_id, "arms": arms, "outcome": outcome, **plan}
        return self._send(_Call("POST", "/v1/campaigns", {}, body))

    def forecast_campaign(
        self, audience_id: int, arms: Sequence[Json], outcome: Json, **plan: object
    ) -> Answer:
        """Tell what a campaign could show; arguments as for `create_campaign`."""
        body = {"audience_id": audience_id, "arms": arms, "outcome": outcome, **plan}
        return self._send(_Call("POST", "/v1/campaigns:forecast", {}, body, repeatable=True))

    def list_campaigns(self) -> Answer:
        """Return the campaigns."""
        return self._send(_Call("GET", "/v1/campaigns"))

    def get_campaign(self, campaign_id: int) -> Answer:
        """Return a campaign."""
        return self._send(_Call("GET", f"/v1/campaigns/{campaign_id}"))

    def change_plan(self, campaign_id: int, plan: Json) -> Answer:
        """Give a campaign that has not started another plan."""
        return self._send(_Call("PUT", f"/v1/campaigns/{campaign_id}/plan", {}, plan))

    def delete_campaign(self, campaign_id: int) -> Answer:
        """Delete a campaign that is not running."""
        return self._send(_Call("DELETE", f"/v1/campaigns/{campaign_id}"))

    def start_campaign(self, campaign_id: int, by: str = "") -> Answer:
        """Draw a campaign's customers; `begin_export(campaign_id=...)` writes them to a file."""
        path = f"/v1/campaigns/{campaign_id}:start"
        return self._send(_Call("POST", path, {}, {"by": by}, is_long=True))

    def end_campaign(self, campaign_id: int, by: str = "") -> Answer:
        """End a campaign before its outcomes are complete."""
        return self._send(_Call("POST", f"/v1/campaigns/{campaign_id}:end", {}, {"by": by}))

    def report_outcomes(self, campaign_id: int, outcomes: Sequence[Json], by: str = "") -> Answer:
        """Report what came of up to 10,000 customers of a campaign.

        Args:
            campaign_id: of the campaign.
            outcomes: such as `{"customer_id": 56, "outcome": 1, "addressed": True}`.
            by: who says so.
        """
        path, body = f"/v1/campaigns/{campaign_id}/outcomes", {"outcomes": outcomes, "by": by}
        return self._send(_Call("POST", path, {}, body, repeatable=True, is_long=True))

    def read_out_campaign(self, campaign_id: int) -> Answer:
        """Return what a campaign has brought, as known now."""
        return self._send(_Call("GET", f"/v1/campaigns/{campaign_id}/read-out", is_long=True))

    def get_consents(self, customer_id: int | str) -> Answer:
        """Return what a customer has said of being addressed, by purpose and channel."""
        return self._send(_Call("GET", _customer(customer_id, "/consents")))

    def set_consents(
        self, customer_id: int | str, consents: Sequence[Json], by: str = ""
    ) -> Answer:
        """Keep what a customer has said; other purposes and channels stay as they are.

        Args:
            customer_id: whose.
            consents: such as `{"purpose": "marketing", "channel": "e-mail", "state": "granted"}`.
            by: who says so.
        """
        path, body = _customer(customer_id, "/consents"), {"consents": consents, "by": by}
        return self._send(_Call("PUT", path, {}, body))

    def set_many_consents(self, consents: Sequence[Json], by: str = "") -> Answer:
        """Keep up to 5,000 consents; each as for `set_consents`, with its `customer_id`."""
        body = {"consents": consents, "by": by}
        return self._send(_Call("POST", "/v1/consents:batch", {}, body, repeatable=True))

    def get_dossier(self, customer_id: int | str) -> Answer:
        """Return all that is kept about a customer."""
        return self._send(_Call("GET", _customer(customer_id, "/dossier")))

    def list_results(self, segment: int) -> Answer:
        """Return what ended campaigns brought in a segment."""
        return self._send(_Call("GET", f"/v1/segments/{segment}/results"))

    def get_transitions(self, since: datetime, until: datetime) -> Answer:
        """Count who moved from where to where between two moments."""
        query = {"since": since.isoformat(), "until": until.isoformat()}
        return self._send(_Call("GET", "/v1/segments/transitions", query))

    def get_moves(self, before: int, after: int) -> Answer:
        """Count who is where by one model version and where by another."""
        query = {"before": before, "after": after}
        return self._send(_Call("GET", "/v1/segments/transitions", query, is_long=True))

    def get_growth(self, since: datetime) -> Answer:
        """Count who entered and who left each segment after a moment."""
        return self._send(_Call("GET", "/v1/segments/growth", {"since": since.isoformat()}))

    def get_segment_sizes(self, weeks: int = 12) -> Answer:
        """Return how large the segments were before each of the last weeks, and are now."""
        return self._send(_Call("GET", "/v1/segments/sizes", {"weeks": weeks}))

    def get_distributions(self) -> Answer:
        """Return how each segment's customers are spread over the values of each attribute."""
        return self._send(_Call("GET", "/v1/segments/distributions"))

    def get_map(self, size: int = 1_500) -> Answer:
        """Return some customers' segments and places on the plane where they differ most."""
        return self._send(_Call("GET", "/v1/segments/map", {"size": size}))

    def get_disparity(self) -> Answer:
        """Return how genders and age bands are spread over the segments."""
        return self._send(_Call("GET", "/v1/segments/disparity"))

    def begin_training(self, **request: object) -> Answer:
        """Start a training: `k`, `seed`, `restarts`, `exclude`, `weights`, `by`, `reason`."""
        return self._send(_Call("POST", "/v1/models", {}, request))

    def begin_study(self, **request: object) -> Answer:
        """Start a study over numbers of segments, `ks`."""
        return self._send(_Call("POST", "/v1/studies", {}, request))

    def get_study(self, job_id: str) -> Answer:
        """Return how far a study is, and what it found."""
        return self._send(_Call("GET", f"/v1/studies/{job_id}"))

    def list_jobs(self) -> Answer:
        """Return the newest hundred jobs."""
        return self._send(_Call("GET", "/v1/jobs"))

    def get_job(self, job_id: str) -> Answer:
        """Return how far a job is, and how it ended."""
        return self._send(_Call("GET", f"/v1/jobs/{job_id}"))

    def cancel_job(self, job_id: str, by: str = "") -> Answer:
        """Cancel a running job."""
        return self._send(_Call("POST", f"/v1/jobs/{job_id}:cancel", {}, {"by": by}))

    def begin_import(self, file: bytes | Path, name: str, **asked: object) -> Answer:
        """Send a file of customers and begin to import it; follow it by `follow_import`.

        Args:
            file: its content, or where it is.
            name: what people call it.
            asked: such as `mode="replace"`, `dry_run=True`, `mapping="[age]..."`, `by="Ada"`.
        """
        query = {"name": name, **asked}
        return self._send(_Call("POST", "/v1/imports", query, file=file, is_long=True))

    def preview_import(self, file: bytes | Path, name: str, **asked: object) -> Answer:
        """Return what the first rows of a file show, and a guess of what its columns mean.

        Args:
            file: its content, of text its beginning, or where it is.
            name: what people call it.
            asked: as for `begin_import`.
        """
        query = {"name": name, **asked}
        call = _Call("POST", "/v1/imports:preview", query, repeatable=True, file=file)
        return self._send(call)

    def list_imports(self) -> Answer:
        """Return the newest hundred imports: who imported what, and what came of it."""
        return self._send(_Call("GET", "/v1/imports"))

    def get_import(self, import_id: str) -> Answer:
        """Return how far an import is, and what it did."""
        return self._send(_Call("GET", f"/v1/imports/{import_id}"))

    def cancel_import(self, import_id: str, by: str = "") -> Answer:
        """Cancel an import; what it has stored stays."""
        return self._send(_Call("POST", f"/v1/imports/{import_id}:cancel", {}, {"by": by}))

    def undo_import(self, import_id: str, by: str = "", reason: str = "") -> Answer:
        """Begin to take an import back; follow the answer's id by `follow_import`."""
        path, body = f"/v1/imports/{import_id}:undo", {"by": by, "reason": reason}
        return self._send(_Call("POST", path, {}, body))

    def begin_export(self, **asked: object) -> Answer:
        """Begin to write customers to a file; follow it by `follow_export`.

        Args:
            asked: such as `format="parquet"`, `segment=2`, `min={"age": 60}`, `holdout=10`,
                `split="spring"`, `audience=True`, `by="Ada"`.
        """
        return self._send(_Call("POST", "/v1/exports", {}, asked))

    def list_exports(self) -> Answer:
        """Return the newest hundred exports."""
        return self._send(_Call("GET", "/v1/exports"))

    def get_export(self, export_id: str) -> Answer:
        """Return how far an export is."""
        return self._send(_Call("GET", f"/v1/exports/{export_id}"))

    def cancel_export(self, export_id: str, by: str = "") -> Answer:
        """Cancel an export; there is no file."""
        return self._send(_Call("POST", f"/v1/exports/{export_id}:cancel", {}, {"by": by}))

    def get_schema(self) -> Answer:
        """Return what a customer is made of: the id, and the attributes in their order."""
        return self._send(_Call("GET", "/v1/schema"))

    def infer_schema(self, file: bytes | Path, name: str, **asked: object) -> Answer:
        """Return a schema made from a table, with what each column is taken for and why.

        Args:
            file: its content, or where it is.
            name: what people call it.
            asked: such as `id="member"`, `numbered=True`, `taken=["plan=ordinal"]`, `sheet="May"`.
        """
        query = {"name": name, **asked}
        call = _Call("POST", "/v1/schema:infer", query, repeatable=True, is_long=True, file=file)
        return self._send(call)

    def plan_schema(
        self, text: str, renames: Json | None = None, *, discard_demo: bool = False
    ) -> Answer:
        """Return what a schema, as TOML, would change, and why it cannot be applied, if so."""
        body = {"text": text, "renames": renames or {}, "discard_demo": discard_demo}
        return self._send(_Call("POST", "/v1/schema:plan", {}, body))

    def apply_schema(
        self,
        text: str,
        renames: Json | None = None,
        by: str = "",
        number: int | None = None,
        *,
        discard_demo: bool = False,
    ) -> Answer:
        """Let a schema, as TOML, hold from now on; return what was changed.

        Args:
            text: the schema.
            renames: by the name of an attribute that is renamed, its new one.
            by: who says so.
            number: of the schema that it was planned for, as `plan_schema` returned it: where
                another one holds by now, nothing is changed.
            discard_demo: whether the demonstration goes first, where the database holds it.
        """
        asked = {"text": text, "renames": renames or {}, "by": by, "number": number}
        body = {**asked, "discard_demo": discard_demo}
        return self._send(_Call("POST", "/v1/schema:apply", {}, body))

    def list_models(self) -> Answer:
        """Return every model version that is kept, in brief."""
        return self._send(_Call("GET", "/v1/models"))

    def get_model(self, version: int) -> Answer:
        """Return a model version whole."""
        return self._send(_Call("GET", f"/v1/models/{version}"))

    def activate_model(self, version: int, by: str = "", reason: str = "") -> Answer:
        """Let a version serve: promote, approve, or roll back."""
        path, body = f"/v1/models/{version}:activate", {"by": by, "reason": reason}
        return self._send(_Call("POST", path, {}, body, repeatable=True))

    def get_impact(self, version: int, against: int | None = None) -> Answer:
        """Tell what a version would change for the customers, against the active one or another."""
        path, query = f"/v1/models/{version}/impact", {"against": against}
        return self._send(_Call("GET", path, query, is_long=True))

    def get_record(self, version: int) -> Answer:
        """Return a version's record for the model-risk file."""
        return self._send(_Call("GET", f"/v1/models/{version}/record"))

    def get_sql(
        self, dialect: str = "postgres", table: str = "customers", view: str | None = None
    ) -> Answer:
        """Return the active model's rule as a statement of SQL.

        Args:
            dialect: such as `postgres`, `snowflake` or `bigquery`.
            table: of the customers, with columns by the attributes' names, and `customer_id`.
            view: create a view of this name, in place of a query.
        """
        query = {"dialect": dialect, "table": table, "view": view}
        return self._send(_Call("GET", "/v1/models/active/sql", query))

    def get_drift(self) -> Answer:
        """Return how far the customers have drifted from the active model's training data."""
        return self._send(_Call("GET", "/v1/drift"))

    def list_events(self, after: str | None = None, limit: int = 1000) -> Answer:
        """Return changes of segment after a place in the feed, and where to go on (`next`)."""
        return self._send(_Call("GET", "/v1/events", {"after": after, "limit": limit}))

    def create_webhook(self, url: str) -> Answer:
        """Have changes of segment posted to a URL; the answer holds the secret that signs them."""
        return self._send(_Call("POST", "/v1/webhooks", {}, {"url": url}))

    def list_webhooks(self) -> Answer:
        """Return the webhooks and how their deliveries go."""
        return self._send(_Call("GET", "/v1/webhooks"))

    def remove_webhook(self, webhook_id: str) -> Answer:
        """Have nothing more posted to a webhook."""
        return self._send(_Call("DELETE", f"/v1/webhooks/{webhook_id}"))

    def list_dead_letters(self, webhook_id: str) -> Answer:
        """Return what could not be delivered to a webhook."""
        return self._send(_Call("GET", f"/v1/webhooks/{webhook_id}/dead-letters"))

    def redeliver(self, webhook_id: str, number: int) -> Answer:
        """Send a dead letter once more."""
        path = f"/v1/webhooks/{webhook_id}/dead-letters/{number}:redeliver"
        return self._send(_Call("POST", path))

    def hold_publisher(
        self,
        name: str,
        holder: str,
        seconds: float,
        cursor: str | None = None,
        *,
        latest: bool = False,
    ) -> Answer:
        """Hold a publisher of events, so that no other process sends under its name meanwhile.

        Args:
            name: of the publisher; a new one is made.
            holder: which process holds it.
            seconds: for how long from now on; 0 gives it back.
            cursor: up to where events are sent; None leaves it as it is.
            latest: whether a new one begins with events to come, and not with the oldest.
        """
        body = {
            "name": name,
            "holder": holder,
            "seconds": seconds,
            "cursor": cursor,
            "latest": latest,
        }
        return self._send(_Call("POST", "/v1/publishers:hold", {}, body, repeatable=True))

    def list_publishers(self) -> Answer:
        """Return the publishers of events, and up to where each has sent them."""
        return self._send(_Call("GET", "/v1/publishers"))

    def get_access(self) -> Answer:
        """Return whose the key is (`name`), and what it may do (`role`)."""
        return self._send(_Call("GET", "/v1/access"))

    def list_keys(self) -> Answer:
        """Return the API keys without their secrets, the oldest first."""
        return self._send(_Call("GET", "/v1/keys"))

    def create_key(self, name: str, role: str = "reader", days: int | None = None) -> Answer:
        """Make an API key; the answer holds it (`key`), this once.

        Args:
            name: whose it is, or what it is for.
            role: `reader`, `writer` or `admin`.
            days: after how many it expires; None is never.
        """
        body = {"name": name, "role": role, "days": days}
        return self._send(_Call("POST", "/v1/keys", {}, body))

    def revoke_key(self, name: str) -> Answer:
        """Refuse an API key from now on."""
        return self._send(_Call("POST", "/v1/keys:revoke", {}, {"name": name}))

    def get_diagnosis(self) -> Answer:
        """Return whether database, model, counts, jobs and disk are well."""
        return self._send(_Call("GET", "/v1/diagnosis"))

    def recount_customers(self) -> Answer:
        """Count all customers anew, repair the counts, and return whether all is well."""
        call = _Call("POST", "/v1/diagnosis:recount", repeatable=True, is_long=True)
        return self._send(call)

    def verify_audit_log(self, head: str | None = None) -> Answer:
        """Compute the audit log's chain of hashes anew; tell what was changed (`faults`).

        Args:
            head: one that was kept, to look for in the chain.
        """
        return self._send(_Call("GET", "/v1/audit/verification", {"head": head}, is_long=True))

    def list_audit_entries(self, before: int | None = None, **selection: object) -> Answer:
        """Return who did what, the newest first, and where to go on (`next_before`).

        Args:
            before: `next_before` of the page before.
            selection: such as `kind="customer"`, `subject="56"`, `limit=500`.
        """
        return self._send(_Call("GET", "/v1/audit", {**selection, "before": before}))


class Client(_Service[Reply]):
    """A client that waits for each answer."""

    def __init__(
        self,
        url: str,
        key: str | None = None,
        *,
        timeout: httpx.Timeout | float | None = None,
        limits: httpx.Limits = LIMITS,
        proxy: httpx.Proxy | str | None = None,
        verify: ssl.SSLContext | bool = True,
        transport: httpx.BaseTransport | None = None,
        tries: int = TRIES,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Connect with the first call.

        Args:
            url: the service's address, such as `http://localhost:8000`.
            key: an API key, where the service asks for one.
            timeout: how long each call may wait, in seconds or by phase; None is 30 seconds, 5 to
                connect, and ten minutes for comparisons of all customers.
            limits: how many connections are kept.
            proxy: the address of a proxy; None is as the environment says.
            verify: how the service's certificate is checked.
            transport: sends requests in place of the network; limits, proxy and verify are its own.
            tries: how often a call is sent at most.
            sleep: waits between tries.
        """
        self._sleep = sleep
        self._tries = tries
        self._timeout = None if timeout is None else httpx.Timeout(timeout)
        self._http = httpx.Client(
            base_url=url,
            headers=_authorization(key),
            timeout=self._timeout or TIMEOUT,
            limits=limits,
            proxy=proxy,
            verify=verify,
            transport=transport,
        )

    def __enter__(self) -> Self:
        """Return the client."""
        return self

    def __exit__(self, *_fault: object) -> None:
        """Close its connections."""
        self.close()

    def close(self) -> None:
        """Close every connection."""
        self._http.close()

    def iterate_customers(self, **selection: object) -> Iterator[Json]:
        """Yield every customer of a selection, page by page."""
        cursor = None
        while True:
            page = self.list_customers(cursor, **selection)
            yield from page["customers"]
            cursor = page["next_cursor"]
            if cursor is None:
                return

    def iterate_events(self, after: str | None = None, limit: int = 1000) -> Iterator[Json]:
        """Yield every event after a place in the feed until there is none, page by page."""
        while True:
            page = self.list_events(after, limit)
            yield from page["events"]
            if not page["events"]:
                return
            after = page["next"]

    def follow_job(self, job_id: str, seconds: float = 0.5) -> Iterator[Json]:
        """Yield a job as it is, again and again, until it has ended."""
        return self._follow(self.get_job, job_id, seconds)

    def follow_import(self, import_id: str, seconds: float = 0.5) -> Iterator[Json]:
        """Yield an import as it is, again and again, until it has ended."""
        return self._follow(self.get_import, import_id, seconds)

    def follow_export(self, export_id: str, seconds: float = 0.5) -> Iterator[Json]:
        """Yield an export as it is, again and again, until it has ended."""
        return self._follow(self.get_export, export_id, seconds)

    def download_export(self, export_id: str, target: Path) -> None:
        """Write the file of an export to a file of one's own.

        Raises:
            ServiceError: it is not there yet, or not any more.
        """
        self._download(f"/v1/exports/{export_id}/file", target)

    def download_rejects(self, import_id: str, target: Path) -> None:
        """Write the rows that an import did not take to a file.

        Raises:
            ServiceError: there are none, or not any more.
        """
        self._download(f"/v1/imports/{import_id}/rejects", target)

    def _download(self, path: str, target: Path) -> None:
        with self._http.stream("GET", path, timeout=self._timeout or LONG_TIMEOUT) as answer:
            if not answer.is_success:
                answer.read()
                _read(answer, None)
            with _whole_file(target) as file:
                for piece in answer.iter_bytes():
                    file.write(piece)

    def _follow(self, get: Callable[[str], Json], job_id: str, seconds: float) -> Iterator[Json]:
        while True:
            job = get(job_id)
            yield job
            if job["state"] not in _NOT_ENDED:
                return
            self._sleep(seconds)

    def get_schema_text(self, form: str = "toml") -> str:
        """Return the schema as `toml`, `table-schema` or `json-schema`."""
        return _content(self._http.get("/v1/schema", params={"format": form})).decode()

    def get_dossier_page(self, customer_id: int | str) -> str:
        """Return all that is kept about a customer, as a page of HTML."""
        path = _customer(customer_id, "/dossier")
        return _content(self._http.get(path, params={"format": "html"})).decode()

    def get_onnx(self) -> bytes:
        """Return the active model's rule as an ONNX model."""
        return _content(self._http.get(_ONNX, timeout=self._timeout or LONG_TIMEOUT))

    def _send(self, call: _Call) -> Reply:
        attempt, options = 0, call.options(self._timeout)
        while True:
            answer, fault = None, None
            try:
                answer = self._http.request(
                    call.method, call.path, content=call.pieces(), **options
                )
            except httpx.TransportError as lost:
                fault = lost
            wait = call.wait(attempt, self._tries, answer, fault)
            if wait is None:
                return _read(answer, fault)
            self._sleep(wait)
            attempt += 1


class AsyncClient(_Service[Awaitable[Reply]]):
    """A client whose calls are awaited."""

    def __init__(
        self,
        url: str,
        key: str | None = None,
        *,
        timeout: httpx.Timeout | float | None = None,
        limits: httpx.Limits = LIMITS,
        proxy: httpx.Proxy | str | None = None,
        verify: ssl.SSLContext | bool = True,
        transport: httpx.AsyncBaseTransport | None = None,
        tries: int = TRIES,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Connect with the first call; arguments as for `Client`."""
        self._sleep = sleep
        self._tries = tries
        self._timeout = None if timeout is None else httpx.Timeout(timeout)
        self._http = httpx.AsyncClient(
            base_url=url,
            headers=_authorization(key),
            timeout=self._timeout or TIMEOUT,
            limits=limits,
            proxy=proxy,
            verify=verify,
            transport=transport,
        )

    async def __aenter__(self) -> Self:
        """Return the client."""
        return self

    async def __aexit__(self, *_fault: object) -> None:
        """Close its connections."""
        await self.close()

    async def close(self) -> None:
        """Close every connection."""
        await self._http.aclose()

    async def iterate_customers(self, **selection: object) -> AsyncIterator[Json]:
        """Yield every customer of a selection, page by page."""
        cursor = None
        while True:
            page = await self.list_customers(cursor, **selection)
            for customer in page["customers"]:
                yield customer
            cursor = page["next_cursor"]
            if cursor is None:
                return

    async def iterate_events(
        self, after: str | None = None, limit: int = 1000
    ) -> AsyncIterator[Json]:
        """Yield every event after a place in the feed until there is none, page by page."""
        while True:
            page = await self.list_events(after, limit)
            for event in page["events"]:
                yield event
            if not page["events"]:
                return
            after = page["next"]

    def follow_job(self, job_id: str, seconds: float = 0.5) -> AsyncIterator[Json]:
        """Yield a job as it is, again and again, until it has ended."""
        return self._follow(self.get_job, job_id, seconds)

    def follow_import(self, import_id: str, seconds: float = 0.5) -> AsyncIterator[Json]:
        """Yield an import as it is, again and again, until it has ended."""
        return self._follow(self.get_import, import_id, seconds)

    def follow_export(self, export_id: str, seconds: float = 0.5) -> AsyncIterator[Json]:
        """Yield an export as it is, again and again, until it has ended."""
        return self._follow(self.get_export, export_id, seconds)

    async def download_export(self, export_id: str, target: Path) -> None:
        """Write the file of an export to a file of one's own; errors as for `Client`."""
        await self._download(f"/v1/exports/{export_id}/file", target)

    async def download_rejects(self, import_id: str, target: Path) -> None:
        """Write the rows that an import did not take to a file; errors as for `Client`."""
        await self._download(f"/v1/imports/{import_id}/rejects", target)

    async def _download(self, path: str, target: Path) -> None:
        timeout = self._timeout or LONG_TIMEOUT
        async with self._http.stream("GET", path, timeout=timeout) as answer:
            if not answer.is_success:
                await answer.aread()
                _read(answer, None)
            with _whole_file(target) as file:
                async for piece in answer.aiter_bytes():
                    await asyncio.to_thread(file.write, piece)

    async def _follow(
        self, get: Callable[[str], Awaitable[Json]], job_id: str, seconds: float
    ) -> AsyncIterator[Json]:
        while True:
            job = await get(job_id)
            yield job
            if job["state"] not in _NOT_ENDED:
                return
            await self._sleep(seconds)

    async def get_schema_text(self, form: str = "toml") -> str:
        """Return the schema as `toml`, `table-schema` or `json-schema`."""
        return _content(await self._http.get("/v1/schema", params={"format": form})).decode()

    async def get_dossier_page(self, customer_id: int | str) -> str:
        """Return all that is kept about a customer, as a page of HTML."""
        path = _customer(customer_id, "/dossier")
        return _content(await self._http.get(path, params={"format": "html"})).decode()

    async def get_onnx(self) -> bytes:
        """Return the active model's rule as an ONNX model."""
        return _content(await self._http.get(_ONNX, timeout=self._timeout or LONG_TIMEOUT))

    async def _send(self, call: _Call) -> Reply:
        attempt, options = 0, call.options(self._timeout)
        while True:
            answer, fault = None, None
            try:
                answer = await self._http.request(
                    call.method, call.path, content=call.awaited_pieces(), **options
                )
            except httpx.TransportError as lost:
                fault = lost
            wait = call.wait(attempt, self._tries, answer, fault)
            if wait is None:
                return _read(answer, fault)
            await self._sleep(wait)
            attempt += 1
