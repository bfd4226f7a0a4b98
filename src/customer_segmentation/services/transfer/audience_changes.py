"""Exporting who came into an audience and who left it since that was done last."""

from collections.abc import Callable

import numpy as np
import pyarrow as pa

from customer_segmentation.files.write.audience import hashed_ids
from customer_segmentation.services.audiences.membership import require_audience
from customer_segmentation.services.runtime.unit_of_work import UnitOfWork
from customer_segmentation.services.transfer.exporting import Export
from customer_segmentation.store.queries import audiences

ADDED, REMOVED = "added", "removed"


def write_changes(work: UnitOfWork, export: Export, write: Callable[[pa.RecordBatch], None]) -> int:
    """Write an audience's changes, and note that they were exported; return how many there are.

    The first time everybody has come. Who was erased meanwhile is not named.

    Args:
        work: the transaction, in which all is noted; undone, the next export has the same changes.
        export: whose selection names the audience.
        write: takes what is written.

    Raises:
        AudienceNotFoundError: there is no such audience.
    """
    audience_id = export.selection.audience
    assert audience_id is not None  # noqa: S101  # `ExportRequest` sees to that.
    connection = work.connection
    require_audience(connection, audience_id)
    now = work.customers.find_selected(connection, export.selection)
    before = audiences.find_exported(connection, audience_id)
    added = np.setdiff1d(now, before, assume_unique=True)
    removed = np.setdiff1d(before, now, assume_unique=True)
    audiences.note_exported(connection, audience_id, added, removed)
    numbers = np.concatenate([added, removed])
    told = work.ids.ids_of(connection, numbers.tolist())
    work.audit.note_reads_within(connection, told)
    ids = np.array(told, dtype=work.ids.dtype)
    changes = pa.array([ADDED] * len(added) + [REMOVED] * len(removed), pa.string())
    shown = pa.array(told) if export.salt is None else hashed_ids(ids, export.salt)
    columns = export.columns(work.customers.schema)
    write(pa.record_batch([shown.cast(columns.field(0).type), changes], schema=columns))
    return len(numbers)
