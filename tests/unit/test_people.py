"""People decoded and checked in one pass: the same outcome as by the rule."""

import json
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from customer_segmentation.api.http.requests import decode_object
from customer_segmentation.api.v1.predictions.formats import JSON, NDJSON
from customer_segmentation.domain.errors import InvalidInputError
from customer_segmentation.domain.numbers import LARGEST_INTEGER
from tests.support.examples import SOMEONE as ATTRIBUTES
from tests.support.shipped import CUSTOMERS, FEATURE_NAMES, FORMATS, PERSON

edges = [LARGEST_INTEGER + step for step in (-1, 0, 1, 2)]
numbers = st.one_of(
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([*edges, *(-edge for edge in edges), -0.0, 0.5, 3.0, 1e300, 2, 131, 1000]),
)
anything = st.one_of(numbers, st.booleans(), st.none(), st.text(max_size=3), st.just([1]))
changes = st.dictionaries(
    st.sampled_from([*FEATURE_NAMES, "customer_id"]), anything, min_size=1, max_size=3
)


@given(changed=changes, lacking=st.sets(st.sampled_from(FEATURE_NAMES), max_size=1))
def test_a_person_is_accepted_as_by_the_rule(changed: dict[str, object], lacking: set[str]) -> None:
    fields = {**ATTRIBUTES, **changed}
    body = json.dumps({name: fields[name] for name in fields if name not in lacking}).encode()

    readers = (
        PERSON.accept,
        lambda one: FORMATS[JSON].read(b"[" + one + b"]"),
        FORMATS[NDJSON].read,
    )
    expected = faults_or(CUSTOMERS.accept_attributes, decode_object(body))
    if isinstance(expected, set):
        assert faults_or(PERSON.accept, body) == expected
        in_first_row = {f"0.{name}" for name in expected}
        assert all(faults_or(read, body) == in_first_row for read in readers[1:])
    else:
        assert PERSON.accept(body) == expected
        assert all(np.array_equal(read(body)[0], [*expected.values()]) for read in readers[1:])


def faults_or(accept: Callable[[Any], Any], given: object) -> Any:  # noqa: ANN401
    """Return what is accepted, or else the names of the fields at fault."""
    try:
        return accept(given)
    except InvalidInputError as refusal:
        return {error.field for error in refusal.errors}


@given(body=st.binary(max_size=20))
def test_what_is_no_person_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidInputError):
        PERSON.accept(body)


def test_attributes_come_in_the_order_of_the_feature_table() -> None:
    backwards = dict(reversed(ATTRIBUTES.items()))

    assert [*PERSON.accept(msgspec.json.encode(backwards))] == [*FEATURE_NAMES]
