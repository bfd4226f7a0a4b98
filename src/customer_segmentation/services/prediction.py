"""The use cases of segmenting people without storing anything."""

from dataclasses import dataclass

from customer_segmentation.domain.arrays import FloatArray
from customer_segmentation.domain.customer import Attributes
from customer_segmentation.domain.segments import Segment
from customer_segmentation.model.assign import Assessment
from customer_segmentation.services.unit_of_work import UnitsOfWork


@dataclass(frozen=True, eq=False, slots=True)
class Predictions:
    """The segments of many people.

    Attributes:
        model_version: which version gave them.
        assessment: their segments, in the order of the people.
    """

    model_version: int
    assessment: Assessment


def predict_segment(units: UnitsOfWork, attributes: Attributes) -> Segment:
    """Return the segment that complete attributes fall into.

    Raises:
        NotReadyError: there is no model yet.
    """
    serving = units.serving
    return serving.segments[serving.assign(attributes)]


def predict_segments(units: UnitsOfWork, values: FloatArray) -> Predictions:
    """Return the segments that people, (n, d), attributes in users' units, fall into.

    Raises:
        NotReadyError: there is no model yet.
    """
    serving = units.serving
    return Predictions(serving.version, serving.assigner.assess(values))
