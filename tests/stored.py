"""What a database holds, read at once."""

from customer_segmentation.services.unit_of_work import UnitsOfWork
from customer_segmentation.store import customers
from customer_segmentation.store.arrow import arrow_reader
from customer_segmentation.store.customers import StoredCustomers


def stored_customers(units: UnitsOfWork) -> StoredCustomers:
    """Return every customer, as its row tells."""
    with arrow_reader(units.database) as read:
        return customers.read_all(read, 20_000)


def settled_customers(units: UnitsOfWork) -> StoredCustomers:
    """Return the customers whose rows tell their segments by the model that serves."""
    stored = stored_customers(units)
    with units.read() as work:
        return stored.at(work.active.settles(stored.ids, stored.epochs))
