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
    MetaData,
    String,
    Table,
    Text,
    text,
)
from sqlalchemy.types import TypeDecorator, TypeEngine

from customer_segmentation.domain.features import FEATURES, Kind

metadata = MetaData()


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in UTC, also where the database keeps no time zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        """Store in UTC."""
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        """Read as UTC."""
        return None if value is None else value.replace(tzinfo=value.tzinfo or UTC)


def _column_type(kind: Kind) -> TypeEngine[int] | TypeEngine[float]:
    match kind:
        case Kind.AMOUNT:
            return Double()
        case Kind.COUNT:
            return BigInteger()
        case _:
            return Integer()


customers = Table(
    "customers",
    metadata,
    Column(
        "customer_id",
        BigInteger().with_variant(Integer(), "sqlite"),
        primary_key=True,
        autoincrement=False,
    ),
    *(Column(feature.name, _column_type(feature.kind), nullable=False) for feature in FEATURES),
    Column("segment", Integer, nullable=False),
    Column("model_version", Integer, nullable=False),
)
"""Each customer with the segment it is in and the model version that put it there."""

segment_changes = Table(
    "segment_changes",
    metadata,
    Column("id", BigInteger().with_variant(Integer(), "sqlite"), primary_key=True),
    Column("customer_id", BigInteger, nullable=False, index=True),
    Column("changed_at", UtcDateTime, nullable=False),
    Column("cause", String(16), nullable=False),
    Column("from_segment", Integer),
    Column("to_segment", Integer),
    Column("model_version", Integer, nullable=False),
)
"""Each change of a customer's segment, written in the transaction that makes it."""

model_versions = Table(
    "model_versions",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("held_back", JSON, nullable=False),
    Column("artifact", Text, nullable=False),
)
"""Every trained model; the rows never change."""

active_model = Table(
    "active_model",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("version", Integer, ForeignKey("model_versions.version"), nullable=False),
    Column("cause", String(16), nullable=False),
    Column("rescored", Boolean, nullable=False),
)
"""One row: the version that serves, why, and whether every customer's row already carries it.

Changing the version is what activating a model means."""

jobs = Table(
    "jobs",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("state", String(16), nullable=False),
    Column("phase", String(16), nullable=False),
    Column("done", BigInteger, nullable=False),
    Column("total", BigInteger, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("heartbeat_at", UtcDateTime, nullable=False),
    Column("finished_at", UtcDateTime),
    Column("host", String(255), nullable=False),
    Column("pid", Integer, nullable=False),
    Column("model_version", Integer, ForeignKey("model_versions.version")),
    Column("error", Text),
    Index(
        "one_running_job",
        "state",
        unique=True,
        sqlite_where=text("state = 'running'"),
        postgresql_where=text("state = 'running'"),
    ),
)
"""Training jobs. The unique index is the lease: at most one job runs, whoever started it."""
