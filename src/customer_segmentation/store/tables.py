"""The tables, as SQLAlchemy Core declares them; `migrations/` makes and changes them."""

from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    false,
    text,
)
from sqlalchemy.types import TypeDecorator, TypeEngine

from customer_segmentation.domain.attributes import LONGEST_ID, Kind, Missing
from customer_segmentation.domain.errors import FieldError, InvalidInputError
from customer_segmentation.domain.schema import Schema
from customer_segmentation.domain.transactions import LONGEST_TEXT

metadata = MetaData()

_ID = BigInteger().with_variant(Integer(), "sqlite")


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in UTC, also where the database keeps no time zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        """Store in UTC."""
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        """Read as UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Words(TypeDecorator[str]):
    """A text of at most so many characters; one that is longer is refused alike everywhere."""

    impl = String
    cache_ok = True

    def __init__(self, longest: int) -> None:
        """Hold texts of so many characters."""
        super().__init__(longest)
        self.longest = longest

    def process_bind_param(self, value: str | None, _dialect: Dialect) -> str | None:
        """Return the text to store.

        Raises:
            InvalidInputError: it is too long.
        """
        if value is not None and len(value) > self.longest:
            message = f"a name must have at most {self.longest} characters, not {len(value)}"
            raise InvalidInputError([FieldError("text", message)])
        return value


def _column_type(kind: Kind) -> TypeEngine[int] | TypeEngine[float]:
    match kind:
        case Kind.AMOUNT:
            return Double()
        case Kind.COUNT:
            return BigInteger()
        case _:
            return Integer()


def customer_table(schema: Schema | None = None, name: str = "customers") -> Table:
    """Return the table of customers, with a column for each attribute of a schema."""
    attributes = [
        Column(
            attribute.name,
            _column_type(attribute.kind),
            nullable=attribute.missing is Missing.ALLOWED,
        )
        for attribute in (schema.attributes if schema else ())
    ]
    return Table(
        name,
        MetaData(),
        Column("customer_id", _ID, primary_key=True, autoincrement=False),
        *attributes,
        Column("segment", Integer, nullable=False),
        Column("epoch", Integer, nullable=False),
        *_expiry(schema),
    )


def _expiry(schema: Schema | None) -> list[Column[int]]:
    """Return the column of the day on which attributes of a window change by themselves."""
    if schema is None or not schema.windows:
        return []
    return [Column("expires", Integer, nullable=True)]


customers = customer_table()
"""Each customer with the segment it is in, and the epoch in which that was written last; what no
schema changes of it."""

customer_ids = Table(
    "customer_ids",
    metadata,
    Column("number", _ID, primary_key=True),
    Column(
        "id",
        String(LONGEST_ID).with_variant(String(LONGEST_ID, collation="C"), "postgresql"),
        nullable=False,
        unique=True,
    ),
    sqlite_autoincrement=True,
)
"""Where ids are texts, the number that each stands for inside: every other table has that number as
`customer_id`. It is never given to another id, and the same customer deleted and added again has it
again. Ids that are integers are their own numbers, and have no rows here."""

transactions = Table(
    "transactions",
    metadata,
    Column(
        "id",
        String(LONGEST_ID).with_variant(String(LONGEST_ID, collation="C"), "postgresql"),
        primary_key=True,
    ),
    Column("customer_id", BigInteger, nullable=False),
    Column("time", BigInteger, nullable=False),
    Column("amount", BigInteger),
    Column("kind", String(LONGEST_TEXT), nullable=False),
    Column("fields", JSON(none_as_null=True)),
    Index("transactions_of_customers", "customer_id", "time"),
)
"""Customers' transactions. Ids that are integers are kept as their digits; the time is in
microseconds since 1970 in UTC; the amount is in the smallest parts that the schema allows."""

activity = Table(
    "activity",
    metadata,
    Column("customer_id", _ID, primary_key=True, autoincrement=False),
    Column("until", BigInteger, nullable=False),
    Column("carried", Text, nullable=False),
    Column("states", Text, nullable=False),
)
"""What follows from the transactions of each customer who has any, as JSON by attribute: `states`
from all of them, and `carried` from those until a time that are not kept any longer."""

schemas = Table(
    "schemas",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("created_by", Words(200), nullable=False),
    Column("text", Text, nullable=False),
    Column("continues", JSON, nullable=False),
    Column("versions_before", Integer, nullable=False, server_default="0"),
)
"""Every schema that customers had here, as TOML; the last one holds. For each attribute that goes
on from the schema before, `continues` has the name that it had there. Where nobody and no model of
before goes on, `versions_before` is the last version that was given. The rows never change."""

segment_changes = Table(
    "segment_changes",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("customer_id", BigInteger, nullable=False, index=True),
    Column("changed_at", UtcDateTime, nullable=False),
    Column("cause", String(16), nullable=False),
    Column("from_segment", Integer),
    Column("to_segment", Integer),
    Column("model_version", Integer, nullable=False),
    Column("transaction_id", BigInteger),
    Column("position", BigInteger),
    Column("audience_id", Integer),
    Column("entered", Boolean),
    Index("segment_changes_in_order", "position"),
    Index("segment_changes_by_time", "changed_at", "from_segment", "to_segment"),
)
"""Each change of a customer's segment, written in the transaction that makes it. Its position in
the feed is filled in once that is committed, see `store/queries/feed.py`. Transaction ids, with the
rows' ids, were the order before there were positions; cursors of then tell them.

A row with an audience tells that the customer entered or left that; the segment left and the one
entered are then both the one that the customer is in, so that one feed has all in one order, and
who counts moves between segments counts none."""

feed = Table(
    "feed",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("position", BigInteger, nullable=False),
)
"""One row: the last position given to a change."""

model_versions = Table(
    "model_versions",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("trigger", String(32), nullable=False),
    Column("created_by", Words(200), nullable=False),
    Column("reason", Text, nullable=False),
    Column("held_back", JSON, nullable=False),
    Column("artifact", Text, nullable=False),
    Column("schema", Integer, nullable=False, server_default="1"),
)
"""Every trained model, where it comes from, and the schema that held; the rows never change."""

active_model = Table(
    "active_model",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("version", Integer, ForeignKey("model_versions.version"), nullable=False),
    Column("cause", String(16), nullable=False),
    Column("edition", Integer, nullable=False),
    Column("next_segment", Integer, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("activated_in", Integer, nullable=False),
    Column("rescored_up_to", BigInteger, nullable=False),
    Column("is_demo", Boolean, nullable=False, server_default=false()),
    Column("schema", Integer, nullable=False, server_default="1"),
    Column("day", Integer, nullable=False, server_default="0"),
    Column("kept_since", BigInteger, nullable=False, server_default="0"),
    Column("audiences", Integer, nullable=False, server_default="0"),
)
"""One row: the active version, and why; which edition of the segments' words; the number that
the next new segment gets; the epoch, which what is written to customers carries; whether the
database began as the demonstration; the number of the schema, so that each transaction sees
whether it is the one that it knows; the day, in days since 1970, for which attributes hold that
change with time; since when transactions are kept, in microseconds since 1970, 0 if for good; and
the edition of the dynamic audiences' rules, 0 before there is one.

The epoch rises with each activation, and when a training begins to read. A customer's row tells its
segment by this version if it was written in the epoch of the activation or a later one, or if the
re-scoring has passed its id, which writes only to those whom it moves. Any other is scored when
read. Changing the version is what activating a model means."""

activations = Table(
    "activations",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("previous", Integer),
    Column("cause", String(16), nullable=False),
    Column("activated_at", UtcDateTime, nullable=False),
    Column("activated_by", Words(200), nullable=False),
    Column("reason", Text, nullable=False),
    Column("epoch", Integer, nullable=False),
)
"""Each time a version began to serve, who said so, and the epoch that began with it."""

segment_edits = Table(
    "segment_edits",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("number", Integer, nullable=False),
    Column("name", Words(200), nullable=False),
    Column("description", Text, nullable=False),
    Column("strategies", JSON, nullable=False),
    Column("edited_at", UtcDateTime, nullable=False),
    Column("edited_by", Words(200), nullable=False),
    Index("segment_edits_in_order", "number", "id"),
)
"""What people made of segments' words; of a segment's rows the last one holds."""

distributions = Table(
    "distributions",
    metadata,
    Column("model_version", Integer, primary_key=True, autoincrement=False),
    Column("changed", BigInteger, nullable=False),
    Column("content", JSON, nullable=False),
)
"""How the customers whose rows tell their segments by a version are spread over the bins of its
model, but for what `customer_changes` tells; and how many changes were counted since it was
activated."""

customer_changes = Table(
    "customer_changes",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("left", LargeBinary),
    Column("left_segment", Integer),
    Column("entered", LargeBinary),
    Column("entered_segment", Integer),
)
"""Each change of a customer that is not counted in the distribution yet: what it was, nothing where
that was not counted, and what it is now, nothing where it was deleted. Attributes are packed as
numbers of eight bytes each, as this is written with every change and read soon.

Writers append here, as they would wait for one another to count in one row."""

count_checks = Table(
    "count_checks",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("finished_at", UtcDateTime),
    Column("wrong", BigInteger, nullable=False),
)
"""One row: when all customers were last counted anew to check what was counted as they changed, and
how many were found counted wrongly."""

audiences = Table(
    "audiences",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Words(200), nullable=False, unique=True),
    Column("description", Text, nullable=False),
    Column("owner", Words(200), nullable=False),
    Column("rule", Text, nullable=False),
    Column("is_frozen", Boolean, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("created_by", Words(200), nullable=False),
    Column("checked", String(100), nullable=False),
    sqlite_autoincrement=True,
)
"""Saved audiences. `checked` tells for which day, model and schema all customers were last held
against a dynamic audience's rule."""

audience_members = Table(
    "audience_members",
    metadata,
    Column("audience_id", Integer, primary_key=True, autoincrement=False),
    Column("customer_id", BigInteger, primary_key=True, autoincrement=False),
    Index("audience_members_by_customer", "customer_id"),
)
"""Who is in which audience: of a dynamic one, as the last event about each customer says."""

audience_sizes = Table(
    "audience_sizes",
    metadata,
    Column("audience_id", Integer, primary_key=True, autoincrement=False),
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("size", BigInteger, nullable=False),
)
"""How many customers an audience had on a day, in days since 1970."""

audience_exports = Table(
    "audience_exports",
    metadata,
    Column("audience_id", Integer, primary_key=True, autoincrement=False),
    Column("customer_id", BigInteger, primary_key=True, autoincrement=False),
    Index("audience_exports_by_customer", "customer_id"),
)
"""Who was in an audience when its changes were exported last."""

consents = Table(
    "consents",
    metadata,
    Column("customer_id", BigInteger, primary_key=True, autoincrement=False),
    Column("purpose", Words(100), primary_key=True),
    Column("channel", Words(100), primary_key=True),
    Column("state", String(16), nullable=False),
    Column("source", Words(200), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Index("consents_by_purpose", "purpose", "channel", "state", "customer_id"),
)
"""What customers have said of being addressed; of whom there is no row, it is unknown."""

campaigns = Table(
    "campaigns",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Words(200), nullable=False, unique=True),
    Column("audience_id", Integer, nullable=False),
    Column("plan", JSON, nullable=False),
    Column("state", String(16), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("created_by", Words(200), nullable=False),
    Column("started_at", UtcDateTime),
    Column("ended_at", UtcDateTime),
    Column("left_out", BigInteger, nullable=False, server_default="0"),
    Column("results", JSON(none_as_null=True)),
    sqlite_autoincrement=True,
)
"""Campaigns, what was planned of each before it started, and what had come of it when it ended."""

campaign_members = Table(
    "campaign_members",
    metadata,
    Column("campaign_id", Integer, primary_key=True, autoincrement=False),
    Column("customer_id", BigInteger, primary_key=True, autoincrement=False),
    Column("arm", Integer, nullable=False),
    Column("segment", Integer, nullable=False),
    Column("before", Double),
    Column("outcome", Double),
    Column("addressed", Boolean),
    Index("campaign_members_by_customer", "customer_id"),
)
"""Whom a campaign was started with: the arm that was drawn, 0 for who is held out, the segment at
the start, what was known of the outcome before, and what came of it as far as that was told."""

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("key", String(255), primary_key=True),
    Column("customer_id", BigInteger, nullable=False, index=True),
    Column("asked", JSON, nullable=False),
    Column("segment", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False, index=True),
)
"""What was added under which idempotency key, for a day."""

requests_done = Table(
    "requests_done",
    metadata,
    Column("key", String(255), primary_key=True),
    Column("what", String(100), nullable=False),
    Column("done_at", UtcDateTime, nullable=False, index=True),
)
"""What was deleted under which idempotency key, for a day."""

erasures = Table(
    "erasures",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("customer_id", BigInteger, nullable=False, unique=True),
    Column("erased_at", UtcDateTime, nullable=False),
    Column("erased_by", Words(200), nullable=False),
    Column("removed", JSON, nullable=False),
    Column("model_versions", JSON, nullable=False),
)
"""The suppression list: customers who were erased and must not come back by accident."""

webhooks = Table(
    "webhooks",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("url", Text, nullable=False),
    Column("secret", String(64), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("created_by", Words(200), nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("until", BigInteger),
    Column("attempts", Integer, nullable=False),
    Column("next_at", UtcDateTime, nullable=False, index=True),
    Column("error", Text, nullable=False),
)
"""Receivers of events, with the position in the feed up to where each was told, and up to where the
message goes that is being sent. The secret is kept as it is, as it must sign."""

publishers = Table(
    "publishers",
    metadata,
    Column("name", Words(200), primary_key=True),
    Column("position", BigInteger, nullable=False),
    Column("holder", Words(200), nullable=False),
    Column("held_until", UtcDateTime, nullable=False),
)
"""Who sends the feed to a message broker, up to where that is done, and which process does it."""

dead_letters = Table(
    "dead_letters",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("webhook_id", String(32), nullable=False, index=True),
    Column("message_id", String(100), nullable=False),
    Column("after", BigInteger, nullable=False),
    Column("until", BigInteger, nullable=False),
    Column("failed_at", UtcDateTime, nullable=False),
    Column("error", Text, nullable=False),
    sqlite_autoincrement=True,
)
"""Events that were given up, as positions in the feed: what is erased from it is erased here."""

audit_entries = Table(
    "audit_entries",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("actor", Words(200), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("subject", Words(200), nullable=False),
    Column("action", Words(32), nullable=False),
    Column("digest", String(64)),
    Column("position", BigInteger),
    Index("audit_entries_in_order", "position"),
    Index("audit_entries_by_subject", "kind", "subject"),
)
"""Who did what; written in the transaction that does it. Its position is that of its link, filled
in when it is sealed. Triggers refuse every other change."""

audit_values = Table(
    "audit_values",
    metadata,
    Column("entry_id", BigInteger, primary_key=True, autoincrement=False),
    Column("salt", String(32), nullable=False),
    Column("written", JSON, nullable=False),
)
"""The values that entries of the audit log are about, where they are kept and not erased."""

audit_chain = Table(
    "audit_chain",
    metadata,
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("entry_id", BigInteger, unique=True),
    Column("hash", String(64), nullable=False),
)
"""The links that seal the audit log, from position 1; row 0 is the chain's beginning and its lock.
Triggers refuse every change."""

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("name", Words(200), nullable=False, unique=True),
    Column("role", String(16), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("revoked_at", UtcDateTime),
    Column("expires_at", UtcDateTime),
)
"""The keys by which requests are known."""

jobs = Table(
    "jobs",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("phase", String(16), nullable=False),
    Column("done", BigInteger, nullable=False),
    Column("total", BigInteger, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("heartbeat_at", UtcDateTime, nullable=False),
    Column("finished_at", UtcDateTime),
    Column("host", String(255), nullable=False),
    Column("pid", Integer, nullable=False),
    Column("trigger", String(32), nullable=False),
    Column("requested_by", Words(200), nullable=False),
    Column("reason", Text, nullable=False),
    Column("request", JSON, nullable=False),
    Column("model_version", Integer, ForeignKey("model_versions.version")),
    Column("error", Text),
    Column("result", JSON(none_as_null=True)),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Index(
        "one_running_job",
        "kind",
        unique=True,
        sqlite_where=text("state = 'running'"),
        postgresql_where=text("state = 'running'"),
    ),
)
"""Jobs. The unique index is the lease: of each kind one job runs at most, whoever started it."""

import_changes = Table(
    "import_changes",
    metadata,
    Column("import_id", String(32), primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("first_id", BigInteger, nullable=False),
    Column("last_id", BigInteger, nullable=False),
    Column("added", LargeBinary, nullable=False),
    Column("changed", LargeBinary, nullable=False),
    Column("removed", LargeBinary, nullable=False),
    Column("digests", LargeBinary, nullable=False),
    Column("before", LargeBinary, nullable=False),
    Column("refused", LargeBinary, nullable=False),
    Index("import_changes_by_id", "first_id", "last_id"),
)
"""What each part of an import replaced, so that it can be undone: the ids of customers added,
changed and removed, each rising, as integers of eight bytes; of those added and changed the digests
of what was stored; of those changed and removed the attributes before, as numbers of eight bytes;
and which rows, by their number, were refused as their ids are taken.

A row for every customer would take longer to write than the customers themselves."""
