"""Who is in an audience, and who meets a rule, by the ids that customers have outside."""

from customer_segmentation.domain.attributes import CustomerId
from customer_segmentation.services.audiences import membership
from customer_segmentation.services.audiences.rules import read_rule
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork
from customer_segmentation.store.queries import audiences

EVERYBODY = (0, 2**53)


def members(units: UnitsOfWork, audience_id: int) -> set[CustomerId]:
    """Return who is in an audience."""
    with units.database.read() as connection:
        numbers = audiences.find_members(connection, audience_id, EVERYBODY)
        return {*units.ids.ids_of(connection, numbers.tolist())}


def meeting(units: UnitsOfWork, rule: str) -> set[CustomerId]:
    """Return who meets a rule now."""
    with units.read() as work:
        asked = membership.as_asked(work.customers, read_rule(rule, units.schema))
        numbers, _ = membership.find_matching(work, asked, EVERYBODY)
        return {*units.ids.ids_of(work.connection, numbers.tolist())}
