"""What can go wrong, as types. One place in `api/` turns each into an HTTP answer."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FieldError:
    """A field at fault and what is wrong with it, for people."""

    field: str
    message: str


class SegmentationError(Exception):
    """The base of every error that a user can cause or meet."""


class InvalidInputError(SegmentationError):
    """One or more fields are missing, unknown or hold a value that is not allowed."""

    def __init__(self, errors: list[FieldError]) -> None:
        super().__init__("; ".join(error.message for error in errors))
        self.errors = tuple(errors)


class CustomerNotFoundError(SegmentationError):
    """No customer has this id."""

    def __init__(self, customer_id: int) -> None:
        super().__init__(f"There is no customer with id {customer_id}")
        self.customer_id = customer_id


class CustomerExistsError(SegmentationError):
    """A customer with this id is already there."""

    def __init__(self, customer_id: int) -> None:
        super().__init__(f"A customer with id {customer_id} already exists")
        self.customer_id = customer_id


class TrainingRunningError(SegmentationError):
    """A training is running; there is one at a time."""

    def __init__(self) -> None:
        super().__init__("A training is already running; try again when it has finished")


class TrainingRefusedError(SegmentationError):
    """The data cannot be trained on, so the active model stays."""


class ModelHeldBackError(SegmentationError):
    """A model was trained but must not serve by itself; the active model stays."""

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


class NotReadyError(SegmentationError):
    """The service has no active model yet."""


class StoreUnavailableError(SegmentationError):
    """The database does not answer, is read-only or is out of space."""


class ArtifactError(SegmentationError):
    """A model artifact is damaged or written in an unknown schema version."""


class DataFileError(SegmentationError):
    """A data file cannot be read as customers at all."""
