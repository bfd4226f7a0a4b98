"""Every setting, with its default and what it does; docs/reference/settings.md says the same."""

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from cronsim import CronSim, CronSimError
from pydantic import Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from customer_segmentation.domain.addresses import LARGEST_PORT
from customer_segmentation.domain.errors import SettingsError
from customer_segmentation.domain.segments import DEFAULT_SEGMENTS, MAX_SEGMENTS, MIN_SEGMENTS
from customer_segmentation.domain.toml import TomlError, parse_toml
from customer_segmentation.model.artifact import Parameters, Thresholds
from customer_segmentation.model.quality.gates import Gates
from customer_segmentation.services.runtime.audit import Audit
from customer_segmentation.services.runtime.clock import now

SHIPPED_DATA = Path(__file__).parents[2] / "data" / "cleaned main dataset.csv"
"""The data set that a first start loads where no other is named."""

PREFIX = "CUSTOMER_SEGMENTATION_"
"""What the environment variables of all settings but the database's begin with."""

OTHER_VARIABLES = frozenset(
    {
        "CUSTOMER_SEGMENTATION_CONFIG",
        "CUSTOMER_SEGMENTATION_URL",
        "CUSTOMER_SEGMENTATION_KEY",
        "CUSTOMER_SEGMENTATION_BROKER",
    }
)
"""Variables that are no settings of the service: where its settings file is, and for the dashboard
and the command line where the service is and by which key to call it, and where the broker is."""

_OF_KUBERNETES = re.compile(
    r"_SERVICE_HOST$|_SERVICE_PORT(_[A-Z0-9_]+)?$|_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$"
)
_ADDRESS_OF_KUBERNETES = re.compile(r"(tcp|udp|sctp)://")
"""In a pod, Kubernetes sets variables for every service of the namespace, by the service's name."""

_FILE_VARIABLE = "CUSTOMER_SEGMENTATION_CONFIG"
_FILE = "customer-segmentation.toml"


_MAX_DAYS = 36_500
"""A hundred years: many more than that lead out of the calendar."""
_MAX_SECONDS = 86_400
"""What waits for longer than a day waits for nobody, and no database takes a limit without end."""
_ORIGIN = re.compile(
    r"\*|https?://[a-z0-9._-]+(:[0-9]{1,5})?|https?://\[[0-9a-f:.]+\](:[0-9]{1,5})?"
)
_HOST_PATTERN = re.compile(r"[A-Za-z0-9._*-]+")
_PATH = re.compile(r"(/[^/\s?#]+)*")


def variable_of(name: str) -> str:
    """Return the environment variable of a setting."""
    return "DATABASE_URL" if name == "database_url" else f"{PREFIX}{name.upper()}"


class Settings(BaseSettings):
    """Settings, each read from the environment variable of its name in capitals, or from a file."""

    model_config = SettingsConfigDict(
        alias_generator=variable_of,
        # It looks for names beside aliases; found so, they are unknown.
        env_prefix=PREFIX,
        case_sensitive=True,
        env_ignore_empty=True,
        extra="ignore",
        populate_by_name=True,
        allow_inf_nan=False,
    )

    database_url: str = Field(
        default="sqlite:///customer-segmentation.db",
        description="Where customers are kept: `sqlite:///FILE` or `postgresql://USER@HOST/NAME`.",
    )
    pool_size: int = Field(
        default=10,
        ge=1,
        le=1000,
        description="Connections to PostgreSQL that each server process may have for brief reads, "
        "for other reads and for writes, each.",
    )
    statement_seconds: float = Field(
        default=30.0,
        ge=0,
        le=_MAX_SECONDS,
        description="Statement timeout on PostgreSQL; 0 disables it.",
    )
    wait_seconds: float = Field(
        default=10.0,
        gt=0,
        le=_MAX_SECONDS,
        description="How long a request waits for each lock, connection or turn that others hold, "
        "before it is refused with 503 and `Retry-After`. Reads go on meanwhile, and on PostgreSQL "
        "changes of other customers, as long as fewer customers are held than there are "
        "connections.",
    )
    data: Path = Field(
        default=SHIPPED_DATA,
        description="CSV file that the first start loads into an empty database; "
        "unless set, the shipped data set.",
    )
    schema_file: Path | None = Field(
        default=None,
        description="Schema file that says what a customer is made of, as `customer-segmentation "
        "init` writes it; stored at the first start. Unless set, a new database gets the schema of "
        "the shipped data set.",
    )
    demo: bool = Field(
        default=True,
        description="Whether a first start without `CUSTOMER_SEGMENTATION_DATA` loads the shipped "
        "data set, as a demonstration; if not, the database stays empty until customers are "
        "imported.",
    )
    host: str = Field(
        default="127.0.0.1",
        description="Address to listen on; `0.0.0.0` for every network interface.",
    )
    port: int = Field(default=8000, ge=0, le=LARGEST_PORT, description="Port to listen on.")
    workers: int = Field(
        default=1, ge=1, le=256, description="Server processes that share the port."
    )
    segments: int | None = Field(
        default=None,
        ge=MIN_SEGMENTS,
        le=MAX_SEGMENTS,
        description="Number of segments that a training makes; unless set, the one that the schema "
        "says. Where that says `auto`, the first model has the number that a study of the "
        "customers advises, and later ones have as many as the active one.",
    )
    seed: int = Field(
        default=20_000, ge=0, lt=2**32, description="Seed of every random choice in a training."
    )
    restarts: int = Field(
        default=10, ge=1, le=100, description="Random starts that K-means tries in a training."
    )
    exclude_attributes: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Attributes that the model must not use, separated by commas, "
        "such as `gender,age`; they are stored all the same.",
    )
    min_share: float = Field(
        default=0.01,
        ge=0,
        le=1,
        description="Gate: a new model is activated only if each segment holds at least this share "
        "of the customers.",
    )
    min_stability: float = Field(
        default=0.6,
        ge=-1,
        le=1,
        description="Gate: a new model is activated only if refits on bootstraps agree with it at "
        "least this much (mean adjusted Rand index).",
    )
    max_silhouette_loss: float = Field(
        default=0.05,
        ge=0,
        le=2,
        description="Gate: a new model is activated only if its silhouette is at most this far "
        "below the active model's.",
    )
    max_match_distance: float = Field(
        default=0.5,
        gt=0,
        description="A cluster continues a segment only if it is at most this far from it, as a "
        "share of the way to the next segment.",
    )
    min_match_overlap: float = Field(
        default=0.3,
        ge=0,
        le=1,
        description="A cluster continues a segment only if the customers in both are at least this "
        "share of those in either (Jaccard overlap).",
    )
    hysteresis: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="How much nearer, as a share of the distance, another segment must be before a "
        "customer leaves its own; 0 is always the nearest. Takes effect with the next training.",
    )
    require_approval: bool = Field(
        default=False,
        description="Whether a new model is active only once someone other than who asked for the "
        "training activates it.",
    )
    keep_versions: int = Field(
        default=20,
        ge=1,
        description="How many of the newest model versions are kept; the active one and its "
        "predecessor always are.",
    )
    retrain_schedule: str = Field(
        default="",
        description="When to retrain, as a cron expression in UTC such as `0 3 * * 1`; "
        "unless set, never.",
    )
    retrain_after_changes: int = Field(
        default=0,
        ge=0,
        description="Retrain after this many customers were added, changed or deleted since the "
        "model was activated; 0 is never.",
    )
    retrain_on_drift: float = Field(
        default=0.0,
        ge=0,
        description="Retrain, once for each model, when its population stability index reaches "
        "this, such as `0.25`; 0 is never.",
    )
    recount_hours: float = Field(
        default=24.0,
        gt=0,
        le=_MAX_DAYS * 24,
        description="How often all customers are counted anew beside the requests, to check the "
        "counts that follow each change, and to repair them.",
    )
    spark_master: str = Field(
        default="local[*]",
        description="Where Apache Spark (extra `[spark]`) trains and scores external tables, such "
        "as `yarn` or `spark://HOST:7077`; under spark-submit, what that says.",
    )
    spark_conf: Annotated[dict[str, str], NoDecode] = Field(
        default={},
        description="Spark's configuration by its own names, as JSON such as "
        '`{"spark.jars": "/opt/postgresql.jar"}`.',
    )
    jdbc_user: str = Field(default="", description="User of the database that Spark reads by JDBC.")
    jdbc_password: str = Field(
        default="", description="Password of the user of the database that Spark reads by JDBC."
    )
    auth: Literal["none", "keys"] = Field(
        default="none",
        description="Who is let in: `none` asks nobody for a key and listens on this machine only, "
        "`keys` asks for an API key (`customer-segmentation keys create`).",
    )
    allow_anonymous: bool = Field(
        default=False,
        description="Allow unauthenticated access from the network, to all who reach the port.",
    )
    requests_per_minute: int = Field(
        default=0,
        ge=0,
        description="How many requests a key may send to a server process; 0 is without limit.",
    )
    min_group_size: int = Field(
        default=0,
        ge=0,
        description="Counts of fewer people are hidden from keys that are not an admin's, in every "
        "aggregate; 0 hides none.",
    )
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Origins whose web pages may call the API, separated by commas, such as "
        "`https://crm.example`; unless set, none.",
    )
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Host names under which a service without keys answers, beside IP addresses, "
        "`localhost` and names without a dot; separated by commas, such as "
        "`segments.bank.example` or `*.bank.example`, and `*` is any.",
    )
    root_path: str = Field(
        default="",
        description="The path under which a proxy publishes the service and which it takes off, "
        "such as `/segments`.",
    )
    webhook_attempts: int = Field(
        default=10, ge=1, le=100, description="How often a webhook's message is sent at most."
    )
    webhook_retry_seconds: float = Field(
        default=5.0,
        gt=0,
        le=_MAX_SECONDS,
        description="The wait before a webhook's message is sent for the second time; each wait is "
        "three times the one before, and six hours at most.",
    )
    webhook_seconds: float = Field(
        default=10.0,
        gt=0,
        le=30,
        description="How long a receiver may take for a message, from the call to its answer.",
    )
    webhook_private_addresses: bool = Field(
        default=False,
        description="Whether webhooks may call private addresses, and `http`.",
    )
    audit_values: bool = Field(
        default=False,
        description="Whether the audit log keeps the values that are written to customers, "
        "until a customer is erased.",
    )
    audit_reads: bool = Field(
        default=False, description="Whether the audit log keeps who read which customer's data."
    )
    day_begins: str = Field(
        default="00:05",
        pattern=r"^([01]\d|2[0-3]):[0-5]\d$",
        description="When, in UTC, attributes that change with time are brought up to date with "
        "the day that has begun.",
    )
    keep_history_days: int = Field(
        default=0,
        ge=0,
        le=_MAX_DAYS,
        description="Segment changes older than this are removed, but for each customer's last "
        "one; 0 is never.",
    )
    keep_transactions_days: int = Field(
        default=0,
        ge=0,
        le=_MAX_DAYS,
        description="Transactions older than this are removed, and none so old are taken in; what "
        "follows from them stays counted. At least the longest window of the schema; 0 is never.",
    )
    keep_jobs_days: int = Field(
        default=365,
        ge=0,
        le=_MAX_DAYS,
        description="Jobs older than this are removed, but for the last of each kind; 0 is never.",
    )
    keep_imports_days: int = Field(
        default=30,
        ge=0,
        le=_MAX_DAYS,
        description="What an import replaced and the rows that it did not take are removed so many "
        "days after its end; 0 is never.",
    )
    keep_exports_hours: int = Field(
        default=24,
        ge=0,
        le=_MAX_DAYS * 24,
        description="The files of exports over the API are removed so many hours after their end; "
        "0 is never.",
    )
    audience_salt: str = Field(
        default="",
        description="Secret salt of audience files: with it, exports for ad platforms hold hashed "
        "ids. Unless set, the API writes none, and `export` does with `--audience-salt`.",
    )
    consent_purpose: str = Field(
        default="",
        max_length=100,
        description="For which purpose customers must have agreed to be addressed before a next "
        "best action names a channel, such as `marketing`. Unless set, nobody is asked.",
    )
    unknown_consent: Literal["granted", "denied"] = Field(
        default="denied",
        description="What it counts as where a customer has said nothing of a purpose and a "
        "channel: `granted` or `denied`.",
    )
    prefer_measured: bool = Field(
        default=False,
        description="Whether the next best action prefers a strategy that an ended campaign has "
        "shown to work in the customer's segment over the order that people wrote.",
    )
    transfer_folder: Path | None = Field(
        default=None,
        description="Folder for the files of imports and exports, which only the service's user "
        "may look into. Unless set, beside SQLite's file under its name with `-transfers`, and "
        "with PostgreSQL `customer-segmentation-transfers` in the working directory.",
    )
    keep_dead_letters_days: int = Field(
        default=90,
        ge=0,
        le=_MAX_DAYS,
        description="Dead letters older than this are removed; 0 is never.",
    )
    log_format: Literal["text", "json"] = Field(
        default="text", description="How log lines look: `text` for people, `json` for machines."
    )
    log_requests: bool = Field(
        default=False,
        description="Whether every request gets a line in the log; faults always do.",
    )
    traces: bool = Field(
        default=False,
        description="Whether requests are traced by OpenTelemetry (extra `[otel]`) and the spans "
        "sent to `OTEL_EXPORTER_OTLP_ENDPOINT`.",
    )
    body_seconds: float = Field(
        default=30.0,
        gt=0,
        le=_MAX_SECONDS,
        description="How long a request's head may take to arrive, and then its body.",
    )
    max_body_bytes: int = Field(
        default=65_536, ge=1024, description="Largest request body accepted, in bytes."
    )
    max_batch_bytes: int = Field(
        default=67_108_864,
        ge=1024,
        description="Largest request body accepted for batches of customers, of predictions, and "
        "for previews of files, in bytes.",
    )
    max_import_bytes: int = Field(
        default=4_294_967_296,
        ge=1024,
        description="Largest file accepted for an import, in bytes as it is sent.",
    )
    import_seconds: float = Field(
        default=3600.0,
        gt=0,
        le=_MAX_SECONDS,
        description="How long the file of an import may take to arrive.",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let an argument win over the environment, and the environment over the file."""
        del dotenv_settings, file_secret_settings
        path = settings_file(os.environ)
        if os.environ.get(_FILE_VARIABLE) and not path.is_file():
            raise SettingsError(f"{_FILE_VARIABLE} names {path}, and there is no such file")
        _read_file(path)
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, path)

    @property
    def loads_own_data(self) -> bool:
        """Whether a first start loads customers other than the shipped ones."""
        return self.data != SHIPPED_DATA

    @property
    def loads_data(self) -> bool:
        """Whether a first start loads customers into an empty database."""
        return self.loads_own_data or (self.demo and self.schema_file is None)

    @property
    def parameters(self) -> Parameters:
        """How a training is to be done; see `parameters_of` for the number of segments."""
        return Parameters(
            k=self.segments or DEFAULT_SEGMENTS,
            seed=self.seed,
            restarts=self.restarts,
            excluded=self.exclude_attributes,
            thresholds=Thresholds(self.max_match_distance, self.min_match_overlap),
            hysteresis=self.hysteresis,
        )

    @property
    def audit(self) -> Audit:
        """What the audit log keeps."""
        return Audit(keeps_values=self.audit_values, keeps_reads=self.audit_reads)

    @property
    def gates(self) -> Gates:
        """What a new model must show before it serves by itself."""
        return Gates(self.min_share, self.min_stability, self.max_silhouette_loss)

    @field_validator("*", mode="before")
    @classmethod
    def _is_as_written(cls, value: object, info: ValidationInfo) -> object:
        """Refuse what Pydantic reads as another number: `80_00` as 8000, and `true` as 1."""
        is_number = cls.model_fields[str(info.field_name)].annotation in {int, float}
        if is_number and (isinstance(value, bool) or (isinstance(value, str) and "_" in value)):
            raise PydanticCustomError("number", "must be a number")
        return value

    @field_validator("port", mode="before")
    @classmethod
    def _is_not_of_kubernetes(cls, value: object) -> object:
        if isinstance(value, str) and _ADDRESS_OF_KUBERNETES.match(value):
            raise ValueError(
                "Kubernetes has set CUSTOMER_SEGMENTATION_PORT for a service named "
                "customer-segmentation: set it in the pod, such as to 8000, or set "
                "enableServiceLinks: false there"
            )
        return value

    @field_validator("retrain_schedule")
    @classmethod
    def _is_cron(cls, expression: str) -> str:
        if expression:
            try:
                CronSim(expression, now())
            except CronSimError as error:
                raise ValueError(f"{expression!r} is no cron expression: {error}") from error
        return expression

    @field_validator("spark_conf", mode="before")
    @classmethod
    def _read_json(cls, value: object) -> object:
        try:
            return json.loads(value) if isinstance(value, str) else value
        except json.JSONDecodeError as error:
            raise ValueError(f"is not JSON (character {error.pos + 1})") from error

    @field_validator("exclude_attributes", "cors_origins", "allowed_hosts", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(name.strip() for name in value.split(",") if name.strip())
        return value

    @field_validator("cors_origins")
    @classmethod
    def _are_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        wrong = [origin for origin in origins if not _ORIGIN.fullmatch(origin)]
        if wrong:
            raise ValueError(
                f"{', '.join(wrong)} is no origin as browsers send it, such as "
                "https://crm.example: small letters, and nothing after host and port"
            )
        return origins

    @field_validator("allowed_hosts")
    @classmethod
    def _are_hosts(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        wrong = [name for name in names if not _HOST_PATTERN.fullmatch(name)]
        if wrong:
            raise ValueError(
                f"{', '.join(wrong)} is no host name such as segments.bank.example or "
                "*.bank.example, without scheme and port"
            )
        return names

    @field_validator("root_path")
    @classmethod
    def _is_path(cls, path: str) -> str:
        if not _PATH.fullmatch(path):
            raise ValueError("must begin with a /, such as /segments, and not end with one")
        return path


def load_settings() -> Settings:
    """Return the settings of the environment and the file.

    Raises:
        SettingsError: the file cannot be read, or a setting is not known.
        pydantic.ValidationError: a setting's value is not allowed.
    """
    settings = Settings()
    unknown = find_unknown(os.environ)
    if unknown:
        raise SettingsError("; ".join(f"there is no setting {name}" for name in unknown))
    return settings


def _read_file(path: Path) -> dict[str, Any]:
    """Return what the settings file holds, nothing where it is not there.

    Raises:
        SettingsError: it cannot be read.
    """
    try:
        return parse_toml(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise SettingsError(f"the settings file {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        reason = f"is not UTF-8 text (byte {error.start})"
        raise SettingsError(f"the settings file {path} {reason}") from error
    except TomlError as error:
        raise SettingsError(f"the settings file {path} is not TOML{error}") from error


def settings_file(environment: Mapping[str, str]) -> Path:
    """Return the file that settings are read from, where it is there."""
    return Path(environment.get(_FILE_VARIABLE, _FILE))


def find_unknown(environment: Mapping[str, str]) -> list[str]:
    """Return the environment variables, and the names in the file, that no setting has.

    Those that Kubernetes sets are meant for no setting.
    """
    known = {variable_of(name) for name in Settings.model_fields} | OTHER_VARIABLES
    unknown = [
        name
        for name, value in sorted(environment.items())
        if name.upper().startswith(PREFIX)
        and name not in known
        and not _is_of_kubernetes(name, value)
    ]
    file = settings_file(environment)
    unknown += [
        f"{name} in {file}" for name in _read_file(file) if name not in Settings.model_fields
    ]
    return unknown


def _is_of_kubernetes(name: str, value: str) -> bool:
    is_address = name.endswith("_PORT") and _ADDRESS_OF_KUBERNETES.match(value) is not None
    return is_address or _OF_KUBERNETES.search(name) is not None


def read_origin(name: str, environment: Mapping[str, str]) -> str:
    """Tell where a setting's value comes from."""
    if environment.get(variable_of(name)):
        return variable_of(name)
    file = settings_file(environment)
    return str(file) if name in _read_file(file) else "default"
