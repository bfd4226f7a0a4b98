"""How the table is read that a schema was made from: the section `source` of its file."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from customer_segmentation.domain.customer import SEGMENT_RECORD_NAME
from customer_segmentation.domain.schema import Schema
from customer_segmentation.files.map.mapping import ColumnMapping, Entry
from customer_segmentation.files.map.record_rules import RecordRules
from customer_segmentation.files.read.tables import Reading


@dataclass(frozen=True, slots=True)
class TableSource:
    """How the table is read that a schema was made from.

    Attributes:
        numbered: whether customers have no id there, so that rows are numbered from 1.
        delimiter: between fields of CSV; None where it is found out.
        encoding: of text; likewise.
        sheet: of a workbook; None reads the first.
        header: the line or row of the header, from 1; None finds it.
        columns: by attribute's name, also the id's, those that are not read as they stand.
        records: how it is read where it holds transactions; None where it holds customers.
    """

    numbered: bool = False
    delimiter: str | None = None
    encoding: str | None = None
    sheet: str | None = None
    header: int | None = None
    columns: Mapping[str, Entry] = field(default_factory=dict)
    records: RecordRules | None = None

    @property
    def reading(self) -> Reading:
        """How a file like that table is opened."""
        return self.known(Reading())

    def known(self, given: Reading) -> Reading:
        """Return what is known of a file beforehand.

        Args:
            given: what is said of it; where nothing is, it is taken to be like that table.
        """
        if (given.delimiter, given.encoding, given.sheet) != (None, None, None):
            return given
        return replace(
            given,
            delimiter=self.delimiter,
            encoding=self.encoding,
            sheet=self.sheet,
            header=self.header,
            is_certain=False,
        )

    def mapping(self, schema: Schema) -> ColumnMapping:
        """Return what the columns of that table mean."""
        entries = {**ColumnMapping.by_record_names(schema).entries, **self.columns}
        if self.numbered:
            del entries[schema.id.name]
        return ColumnMapping(entries, self.numbered)


def find_mapping(
    schema: Schema,
    columns: Collection[str],
    source: TableSource | None = None,
    elsewhere: Mapping[str, Entry] | None = None,
) -> ColumnMapping | None:
    """Return what a table's columns mean, where their names tell it; else None.

    They may be those of an export, of the table that the schema was made from, the record names or
    the attributes' names.

    Args:
        schema: of the customers.
        columns: the table's.
        source: how the table is read that the schema was made from.
        elsewhere: entries of attributes that come from elsewhere.
    """
    by_record_names = ColumnMapping.by_record_names(schema)
    known = [by_record_names, ColumnMapping.by_request_names(schema)]
    # What an export writes as it is inside, the table that it came from may write otherwise.
    if source is not None and SEGMENT_RECORD_NAME in columns:
        known.insert(1, source.mapping(schema))
    elif source is not None:
        known.insert(0, source.mapping(schema))
    for mapping in known:
        entries = {**mapping.entries, **(elsewhere or {})}
        if all(column in columns for entry in entries.values() for column in entry.columns):
            return ColumnMapping(entries, mapping.numbered)
    return None
