"""What a database holds, read at once."""

from customer_segmentation.services.unit_of_work import UnitsOfWork
from customer_segmentation.store import customers
from customer_segmentation.store.arrow import arrow_reader
from customer_segmentation.store.customers import StoredCustomers

_NO_VERSION = 0


def stored_customers(units: UnitsOfWork) -> StoredCustomers:
    """Return every customer, as its row tells."""
    with arrow_reader(units.database) as read:
        return customers.read_outdated(read, _NO_VERSION, 0, 10**9)
