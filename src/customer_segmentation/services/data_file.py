"""Reading customers from a CSV file, and telling which rows are not loaded and why."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from customer_segmentation.domain.arrays import FloatArray, IntArray
from customer_segmentation.domain.errors import DataFileError
from customer_segmentation.domain.features import CUSTOMER_ID, FEATURES, Feature

if TYPE_CHECKING:
    from _csv import Reader

_COLUMNS = (CUSTOMER_ID, *FEATURES)


@dataclass(frozen=True, slots=True)
class Reject:
    """A row that is not loaded.

    Attributes:
        line: where the row starts in the file, the header being line 1.
        column: the column at fault, by its record name; empty where the whole row is.
        reason: what is wrong, for people.
        fields: the row as it stands in the file.
    """

    line: int
    column: str
    reason: str
    fields: list[str]


@dataclass(frozen=True, eq=False, slots=True)
class DataFile:
    """The customers of a file.

    Attributes:
        ids: (n,), rising.
        values: (n, d), attributes in the feature table's order, in users' units.
        header: the file's column names.
        ignored: the columns that the service does not know.
        rejects: the rows that are not among the customers.
    """

    ids: IntArray
    values: FloatArray
    header: list[str]
    ignored: list[str]
    rejects: list[Reject]


def read_data_file(path: Path) -> DataFile:
    """Read a CSV file whose columns bear the record names, in any order.

    Raises:
        DataFileError: the file cannot be read, is no UTF-8 text, or lacks a column.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return _read(csv.reader(file, strict=True), path)
    except OSError as error:
        raise DataFileError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DataFileError(f"{path} is not UTF-8 text (byte {error.start})") from error
    except csv.Error as error:
        raise DataFileError(f"{path} is not a CSV file: {error}") from error


def write_rejects(data: DataFile, path: Path) -> None:
    """Write the rows not loaded, each with its line, column and reason, then its fields."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["line", "column", "reason", *data.header])
        writer.writerows([r.line, r.column, r.reason, *r.fields] for r in data.rejects)


def _read(rows: "Reader", path: Path) -> DataFile:
    header = [name.strip() for name in next(rows, [])]
    position = _positions(header, path)
    lines, texts, rejects = _split(rows, len(header))
    columns = list(zip(*texts, strict=True)) or [()] * len(header)
    table = np.empty((len(texts), len(_COLUMNS)))
    faults: dict[int, tuple[str, str]] = {}
    for place, feature in enumerate(_COLUMNS):
        table[:, place], refused = _numbers(feature, columns[position[place]])
        for row, reason in refused.items():
            faults.setdefault(row, (feature.record_name, reason))
    _mark_repeated_ids(table[:, 0], faults)
    rejects += [Reject(lines[row], *fault, list(texts[row])) for row, fault in faults.items()]
    table = np.delete(table, list(faults), axis=0)
    table = table[np.argsort(table[:, 0])]
    known = {feature.record_name for feature in _COLUMNS}
    return DataFile(
        ids=table[:, 0].astype(np.int64),
        values=table[:, 1:],
        header=header,
        ignored=[name for name in header if name not in known],
        rejects=sorted(rejects, key=lambda reject: reject.line),
    )


def _split(rows: "Reader", width: int) -> tuple[list[int], list[list[str]], list[Reject]]:
    """Return where each row of the right width starts, and its fields, and the other rows."""
    lines, texts, rejects = [], [], []
    for line, fields in _numbered(rows):
        if len(fields) == width:
            lines.append(line)
            texts.append(fields)
        else:
            reason = f"the row must have {width} fields, as the header has, not {len(fields)}"
            rejects.append(Reject(line, "", reason, fields))
    return lines, texts, rejects


def _numbers(feature: Feature, texts: tuple[str, ...]) -> tuple[FloatArray, dict[int, str]]:
    """Return a column's values, (n,), and by row the reason why a value is refused.

    What `Feature.accept_text` says is the rule. It is asked only about texts that are not plainly
    fine, as asking it about every one takes several times as long.
    """
    values = np.fromiter(map(_float_or_nan, texts), dtype=np.float64, count=len(texts))
    refused: dict[int, str] = {}
    for row in np.flatnonzero(~feature.plainly_accepts(values)).tolist():
        try:
            values[row] = feature.accept_text(texts[row])
        except ValueError as refusal:
            refused[row] = str(refusal)
    return values, refused


def _float_or_nan(text: str) -> float:
    try:
        return float(text) if "_" not in text else np.nan
    except ValueError:
        return np.nan


def _mark_repeated_ids(ids: FloatArray, faults: dict[int, tuple[str, str]]) -> None:
    """Refuse each row whose id an earlier row has that is not refused itself."""
    seen: set[float] = set()
    for row, customer_id in enumerate(ids.tolist()):
        if row in faults:
            continue
        if customer_id in seen:
            reason = f"{CUSTOMER_ID.name} must be unique, and an earlier row has it"
            faults[row] = (CUSTOMER_ID.record_name, reason)
        seen.add(customer_id)


def _positions(header: list[str], path: Path) -> list[int]:
    """Return where in a row each known column stands."""
    names = [feature.record_name for feature in _COLUMNS]
    missing = [name for name in names if name not in header]
    if missing:
        raise DataFileError(f"{path} lacks these columns: {', '.join(missing)}")
    twice = [name for name in names if header.count(name) > 1]
    if twice:
        raise DataFileError(f"{path} has these columns more than once: {', '.join(twice)}")
    return [header.index(name) for name in names]


def _numbered(rows: "Reader") -> Iterator[tuple[int, list[str]]]:
    """Yield each row that is not blank with the line it starts on."""
    line = rows.line_num + 1
    for fields in rows:
        if fields:
            yield line, fields
        line = rows.line_num + 1
