"""The active model, and how customers' rows read by it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from sqlalchemy import Connection

from customer_segmentation.domain.arrays import FloatArray, IntArray
from customer_segmentation.domain.attributes import Attribute, CustomerId
from customer_segmentation.domain.customer import Attributes, Customer
from customer_segmentation.domain.errors import VersionNotFoundError
from customer_segmentation.domain.schema import Schema
from customer_segmentation.domain.segments import Segment
from customer_segmentation.engines.scoring import segment_words
from customer_segmentation.model.adapting import Columns, adapt, columns_in
from customer_segmentation.model.artifact import Model, from_json
from customer_segmentation.model.assign import Assessment, Assigner
from customer_segmentation.services.runtime.current_schema import shipped_schema
from customer_segmentation.store.queries import models, schemas, segments
from customer_segmentation.store.queries.customers import Assignment
from customer_segmentation.store.queries.models import Active

_GONE = ""
"""The name of an attribute that there is no more, which no other has."""


@dataclass(frozen=True, eq=False, slots=True)
class ServingModel:
    """A model ready to answer.

    Attributes:
        version: its version in the database.
        model: the trained model, with the segments' words as people have edited them.
        assigner: the model folded for assignment.
        segments: its segments by number.
        columns: where it finds its attributes among those that customers have now.
    """

    version: int
    model: Model
    assigner: Assigner
    segments: dict[int, Segment]
    columns: Columns

    @property
    def attributes(self) -> Mapping[str, Attribute]:
        """The attributes that it was trained on, by name."""
        return {attribute.name: attribute for attribute in self.model.attributes}

    def rows(self, values: FloatArray) -> FloatArray:
        """Return customers' attributes, (n, c), as the model knows them, (n, d)."""
        return self.columns.take(values)

    def person(self, attributes: Attributes) -> Attributes:
        """Return one customer's attributes as the model knows them."""
        return self.columns.take_one(attributes)

    def assign(self, attributes: Attributes) -> int:
        """Return the number of the segment that complete attributes fall into."""
        return self.assigner.assign_one(self.person(attributes))

    def assign_many(self, values: FloatArray) -> IntArray:
        """Return the numbers of the segments, (n,), that customers, (n, c), fall into."""
        return self.assigner.assign(self.rows(values))

    def reassign_many(self, values: FloatArray, current: IntArray) -> IntArray:
        """Return the numbers of the segments, (n,), of customers, (n, c), who are in some, (n,)."""
        return self.assigner.assign_with_hysteresis(self.rows(values), current)

    def assess(self, values: FloatArray) -> Assessment:
        """Return the assignments of customers, (n, c)."""
        return self.assigner.assess(self.rows(values))

    def reassign(self, attributes: Attributes, current: int) -> int:
        """Return the number of the segment that a customer in one already belongs to now."""
        if self.model.parameters.hysteresis == 0.0:
            return self.assign(attributes)
        values = np.array([[*attributes.values()]], dtype=np.float64)
        return int(self.reassign_many(values, np.array([current]))[0])

    def words(self, segments: IntArray) -> tuple[pa.Array, pa.Array]:
        """Return the names and the main strategies, (n,) texts, of segments by number, (n,)."""
        return segment_words(self.model, segments)


@dataclass(frozen=True, slots=True)
class SegmentedCustomer:
    """A customer, the segment it is in, and the model version that gave it.

    Attributes:
        customer: the customer.
        segment: the segment that holds.
        model_version: the version.
        serving: its model.
    """

    customer: Customer
    segment: Segment
    model_version: int
    serving: ServingModel = field(repr=False, compare=False)


def assess(found: Sequence[SegmentedCustomer]) -> Assessment:
    """Tell the nearest segment of customers of one model, and which of them are outliers.

    With hysteresis the nearest segment may be another one than that which holds.
    """
    rows = [[*one.customer.attributes.values()] for one in found]
    values = np.array(rows, dtype=np.float64).reshape(len(found), -1)
    return found[0].serving.assess(values)


@dataclass(frozen=True, slots=True)
class View:
    """How customers' rows are to be read at a moment.

    Attributes:
        active: what is active, and which rows tell their segments by it.
        serving: the active model.
    """

    active: Active
    serving: ServingModel

    def segment_of(self, number: int, attributes: Attributes, stored: Assignment) -> int:
        """Return the number of the segment that the stored customer of a number is in."""
        if self.active.are_current(number, stored.epoch):
            return stored.segment
        return self.serving.reassign(attributes, stored.segment)

    def segmented(
        self, customer_id: CustomerId, attributes: Attributes, segment: int
    ) -> SegmentedCustomer:
        """Return a customer in a segment of this number."""
        customer = Customer(customer_id, attributes, segment)
        serving = self.serving
        return SegmentedCustomer(customer, serving.segments[segment], serving.version, serving)

    def read(
        self, customer_id: CustomerId, number: int, attributes: Attributes, stored: Assignment
    ) -> SegmentedCustomer:
        """Return the stored customer of an id and its number in the segment that it is in."""
        segment = self.segment_of(number, attributes, stored)
        return self.segmented(customer_id, attributes, segment)


def load_model(connection: Connection, version: int, schema: Schema) -> ServingModel:
    """Read a model version and make it ready to answer about customers of a schema.

    Raises:
        VersionNotFoundError: there is no such version.
        ArtifactError: its artifact is damaged.
    """
    stored = models.find(connection, version)
    if stored is None:
        raise VersionNotFoundError(version)
    model = from_json(stored.artifact, shipped_schema().attributes)
    names = schemas.names_since(connection, stored.schema, model.names)
    renamed = {old: now or _GONE for old, now in zip(model.names, names, strict=True)}
    model = adapt(model, schema.attributes, renamed)
    model = model.with_words(segments.read_words(connection, model.numbers.tolist()))
    return ServingModel(
        version=version,
        model=model,
        assigner=Assigner(model),
        segments={segment.number: segment for segment in model.segments},
        columns=columns_in(model, schema.attributes),
    )
