"""Many people in a request and their segments in its answer: JSON, NDJSON, Arrow IPC streams."""

import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from customer_segmentation.api.v1.customers.explanations import shown_values
from customer_segmentation.api.v1.predictions.arrow_rows import read_arrow
from customer_segmentation.api.v1.predictions.json_rows import JsonRows
from customer_segmentation.api.v1.predictions.row import PersonReader
from customer_segmentation.domain.arrays import FloatArray
from customer_segmentation.domain.numbers import plain_number
from customer_segmentation.domain.schema import Schema
from customer_segmentation.services.customers.prediction import Predictions


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


def write_json(predictions: Predictions) -> bytes:
    """Write one JSON object that holds all."""
    return msgspec.json.encode(
        {"model_version": predictions.model_version, "predictions": list(_rows(predictions))}
    )


def write_ndjson(predictions: Predictions) -> bytes:
    """Write a JSON object a line."""
    return msgspec.json.Encoder().encode_lines(list(_rows(predictions)))


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


def formats_of(schema: Schema) -> dict[str, Format]:
    """Return the formats of people whose attributes a schema declares, by media type."""
    reader = PersonReader(schema)
    rows = JsonRows(reader)
    return {
        JSON: Format(rows.read_json, write_json),
        NDJSON: Format(rows.read_ndjson, write_ndjson),
        ARROW: Format(lambda body: read_arrow(body, reader, schema), write_arrow),
    }


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
                shown_values(
                    predictions.attributes,
                    {
                        "attribute": attribute,
                        "value": plain_number(value),
                        "typical": typical,
                        "typical_other": typical_other,
                        "pull": pull,
                    },
                )
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
