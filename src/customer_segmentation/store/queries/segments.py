"""Queries on what people made of the segments' names, descriptions and strategies."""

from collections.abc import Iterable
from dataclasses import asdict

from sqlalchemy import Connection, RowMapping, func, insert, select

from customer_segmentation.domain.segments import Segment, SegmentEdit, Strategy
from customer_segmentation.store.tables import segment_edits


def add_edit(connection: Connection, edit: SegmentEdit) -> None:
    """Note an edit; it holds from now on."""
    segment = edit.segment
    connection.execute(
        insert(segment_edits).values(
            number=segment.number,
            name=segment.name,
            description=segment.description,
            strategies=[asdict(strategy) for strategy in segment.strategies],
            edited_at=edit.edited_at,
            edited_by=edit.edited_by,
        )
    )


def read_edits(connection: Connection, number: int | None = None) -> list[SegmentEdit]:
    """Return the edits of a segment, or of all of them, the oldest first."""
    query = select(segment_edits).order_by(segment_edits.c.id)
    if number is not None:
        query = query.where(segment_edits.c.number == number)
    return [_edit(row) for row in connection.execute(query).mappings()]


def read_words(connection: Connection, numbers: Iterable[int]) -> dict[int, Segment]:
    """Return segments as they are now, those among some numbers that were edited, by number.

    However many edits there were, only the last one of each is looked at.
    """
    last = [
        select(func.max(segment_edits.c.id))
        .where(segment_edits.c.number == number)
        .scalar_subquery()
        for number in numbers
    ]
    rows = connection.execute(select(segment_edits).where(segment_edits.c.id.in_(last))).mappings()
    return {row["number"]: _edit(row).segment for row in rows}


def _edit(row: RowMapping) -> SegmentEdit:
    strategies = tuple(Strategy(s["text"], s["channel"]) for s in row["strategies"])
    segment = Segment(row["number"], row["name"], strategies, row["description"])
    return SegmentEdit(segment, row["edited_at"], row["edited_by"])
