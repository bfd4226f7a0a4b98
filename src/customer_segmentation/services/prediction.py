"""The use case of segmenting someone without storing anything."""

from customer_segmentation.domain.customer import Attributes
from customer_segmentation.domain.segments import Segment
from customer_segmentation.services.unit_of_work import UnitsOfWork


def predict_segment(units: UnitsOfWork, attributes: Attributes) -> Segment:
    """Return the segment that complete attributes fall into.

    Raises:
        NotReadyError: there is no model yet.
    """
    serving = units.serving
    return serving.segments[serving.assign(attributes)]
