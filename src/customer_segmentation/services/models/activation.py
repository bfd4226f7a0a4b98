"""What activating a model means, in the transaction that does it."""

from sqlalchemy import Connection

from customer_segmentation.domain.history import Activation
from customer_segmentation.model.monitoring.distribution import Distribution
from customer_segmentation.services.monitoring.distribution import start_counting
from customer_segmentation.services.runtime.audit import note
from customer_segmentation.services.runtime.serving import ServingModel
from customer_segmentation.store.queries import models

AWAITING_APPROVAL = (
    "The model passes every gate and waits for approval: someone other than who asked for the "
    "training must activate it"
)
"""Why a version is held back until somebody activates it, and no longer."""


def activate(
    connection: Connection,
    activation: Activation,
    serving: ServingModel,
    distribution: Distribution | None = None,
) -> None:
    """Let a version serve from this transaction's end on.

    Args:
        connection: of the transaction.
        activation: which version, when, by whom and why.
        serving: the version's model.
        distribution: of the customers, where every row carries the version already.
    """
    models.activate(
        connection, activation, serving.model.next_number, rescored=distribution is not None
    )
    start_counting(connection, serving, distribution)
    note(connection, "model", activation.version, "activated", activation.activated_by)
