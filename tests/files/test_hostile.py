"""Files that are damaged anywhere are read or refused in a line, within bounds."""

import gzip
import io
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from customer_segmentation.domain.errors import DataFileError, MappingError
from customer_segmentation.files.check.rows import Checker
from customer_segmentation.files.map.inference import doubts_about, infer
from customer_segmentation.files.map.mapping import ColumnMapping
from customer_segmentation.files.map.mapping_file import (
    format_guesses,
    format_mapping,
    parse_mapping,
)
from customer_segmentation.files.read.tables import open_table
from tests.support.files import customers
from tests.support.mutations import LONG_SECONDS, Bounds, Read, try_mutations
from tests.support.shipped import COLUMNS, SHIPPED

TABLE = pa.table(
    {feature.record_name: [feature.example] * 3 for feature in COLUMNS}
    | {
        "word": pa.array(["a", None, "b"]).dictionary_encode(),
        "day": pa.array([1, 2, None], pa.timestamp("s")),
        "view": pa.array(["a", "b", None], pa.string_view()),
        "list": pa.array([[1], [], None]),
    }
)
MEGABYTES = 2**20
BOUNDS = Bounds(3.0, 4 * 64 * MEGABYTES)


def read_table(_folder: Path) -> Read:
    mapping = ColumnMapping.by_record_names(SHIPPED)

    def read(content: bytes) -> str:
        try:
            with open_table(io.BytesIO(content)) as source:
                sample = source.sample()
                format_guesses(
                    SHIPPED, infer(SHIPPED, source.columns, sample), source.name, source.columns
                )
                doubts_about(source.columns, sample)
                checker = Checker(SHIPPED, source, mapping)
                for block in source.blocks(checker.wanted):
                    checker.check(block)
                    block.fields(range(min(len(block.lines), 100)))
        except DataFileError:
            return "refused"
        return "read"

    return read


def read_mapping_text(_folder: Path) -> Read:
    def read(content: bytes) -> str:
        try:
            parse_mapping(SHIPPED, content.decode(errors="replace"), "x")
        except MappingError:
            return "refused"
        return "read"

    return read


def arrow(new: Callable[..., pa.ipc.RecordBatchStreamWriter], codec: str | None) -> bytes:
    sink = io.BytesIO()
    with new(sink, TABLE.schema, options=pa.ipc.IpcWriteOptions(compression=codec)) as writer:
        writer.write_table(TABLE)
    return sink.getvalue()


def parquet(**options: object) -> bytes:
    sink = io.BytesIO()
    pq.write_table(TABLE.drop_columns(["view"]), sink, **options)
    return sink.getvalue()


ROWS = [[feature.record_name for feature in COLUMNS], *[[str(f.example) for f in COLUMNS]] * 3]
TEXT = "\r\n".join(",".join(row) for row in ROWS).encode()
QUOTED = "\n".join(",".join(f'"{field}"' for field in row) for row in ROWS).encode("utf-16")
NDJSON = b"\n".join(
    b"{%s}" % b",".join(b'"%s": %d' % (f.record_name.encode(), int(f.example)) for f in COLUMNS)
    for _ in range(3)
)
SOUND: dict[str, Callable[[], Sequence[bytes]]] = {
    "csv": lambda: [TEXT, QUOTED],
    "ndjson": lambda: [NDJSON],
    "packed": lambda: [
        gzip.compress(TEXT),
        pa.compress(NDJSON, codec="zstd", asbytes=True),
        gzip.compress(arrow(pa.ipc.new_stream, None)),
    ],
    "arrow": lambda: [
        arrow(pa.ipc.new_stream, None),
        arrow(pa.ipc.new_stream, "zstd"),
        arrow(pa.ipc.new_file, "lz4"),
    ],
    "parquet": lambda: [parquet(compression="zstd"), parquet(use_dictionary=False)],
    "xlsx": lambda: [customers({"account balance": "=1+1"}, {"age": True})],
}


def damage(name: str, folder: Path, bounds: Bounds) -> None:
    tally = try_mutations(read_table, SOUND[name](), folder, bounds)

    assert tally.tried > 20
    assert tally.outcomes["read"]


@pytest.mark.parametrize("name", [name for name in SOUND if name != "parquet"])
def test_a_file_that_is_damaged_is_read_or_refused(name: str, tmp_path: Path) -> None:
    damage(name, tmp_path / "mutations", BOUNDS)


@pytest.mark.parametrize("begin", [b"", b'"'])
def test_a_million_lines_of_nothing_are_passed_over_at_once(begin: bytes) -> None:
    began = time.process_time()

    with (
        pytest.raises(DataFileError, match="more than 1"),
        open_table(io.BytesIO(begin + b"\n" * 1_100_000)),
    ):
        pass

    assert time.process_time() - began < 10  # Cutting the rest off a block line by line took 38 s.


def test_a_mapping_that_is_damaged_is_read_or_refused(tmp_path: Path) -> None:
    sound = [format_mapping(SHIPPED, ColumnMapping.by_record_names(SHIPPED)).encode()]

    tally = try_mutations(read_mapping_text, sound, tmp_path / "mutations", Bounds(2.0, 64 << 20))

    assert tally.outcomes["read"]


@pytest.mark.long
@pytest.mark.timeout(LONG_SECONDS + 600)
@pytest.mark.parametrize("name", SOUND)
def test_a_file_that_is_damaged_in_many_ways_is_read_or_refused(name: str, tmp_path: Path) -> None:
    seconds = LONG_SECONDS / len(SOUND)
    damage(name, tmp_path / "mutations", Bounds(seconds, BOUNDS.bytes))
