"""Bodies that are made to do harm: each is refused before it is followed."""

import contextlib
import json

import numpy as np
import pytest

from customer_segmentation.api.http.requests import decode_object
from customer_segmentation.api.v1.predictions.formats import ARROW, JSON, NDJSON
from customer_segmentation.domain.errors import InvalidInputError
from tests.support.examples import SOMEONE as ATTRIBUTES
from tests.support.mutations import PEOPLE, arrow
from tests.support.shipped import FEATURE_NAMES, FEATURES, FORMATS, PERSON


@pytest.mark.parametrize("rows", [4, 9, 99_999, 5_000_000, 2**62])
def test_an_arrow_stream_that_claims_rows_it_has_not_is_refused(rows: int) -> None:
    body = arrow(PEOPLE).replace((3).to_bytes(8, "little"), rows.to_bytes(8, "little"))

    with pytest.raises(InvalidInputError):
        FORMATS[ARROW].read(body)


@pytest.mark.parametrize("compression", ["zstd", "lz4", None])
def test_a_compressed_arrow_stream_is_read(compression: str | None) -> None:
    assert FORMATS[ARROW].read(arrow(PEOPLE, compression)).shape == (3, len(FEATURES))


def test_an_arrow_stream_that_grows_when_decompressed_is_refused() -> None:
    body = arrow({name: np.zeros(3_000_000) for name in FEATURE_NAMES}, "zstd")

    with pytest.raises(InvalidInputError, match="not 3,000,000"):
        FORMATS[ARROW].read(body)


def test_an_arrow_stream_that_is_damaged_anywhere_is_read_or_refused() -> None:
    sound = arrow(PEOPLE)
    for place in range(len(sound)):
        for damaged in (
            sound[:place],
            sound[:place] + bytes([sound[place] ^ 0x41]) + sound[place + 1 :],
        ):
            with contextlib.suppress(InvalidInputError):
                assert FORMATS[ARROW].read(damaged).shape[1] == len(FEATURES)


@pytest.mark.parametrize("body", [b"[" + b"[]," * 999_999 + b"[]]", b"[" * 3_000_000])
def test_json_that_is_no_people_is_refused_with_a_hundred_faults_at_most(body: bytes) -> None:
    for read in (FORMATS[JSON].read, FORMATS[NDJSON].read):
        with pytest.raises(InvalidInputError) as refused:
            read(body)
        assert len(refused.value.errors) <= 100


def test_people_read_in_pieces_are_who_they_are() -> None:
    people = [{**ATTRIBUTES, "age": row % 100} for row in range(3_000)]

    array = FORMATS[JSON].read(json.dumps(people).encode())
    lines = FORMATS[NDJSON].read("\n".join(map(json.dumps, people)).encode())

    assert array[:, 0].tolist() == lines[:, 0].tolist() == [row % 100 for row in range(3_000)]


@pytest.mark.parametrize("end", [",]", ", ]", "", "]]", "]{}", ",,{}]", "{}]"])
def test_an_array_that_ends_wrongly_is_refused(end: str) -> None:
    for count in (1, 3_000):
        with pytest.raises(InvalidInputError):
            FORMATS[JSON].read((json.dumps([ATTRIBUTES] * count)[:-1] + end).encode())


def test_a_name_given_twice_is_refused() -> None:
    twice = b'{"age": 40, ' + json.dumps(ATTRIBUTES).encode()[1:]
    for read in (decode_object, PERSON.accept, FORMATS[NDJSON].read):
        with pytest.raises(InvalidInputError, match="age is given more than once"):
            read(twice)
    with pytest.raises(InvalidInputError, match="age is given more than once"):
        FORMATS[JSON].read(b"[%b]" % twice)
