"""What can go wrong, as types. One place in `api/` turns each into an HTTP answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from customer_segmentation.domain.attributes import CustomerId
from customer_segmentation.domain.jobs import JobKind

MAX_TOLD = 100
"""How many errors of one input are told, however many it has."""

_LONGEST_NAME = 64


def shortened(name: str) -> str:
    """Return a name that somebody gave, cut where it is longer than names are."""
    return name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}…"


@dataclass(frozen=True, slots=True)
class FieldError:
    """A field at fault and what is wrong with it, for people."""

    field: str
    message: str


class SegmentationError(Exception):
    """The base of every error that a user can cause or meet."""


class InvalidInputError(SegmentationError):
    """One or more fields are missing, unknown or hold a value that is not allowed."""

    def __init__(self, errors: Sequence[FieldError], more: int = 0) -> None:
        """Tell the first errors.

        Args:
            errors: those that are known.
            more: how many there are besides.
        """
        self.errors = tuple(errors[:MAX_TOLD])
        self.more = more + len(errors) - len(self.errors)
        messages = [error.message for error in self.errors]
        if self.more:
            messages.append(f"and {self.more:,} more")
        super().__init__("; ".join(messages))

    def first(self, count: int) -> "InvalidInputError":
        """Return the same, of which so many errors are told."""
        left = self.errors[count:]
        return InvalidInputError(self.errors[:count], self.more + len(left))


class CustomerNotFoundError(SegmentationError):
    """No customer has this id."""

    def __init__(self, customer_id: CustomerId) -> None:
        super().__init__(f"There is no customer with id {customer_id}")
        self.customer_id = customer_id


class CustomerExistsError(SegmentationError):
    """A customer with this id is already there."""

    def __init__(self, customer_id: CustomerId) -> None:
        super().__init__(f"A customer with id {customer_id} already exists")
        self.customer_id = customer_id


class CustomerErasedError(SegmentationError):
    """The customer was erased and must not be brought back."""

    def __init__(self, customer_id: CustomerId) -> None:
        super().__init__(
            f"The customer with id {customer_id} was erased; lift the erasure before adding it"
        )


class AttributeFollowsError(SegmentationError):
    """Something is to be written that follows from the customer's transactions."""

    def __init__(self, names: Sequence[str]) -> None:
        told = f"{', '.join(names)} follow{'s' * (len(names) == 1)} from"
        super().__init__(f"{told} this customer's transactions and cannot be written")


class TransactionsNotDeclaredError(SegmentationError):
    """The schema declares no transactions, so that none can be taken."""

    def __init__(self) -> None:
        super().__init__("The schema declares no transactions: add a section [transactions] to it")


class TransactionExistsError(SegmentationError):
    """A transaction with this id, and other content, is already there."""

    def __init__(self, transaction_id: CustomerId) -> None:
        super().__init__(f"A transaction with id {transaction_id} and other content already exists")


class TransactionNotFoundError(SegmentationError):
    """No transaction has this id."""

    def __init__(self, transaction_id: CustomerId, kept_since: date | None = None) -> None:
        told = f"There is no transaction with id {transaction_id}"
        if kept_since is not None:
            told += f"; those before {kept_since} are not kept any longer and cannot be taken back"
        super().__init__(told)


class StaleCustomerError(SegmentationError):
    """The customer is not any more as the one who changes it has seen it."""

    def __init__(self, customer_id: CustomerId) -> None:
        super().__init__(f"The customer with id {customer_id} has changed; reload it and try again")


class StaleSegmentError(SegmentationError):
    """The segment's words are not any more as the one who changes them has seen them."""

    def __init__(self, number: int) -> None:
        super().__init__(f"Segment {number} has changed; reload it and try again")


class AudienceNotFoundError(SegmentationError):
    """No audience has this id or name."""

    def __init__(self, audience: int | str) -> None:
        super().__init__(f"There is no audience {audience}")


class AudienceExistsError(SegmentationError):
    """Another audience has this name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"There is an audience {name} already; choose another name")


class StaleAudienceError(SegmentationError):
    """The audience is not any more as the one who changes it has seen it."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Audience {name} has changed; reload it and try again")


class CampaignNotFoundError(SegmentationError):
    """No campaign has this id or name."""

    def __init__(self, campaign: int | str) -> None:
        super().__init__(f"There is no campaign {campaign}")


class CampaignExistsError(SegmentationError):
    """Another campaign has this name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"There is a campaign {name} already; choose another name")


class CampaignStateError(SegmentationError):
    """A campaign is not so far, or further, than what is asked of it needs."""


class IdempotencyError(SegmentationError):
    """An idempotency key was used before, for another request."""


class ExtraMissingError(SegmentationError):
    """Something was asked for that needs an optional part of the installation."""

    def __init__(self, extra: str, what: str) -> None:
        super().__init__(
            f"For {what}, install the extra: pip install 'customer-segmentation[{extra}]'"
        )


class StreamError(SegmentationError):
    """A broker has something else under a name than is asked for."""


class EngineUnavailableError(SegmentationError):
    """The engine that was asked for cannot run on this machine."""


class WebhookNotFoundError(SegmentationError):
    """No webhook has this id."""

    def __init__(self, webhook_id: str) -> None:
        super().__init__(f"There is no webhook with id {webhook_id}")


class DeadLetterNotFoundError(SegmentationError):
    """The webhook has no such dead letter."""

    def __init__(self, webhook_id: str, number: int) -> None:
        super().__init__(f"The webhook {webhook_id} has no dead letter {number}")


class DeliveryFailedError(SegmentationError):
    """A webhook's receiver did not take a message, or must not be called."""


class NotSignedInError(SegmentationError):
    """The request shows no good API key."""


class NotAllowedError(SegmentationError):
    """The API key has an insufficient role."""


class TooManyRequestsError(SegmentationError):
    """Something was asked for too often."""

    def __init__(self, retry_seconds: float, what: str) -> None:
        super().__init__(f"Too many {what}; try again when Retry-After says")
        self.retry_seconds = retry_seconds


class KeyExistsError(SegmentationError):
    """An API key has this name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"There is or was an API key {name}; choose another name")


class KeyNotFoundError(SegmentationError):
    """No good API key has this name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"There is no API key {name}, or it was revoked before")


class KeysUnusedError(SegmentationError):
    """The service asks nobody for a key, so it cannot tell who may make one."""

    def __init__(self) -> None:
        super().__init__(
            "The service asks nobody for an API key, so anyone could make one: run keys create "
            "where the database is"
        )


class BackupError(SegmentationError):
    """A backup cannot be made or restored."""


class ExposureError(SegmentationError):
    """The service would be open to a network without asking for keys."""


class PublisherHeldError(SegmentationError):
    """Another process sends events under the name of a publisher."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Another process holds the publisher {name}")


class JobRunningError(SegmentationError):
    """A job of this kind is running; there is one at a time."""

    def __init__(self, kind: JobKind) -> None:
        super().__init__(f"A {kind} is already running; try again when it has finished")


class JobNotFoundError(SegmentationError):
    """No job has this id."""

    def __init__(self, job_id: str) -> None:
        super().__init__(f"There is no job with id {job_id}")


class FileNotKeptError(SegmentationError):
    """What is to be downloaded is not there, or not any more."""


class FolderError(SegmentationError):
    """The folder of files on their way in or out cannot be used."""


class JobLostError(SegmentationError):
    """The job was cancelled, or another process goes on with it."""

    def __init__(self) -> None:
        super().__init__("The job was cancelled, or another process goes on with it")


class NotUndoableError(SegmentationError):
    """An import cannot be taken back, or not yet."""


class JobEndedError(SegmentationError):
    """The job cannot be cancelled any more."""


class ApprovalRequiredError(SegmentationError):
    """A second person must approve what someone proposed."""


class VersionsNotComparableError(SegmentationError):
    """Two versions cannot be compared."""


class SegmentNotFoundError(SegmentationError):
    """The active model has no segment of this number."""

    def __init__(self, number: int) -> None:
        super().__init__(f"There is no segment {number}")


class TrainingRefusedError(SegmentationError):
    """The data cannot be trained on, so the active model stays."""


class ModelHeldBackError(SegmentationError):
    """A model was trained but must not become active by itself; the active model stays."""

    def __init__(self, version: int, reasons: tuple[str, ...]) -> None:
        super().__init__(
            f"Model version {version} was trained and is held back as a candidate; the model "
            f"that served goes on serving. {'. '.join(reasons)}"
        )
        self.version = version
        self.reasons = reasons


class VersionNotFoundError(SegmentationError):
    """No model has this version."""

    def __init__(self, version: int) -> None:
        super().__init__(f"There is no model version {version}")
        self.version = version


class TrainingFailedError(SegmentationError):
    """The training stopped before a new model could serve; the active model stays."""


class TrainingCancelledError(SegmentationError):
    """The training was cancelled; the active model stays."""


class NotReadyError(SegmentationError):
    """There are no customers yet, and so no model."""

    def __init__(self) -> None:
        super().__init__(
            "There is no model yet: import customers first, which makes one (customer-segmentation "
            "import FILE)"
        )


class SettingsError(SegmentationError):
    """The settings cannot be read, or hold one that is not known."""


class AddressError(SegmentationError):
    """The service cannot listen on its address."""


class StoreUnavailableError(SegmentationError):
    """The database does not answer, is read-only or is out of space."""


class BusyError(StoreUnavailableError):
    """Others' work takes longer than this may wait for; the same may succeed when tried again."""


class SchemaChangedError(BusyError):
    """The customers have another schema by now; who begins anew knows it."""

    def __init__(self) -> None:
        """Say so."""
        super().__init__("The schema of the customers has just changed; try again soon")


class UnknownDatabaseError(StoreUnavailableError):
    """The setting of the database names none that can be used."""


class StoreAbsentError(StoreUnavailableError):
    """There is no such database; trying again does not help."""


class StoreRefusedError(StoreUnavailableError):
    """The database may not be opened or written by this user; trying again does not help."""


class TransactionConflictError(StoreUnavailableError):
    """Two transactions stood in each other's way; the same one may succeed when tried again."""


class ArtifactError(SegmentationError):
    """A model artifact is damaged or written in an unknown schema version."""


class DatabaseNotEmptyError(SegmentationError):
    """Only an empty database can be filled with a bank that is made up."""

    def __init__(self) -> None:
        super().__init__("The database holds customers already; name an empty one in DATABASE_URL")


class DataFileError(SegmentationError):
    """A data file cannot be read or written as customers at all."""


class SchemaRefusedError(SegmentationError):
    """A schema cannot be applied to the customers who are there."""

    def __init__(self, reasons: Sequence[str]) -> None:
        """Say why.

        Args:
            reasons: for people.
        """
        self.reasons = tuple(reasons)
        super().__init__(f"The schema does not fit the customers: {'; '.join(reasons)}")


class SchemaError(SegmentationError):
    """A schema cannot be used; the message names each fault with its line."""


class OtherSchemaError(SchemaError):
    """A server is to begin with a schema other than the one that holds."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"The database has another schema than {path}: see what would change with "
            f"customer-segmentation schema plan {path}, and do it with schema apply"
        )


class MappingError(SegmentationError):
    """What a table's columns mean is not said, or not in a way that can be."""
