"""Jobs: the long work that a process of its own does, such as a training or an import."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class JobKind(StrEnum):
    """What a job does."""

    TRAINING = "training"
    STUDY = "study"
    IMPORT = "import"
    EXPORT = "export"


class JobState(StrEnum):
    """Where a job is in its life; only a waiting or running one has not ended."""

    WAITING = "waiting"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    HELD_BACK = "held back"
    REFUSED = "refused"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"


class Phase(StrEnum):
    """What a running job is doing, in the order in which a job of its kind does it."""

    STARTING = "starting"
    READING = "reading"
    IMPORTING = "importing"
    UNDOING = "undoing"
    EXPORTING = "exporting"
    FITTING = "fitting"
    MATCHING = "matching"
    CHECKING = "checking"
    RESCORING = "rescoring"
    DONE = "done"


class Trigger(StrEnum):
    """What asked for a training."""

    FIRST_START = "first start"
    FIRST_IMPORT = "first import"
    REQUEST = "request"
    SCHEDULE = "schedule"
    CHANGES = "changed customers"
    DRIFT = "drift"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a training comes from, kept with the version that it makes.

    Attributes:
        trigger: what asked for it.
        by: who asked, as far as known.
        reason: why, for people; may be empty.
    """

    trigger: Trigger
    by: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Job:
    """A job.

    Attributes:
        id: 32 hexadecimal digits.
        kind: what it does.
        state: where it is in its life.
        phase: what it is doing.
        done: how much of the phase is done: customers, restarts, checks, or bytes of a file.
        total: of how much; 0 where that is not known.
        created_at: when it was started.
        heartbeat_at: when its process last showed that it lives.
        finished_at: when it ended.
        host: the machine of its process, or the container.
        pid: the id of its process.
        trigger: what asked for it.
        requested_by: who asked for it.
        reason: why it was asked for.
        request: how it is to be done, where that differs from the settings.
        model_version: the version it made.
        error: why it made none, for people.
        result: what a study found, or what an import did so far.
        attempts: how many processes in a row began it and got no further.
    """

    id: str
    kind: JobKind
    state: JobState
    phase: Phase
    done: int
    total: int
    created_at: datetime
    heartbeat_at: datetime
    finished_at: datetime | None
    host: str
    pid: int
    trigger: Trigger
    requested_by: str
    reason: str
    request: dict[str, Any]
    model_version: int | None
    error: str | None
    result: dict[str, Any] | None
    attempts: int = 0

    @property
    def has_ended(self) -> bool:
        """Whether nothing more is done for it."""
        return self.state not in (JobState.WAITING, JobState.RUNNING)

    @property
    def origin(self) -> Origin:
        """Where its training comes from."""
        return Origin(self.trigger, self.requested_by, self.reason)
