"""The use cases of telling why someone is in a segment."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from customer_segmentation.domain.attributes import Attribute, CustomerId
from customer_segmentation.domain.customer import Attributes
from customer_segmentation.domain.errors import CustomerNotFoundError
from customer_segmentation.domain.segments import Segment, Strategy
from customer_segmentation.model.describing.explain import Explanation, explain
from customer_segmentation.services.customers.actions import Addressee, NextBestActions
from customer_segmentation.services.runtime.serving import ServingModel
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork


@dataclass(frozen=True, slots=True)
class ExplainedAssignment:
    """An assignment and why.

    Attributes:
        model_version: the version that explains.
        segment: the segment that someone is in: with hysteresis a stored customer's may differ
            from the nearest, which is `explanation.segment`.
        action: the next best action, if there is any.
        explanation: why.
        attributes: that it speaks of, by name.
    """

    model_version: int
    segment: Segment
    action: Strategy | None
    explanation: Explanation
    attributes: Mapping[str, Attribute]


def explain_attributes(units: UnitsOfWork, attributes: Attributes) -> ExplainedAssignment:
    """Explain which segment complete attributes fall into; nothing is stored.

    Raises:
        NotReadyError: there is no model yet.
    """
    return _explain(units, units.serving, attributes, None)


def explain_customer(
    units: UnitsOfWork, customer_id: CustomerId, actions: NextBestActions
) -> ExplainedAssignment:
    """Explain which segment a customer is in.

    Args:
        units: over the database.
        customer_id: of the customer.
        actions: chooses what to do about it.

    Raises:
        CustomerNotFoundError: there is no such customer.
    """
    with units.read() as work:
        number = work.ids.number_of(work.connection, customer_id)
        found = None if number is None else work.customers.find(work.connection, number)
        if number is None or found is None:
            raise CustomerNotFoundError(customer_id)
        attributes, assignment = found
        segment = work.segment_of(number, attributes, assignment)
        serving = work.serving
    units.audit.note_reads(units.database, [customer_id])
    explained = _explain(units, serving, attributes, segment)
    (action,) = actions.choose([Addressee(customer_id, explained.segment, attributes)])
    return replace(explained, action=None if action is None else action.strategy)


def _explain(
    units: UnitsOfWork, serving: ServingModel, attributes: Attributes, segment: int | None
) -> ExplainedAssignment:
    explanation = explain(serving.model, serving.assigner, serving.person(attributes))
    found = serving.segments[explanation.segment if segment is None else segment]
    return ExplainedAssignment(
        model_version=serving.version,
        segment=found,
        action=found.next_best_action(attributes, units.schema.reach),
        explanation=explanation,
        attributes=serving.attributes,
    )
