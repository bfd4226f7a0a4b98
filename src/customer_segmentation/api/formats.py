"""Many people in a request and their segments in its answer: JSON, NDJSON, Arrow IPC streams."""

import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from customer_segmentation.api.people import Person, values_of
from customer_segmentation.domain.arrays import FloatArray
from customer_segmentation.domain.customer import accept_attributes
from customer_segmentation.domain.errors import FieldError, InvalidInputError
from customer_segmentation.domain.features import (
    FEATURE_NAMES,
    FEATURES,
    LARGEST_INTEGER,
    Feature,
    plain_number,
)
from customer_segmentation.services.prediction import Predictions

MOST_ROWS = 100_000
"""How many people one request may ask about."""

_FAULTS_TOLD = 100


_people = msgspec.json.Decoder(list[Person])
_person = msgspec.json.Decoder(Person)
_anything = msgspec.json.Decoder()


@dataclass(frozen=True, slots=True)
class Format:
    """A way to write many people and many segments.

    Attributes:
        read: returns the attributes, (n, d), in users' units, that a body holds; raises
            `InvalidInputError`, which names rows and fields.
        write: returns the body that tells predictions.
    """

    read: Callable[[bytes], FloatArray]
    write: Callable[[Predictions], bytes]


def read_json(body: bytes) -> FloatArray:
    """Read a JSON array of objects."""
    try:
        return _table(_people.decode(body))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _read_carefully(_decode(_anything.decode, body))


def write_json(predictions: Predictions) -> bytes:
    """Write one JSON object that holds all."""
    return msgspec.json.encode(
        {"model_version": predictions.model_version, "predictions": list(_rows(predictions))}
    )


def read_ndjson(body: bytes) -> FloatArray:
    """Read a JSON object a line; blank lines count for nothing."""
    try:
        return _table(_person.decode_lines(body))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _read_carefully(_decode(_anything.decode_lines, body))


def write_ndjson(predictions: Predictions) -> bytes:
    """Write a JSON object a line."""
    return msgspec.json.Encoder().encode_lines(list(_rows(predictions)))


def read_arrow(body: bytes) -> FloatArray:
    """Read an Arrow IPC stream with a numeric column for each attribute, and no others."""
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        table = pa.ipc.open_stream(body).read_all()
    except pa.ArrowInvalid as damage:
        raise _refusal("body", f"the body is no Arrow IPC stream: {damage}") from damage
    if sorted(table.column_names) != sorted(FEATURE_NAMES):
        raise _refusal("body", f"the columns must be {', '.join(FEATURE_NAMES)}, in any order")
    columns = []
    for feature in FEATURES:
        column = table.column(feature.name)
        if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
            raise _refusal(feature.name, f"{feature.name} must be a column of numbers")
        if column.null_count:
            raise _refusal(feature.name, f"{feature.name} must be {feature.allowed}, not null")
        if pa.types.is_integer(column.type) and table.num_rows:
            # As floats they would be rounded to some that are accepted.
            ends = pc.min_max(column).as_py().values()
            if max(map(abs, ends)) > LARGEST_INTEGER:
                raise _refusal(feature.name, feature.refusal("an integer beyond 2^53"))
        values = column.cast(pa.float64(), safe=False).to_numpy().astype(np.float64)
        _check_column(feature, values)
        columns.append(values)
    return _checked(np.column_stack(columns))


def write_arrow(predictions: Predictions) -> bytes:
    """Write an Arrow IPC stream: segment, confidence and is_outlier of each row, and why."""
    import pyarrow as pa

    found = predictions.assessment
    columns = {
        "segment": found.segments.astype(np.int32),
        "confidence": found.confidence,
        "is_outlier": found.outliers,
    }
    why = predictions.explanations
    if why is not None:
        columns["other"] = why.others.astype(np.int32)
        numbers = predictions.numbers.tolist()
        for number, distances in zip(numbers, why.distances.T, strict=True):
            columns[f"distance_{number}"] = distances
        columns["contributions"] = _contribution_lists(why.contributions)
    metadata = {"model_version": str(predictions.model_version)}
    table = pa.table(columns).replace_schema_metadata(metadata)
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


JSON = "application/json"
NDJSON = "application/x-ndjson"
ARROW = "application/vnd.apache.arrow.stream"

FORMATS = {
    JSON: Format(read_json, write_json),
    NDJSON: Format(read_ndjson, write_ndjson),
    ARROW: Format(read_arrow, write_arrow),
}
"""By media type."""


def _rows(predictions: Predictions) -> Iterable[dict[str, Any]]:
    found = predictions.assessment
    columns = (found.segments.tolist(), found.confidence.tolist(), found.outliers.tolist())
    rows = (
        {"segment": segment, "confidence": confidence, "is_outlier": outlier}
        for segment, confidence, outlier in zip(*columns, strict=True)
    )
    if predictions.explanations is None:
        return rows
    return (
        {**row, "explanation": why} for row, why in zip(rows, _reasons(predictions), strict=True)
    )


def _reasons(predictions: Predictions) -> Iterator[dict[str, Any]]:
    """Yield the explanation of each row."""
    why = predictions.explanations
    if why is None:
        return
    numbers = [str(number) for number in predictions.numbers.tolist()]
    columns = [why.others, why.distances, *why.contributions.values()]
    for other, distances, *told in zip(*(c.tolist() for c in columns), strict=True):
        yield {
            "other": other,
            "distances": dict(zip(numbers, distances, strict=True)),
            "contributions": [
                {
                    "attribute": attribute,
                    "value": plain_number(value),
                    "typical": typical,
                    "typical_other": typical_other,
                    "pull": pull,
                }
                for attribute, value, typical, typical_other, pull in zip(*told, strict=True)
            ],
        }


def _contribution_lists(contributions: Mapping[str, NDArray[Any]]) -> Any:  # noqa: ANN401
    """Return members of contributions, each (n, m), as an Arrow array of n lists of structures."""
    import pyarrow as pa

    members = {name: pa.array(column.ravel()) for name, column in contributions.items()}
    structures = pa.StructArray.from_arrays([*members.values()], names=[*members])
    rows, width = contributions["pull"].shape
    ends = np.arange(0, rows * width + 1, width, dtype=np.int32)
    return pa.ListArray.from_arrays(ends, structures)


def _table(people: Sequence[msgspec.Struct]) -> FloatArray:
    values = chain.from_iterable(map(values_of, people))
    return _checked(np.fromiter(values, dtype=np.float64).reshape(-1, len(FEATURES)))


def _checked(table: FloatArray) -> FloatArray:
    if not 1 <= len(table) <= MOST_ROWS:
        raise _refusal("body", f"ask about 1 to {MOST_ROWS:,} people, not {len(table):,}")
    return table


def _decode(decode: Callable[[bytes], object], body: bytes) -> list[object]:
    try:
        rows = decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _refusal("body", f"the body must be JSON: {error}") from error
    if not isinstance(rows, list):
        raise _refusal("body", "the body must be an array of objects")
    return rows


def _read_carefully(rows: list[object]) -> FloatArray:
    """Read rows of which at least one is not plainly fine; name the first faults."""
    accepted = []
    faults: list[FieldError] = []
    for row, fields in enumerate(rows):
        try:
            if not isinstance(fields, dict):
                raise _refusal("row", "each row must be an object")
            accepted.append([*accept_attributes(fields).values()])
        except InvalidInputError as refusal:
            faults += [FieldError(f"{row}.{e.field}", e.message) for e in refusal.errors]
            if len(faults) >= _FAULTS_TOLD:
                break
    if faults:
        raise InvalidInputError(faults[:_FAULTS_TOLD])
    return _checked(np.array(accepted, dtype=np.float64).reshape(-1, len(FEATURES)))


def _check_column(feature: Feature, values: FloatArray) -> None:
    for row in np.flatnonzero(~feature.plainly_accepts(values)).tolist():
        try:
            feature.accept(float(values[row]))
        except ValueError as refusal:
            raise _refusal(f"{row}.{feature.name}", str(refusal)) from None


def _refusal(field: str, message: str) -> InvalidInputError:
    return InvalidInputError([FieldError(field, message)])
