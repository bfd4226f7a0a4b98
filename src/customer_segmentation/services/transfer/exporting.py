"""The use case of exporting customers with their segments, as a stream of constant memory."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa

from customer_segmentation.domain.arrays import FloatArray, IdArray, IntArray
from customer_segmentation.domain.attributes import Attribute, Missing
from customer_segmentation.domain.campaigns import group_names
from customer_segmentation.domain.control_groups import ControlGroup, Group
from customer_segmentation.domain.errors import SegmentNotFoundError
from customer_segmentation.domain.paging import Selection
from customer_segmentation.domain.schema import Schema, check_names
from customer_segmentation.engines.scoring import WORDS
from customer_segmentation.files.blocks import ASSIGNMENT_COLUMNS, GROUP_COLUMN
from customer_segmentation.files.write.audience import group_names as split_names
from customer_segmentation.files.write.audience import hashed_ids
from customer_segmentation.services.audiences.membership import require_audience
from customer_segmentation.services.campaigns.campaigns import find_campaign
from customer_segmentation.services.runtime.audit import note
from customer_segmentation.services.runtime.serving import ServingModel
from customer_segmentation.services.runtime.unit_of_work import UnitOfWork, UnitsOfWork
from customer_segmentation.store.arrow import arrow_reader
from customer_segmentation.store.queries import campaigns
from customer_segmentation.store.queries.customers import StoredCustomers
from customer_segmentation.store.queries.models import Active

_ASSIGNMENT = list(zip(ASSIGNMENT_COLUMNS, (pa.int64(), WORDS, pa.float64(), WORDS), strict=True))
_GROUP = (GROUP_COLUMN, pa.string())


@dataclass(frozen=True, slots=True)
class Export:
    """What to export.

    Attributes:
        selection: which customers; they come by rising ids.
        split: tells who is held out of a campaign, in a column `group`; None for no such column.
        is_of_changes: whether only who came into the selection's audience and who left it since
            that was exported last is written, by ids alone; see `audience_changes.py`.
        salt: makes an audience file of it for an ad platform: nothing but hashed ids, of those who
            are not held out. None for the customers themselves.
    """

    selection: Selection = field(default_factory=Selection)
    split: ControlGroup | None = None
    salt: str | None = None
    is_of_changes: bool = False

    @property
    def has_groups(self) -> bool:
        """Whether customers are on one side or another of a campaign."""
        return self.split is not None or self.selection.campaign is not None

    def columns(self, schema: Schema) -> pa.Schema:
        """Return the columns, of customers of a schema."""
        key = (schema.id.record_name, pa.string() if schema.id.is_text else pa.int64())
        if self.salt is not None:
            key = ("hashed_id", pa.string())
        if self.is_of_changes:
            return pa.schema([key, ("change", pa.string())])
        if self.salt is not None:
            return pa.schema([key])
        group = [_GROUP] if self.has_groups else []
        return pa.schema([key, *_attribute_columns(schema), *_ASSIGNMENT, *group])


def _attribute_columns(schema: Schema) -> list[tuple[str, pa.DataType]]:
    return [(a.record_name, _column_type(a)) for a in schema.attributes]


def _column_type(attribute: Attribute) -> pa.DataType:
    if attribute.categories:
        return pa.string()
    return pa.int64() if attribute.is_integer else pa.float64()


def export_customers(units: UnitsOfWork, export: Export) -> Iterator[pa.RecordBatch]:
    """Return the customers of one moment, with the segments that the active model gives.

    Raises:
        InvalidInputError: attributes are bounded that there are not.
        NotReadyError: there is no model yet.
        SegmentNotFoundError: the model has no such segment.
        AudienceNotFoundError: there is no such audience.
        CampaignNotFoundError: there is no such campaign.
        CampaignStateError: it has not started, so that nobody is drawn yet.
    """
    check_selection(units.schema, export.selection)
    require_selected(units, export.selection)
    return _read(units, export)


def require_selected(units: UnitsOfWork, selection: Selection) -> None:
    """See that the segment, the audience and the campaign are there that a selection names.

    Raises:
        NotReadyError: there is no model yet.
        SegmentNotFoundError: the model has no such segment.
        AudienceNotFoundError: there is no such audience.
        CampaignNotFoundError: there is no such campaign.
        CampaignStateError: it has not started, so that nobody is drawn yet.
    """
    serving, chosen = units.require_model(), selection.segment
    if chosen is not None and chosen not in serving.segments:
        raise SegmentNotFoundError(chosen)
    if selection.audience is None and selection.campaign is None:
        return
    with units.read() as work:
        if selection.audience is not None:
            require_audience(work.connection, selection.audience)
        if selection.campaign is not None:
            find_campaign(work, selection.campaign, started=True)


def count_left_out(units: UnitsOfWork, selection: Selection) -> int:
    """Return how many of a selection's customers have not agreed to be addressed, and note the use.

    Raises:
        NotReadyError: there is no model yet.
    """
    asked = selection.agreement
    if asked is None:
        return 0
    with units.write() as work:
        everybody = replace(selection, agreement=None)
        left_out = work.customers.count_selected(
            work.connection, everybody
        ) - work.customers.count_selected(work.connection, selection)
        told = f"{left_out} left out of an export"
        note(work.connection, "consent", f"{asked.purpose}: {', '.join(asked.channels)}", told)
    return left_out


def check_selection(schema: Schema, selection: Selection) -> None:
    """See that customers are selected by attributes of a schema only.

    Raises:
        InvalidInputError: they are not.
    """
    check_names(schema, selection.least, "min")
    check_names(schema, selection.most, "max")
    check_names(schema, selection.missing, "missing")


def _read(units: UnitsOfWork, export: Export) -> Iterator[pa.RecordBatch]:
    chosen = export.selection.segment
    with units.read() as work:
        active, serving = work.active, work.serving
        groups = _groups_of(work, export)
    with arrow_reader(units.database) as read:
        for stored, ids in units.customers.read_selection(read, export.selection, active):
            segments = _current(active, serving, stored)
            kept = np.arange(len(segments))
            if chosen is not None:
                kept = np.flatnonzero(segments == chosen)
            names = None if groups is None else groups(stored.ids, ids)
            if export.salt is not None and names is not None:
                kept = kept[np.asarray(names)[kept] != Group.HOLDOUT.value]
            chosen_ids = ids.take(kept)
            units.audit.note_reads(units.database, _array(chosen_ids).tolist())
            found = chosen_ids, stored.values[kept], segments[kept]
            told = None if names is None else names.take(kept)
            yield _batch(export, units.schema, serving, *found, told)


_Groups = Callable[[IntArray, pa.Array], pa.Array]
"""Returns the names of the groups, (n,), of customers by their numbers and ids, (n,) each."""


def _groups_of(work: UnitOfWork, export: Export) -> _Groups | None:
    """Return what tells on which side of a campaign customers are; None where nothing does."""
    split, campaign_id = export.split, export.selection.campaign
    if campaign_id is not None:
        campaign = find_campaign(work, campaign_id, started=True)
        members = campaigns.read_members(work.connection, campaign_id)
        names = pa.array(group_names(campaign.plan))
        return lambda numbers, _ids: names.take(
            pa.array(members.arms[np.searchsorted(members.numbers, numbers)])
        )
    return None if split is None else lambda _numbers, ids: split_names(_array(ids), split)


def _current(active: Active, serving: ServingModel, stored: StoredCustomers) -> IntArray:
    """Return the segments, (n,), that the active model gives."""
    segments = stored.segments.copy()
    old = np.flatnonzero(~active.are_current(stored.ids, stored.epochs))
    segments[old] = serving.reassign_many(stored.values[old], stored.segments[old])
    return segments


def _batch(
    export: Export,
    schema: Schema,
    serving: ServingModel,
    ids: pa.Array,
    values: FloatArray,
    segments: IntArray,
    groups: pa.Array | None,
) -> pa.RecordBatch:
    columns = export.columns(schema)
    if export.salt is not None:
        return pa.record_batch([hashed_ids(_array(ids), export.salt)], schema=columns)
    names, strategies = serving.words(segments)
    arrays = [
        ids,
        *_attributes(schema, values),
        pa.array(segments),
        names,
        pa.array(serving.assess(values).confidence),
        strategies,
        *([] if groups is None else [groups]),
    ]
    return pa.record_batch(arrays, schema=columns)


def _array(ids: pa.Array) -> IdArray:
    found: IdArray = ids.to_numpy(zero_copy_only=False)
    return found


def _attributes(schema: Schema, values: FloatArray) -> list[pa.Array]:
    """Return attributes, (n, d), as columns; null where one is missing."""
    return [
        _column(attribute, column)
        for attribute, column in zip(schema.attributes, values.T, strict=True)
    ]


def _column(attribute: Attribute, values: FloatArray) -> pa.Array:
    missing = np.isnan(values) if attribute.missing is Missing.ALLOWED else None
    if attribute.categories:
        places = pa.array(np.nan_to_num(values).astype(np.int32), mask=missing)
        labels = pa.array([*attribute.labels.values()], pa.string())
        return labels.take(places)
    return pa.array(values, mask=missing).cast(_column_type(attribute))
