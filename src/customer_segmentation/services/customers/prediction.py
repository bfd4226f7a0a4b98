"""The use cases of segmenting people without storing anything."""

from collections.abc import Mapping
from dataclasses import dataclass

from customer_segmentation.domain.arrays import FloatArray, IntArray
from customer_segmentation.domain.attributes import Attribute
from customer_segmentation.domain.customer import Attributes
from customer_segmentation.domain.segments import Segment
from customer_segmentation.model.assign import Assessment
from customer_segmentation.model.describing.explain import Explanations, explain_many
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork

_STRONGEST = 3


@dataclass(frozen=True, eq=False, slots=True)
class Predictions:
    """The segments of many people.

    Attributes:
        model_version: which version gave them.
        numbers: (k,), of the version's segments.
        assessment: their segments, in the order of the people.
        explanations: why, where that was asked for.
        attributes: that these speak of, by name.
    """

    model_version: int
    numbers: IntArray
    assessment: Assessment
    explanations: Explanations | None
    attributes: Mapping[str, Attribute]


def predict_segment(units: UnitsOfWork, attributes: Attributes) -> Segment:
    """Return the segment that complete attributes fall into.

    Raises:
        NotReadyError: there is no model yet.
    """
    serving = units.serving
    return serving.segments[serving.assign(attributes)]


def predict_segments(
    units: UnitsOfWork, values: FloatArray, *, explained: bool = False
) -> Predictions:
    """Return the segments that people, (n, d), attributes in users' units, fall into.

    Each is explained, where that is asked for, by its three strongest attributes.

    Raises:
        NotReadyError: there is no model yet.
    """
    serving = units.serving
    model, assigner = serving.model, serving.assigner
    values = serving.rows(values)
    explanations = explain_many(model, assigner, values, _STRONGEST) if explained else None
    assessment = assigner.assess(values)
    return Predictions(serving.version, model.numbers, assessment, explanations, serving.attributes)
