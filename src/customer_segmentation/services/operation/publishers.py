"""The use cases on publishers of the feed: one process at a time sends under a name."""

from datetime import timedelta

from customer_segmentation.domain.errors import PublisherHeldError
from customer_segmentation.domain.history import FEED_START
from customer_segmentation.domain.publishers import Publisher
from customer_segmentation.services.customers.events import latest_position
from customer_segmentation.services.runtime.audit import note
from customer_segmentation.services.runtime.clock import now
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork
from customer_segmentation.store.queries import publishers


def list_publishers(units: UnitsOfWork) -> list[Publisher]:
    """Return every publisher, by name."""
    with units.database.read() as connection:
        return publishers.read_all(connection)


def hold_publisher(
    units: UnitsOfWork,
    name: str,
    holder: str,
    seconds: float,
    position: int | None,
    *,
    latest: bool,
) -> Publisher:
    """Hold a publisher, go on holding it, or give it back, and note up to where events are sent.

    Args:
        units: over the database.
        name: of the publisher; a new one is made.
        holder: which process holds it.
        seconds: for how long from now; with 0 it is given back.
        position: in the feed, up to where events are sent; None leaves it.
        latest: whether a new one begins with events to come, and not with the oldest.

    Raises:
        PublisherHeldError: another process holds it.
    """
    begin = latest_position(units) if latest else FEED_START
    moment = now()
    until = moment + timedelta(seconds=seconds)
    with units.database.write() as connection:
        if not publishers.hold(connection, name, holder, until, moment, position):
            if publishers.find(connection, name) is not None:
                raise PublisherHeldError(name)
            at = begin if position is None else position
            publishers.add(connection, Publisher(name, at, holder, until))
            note(connection, "publisher", name, "created")
        found = publishers.find(connection, name)
    assert found is not None  # noqa: S101
    return found
