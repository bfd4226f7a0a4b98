"""What is chosen in the dashboard's form becomes a rule that means the same."""

import operator
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from customer_segmentation.dashboard.audiences.composing import (
    Choices,
    Lacking,
    Move,
    Wanted,
    compose,
    further_than,
)
from customer_segmentation.domain import rules
from customer_segmentation.domain.rules import (
    All,
    Among,
    Compared,
    InSegment,
    Not,
    Operator,
    Outlying,
    Rule,
    SegmentMove,
    SegmentSince,
    Some,
    Sure,
)
from customer_segmentation.files.schema_file import parse_schema
from customer_segmentation.services.audiences.rules import read_rule
from customer_segmentation.services.runtime.current_schema import shipped_schema

SCHEMA = parse_schema(
    """
[id]
name = "member"
record_name = "Id"
type = "integer"
example = 1

[[attributes]]
name = "order"
kind = "amount"
example = 40
missing = "allowed"

[[attributes]]
name = "visits"
kind = "count"
minimum = 0
example = 3

[[attributes]]
name = "plan"
kind = "nominal"
categories = ["O'Neil OR", "AND", "Plus"]
example = "Plus"
missing = "allowed"

[[attributes]]
name = "stage"
kind = "ordinal"
codes = { 1 = "new", 2 = "old", 5 = "'" }
example = 1

[[attributes]]
name = "left"
kind = "binary"
codes = { 0 = "False", 1 = "True" }
example = 0
missing = "allowed"

[segments]
number = 2
""",
    "the test's",
)
BANK = shipped_schema()

Row = Mapping[str, Any]
Truth = bool | None

_SIGNS: dict[Operator, Any] = {
    Operator.EQUAL: operator.eq,
    Operator.UNEQUAL: operator.ne,
    Operator.LESS: operator.lt,
    Operator.AT_MOST: operator.le,
    Operator.MORE: operator.gt,
    Operator.AT_LEAST: operator.ge,
}


def meets(rule: Rule, row: Row) -> Truth:
    """Return whether a customer meets a rule, by the logic of SQL."""
    match rule:
        case Compared(name, sign, value):
            return None if row[name] is None else _SIGNS[sign](row[name], value)
        case Among(name, values):
            return None if row[name] is None else row[name] in values
        case rules.Lacking(name):
            return row[name] is None
        case InSegment(segments):
            return row["segment"] in segments
        case SegmentSince(days):
            return row["days"] < days
        case SegmentMove(entered, segment, days):
            return row["moves"].get((entered, segment), 99) < days
        case Sure(sign, value):
            return _SIGNS[sign](row["confidence"], value)
        case Outlying():
            return row["outlier"]
        case Not(condition):
            found = meets(condition, row)
            return None if found is None else not found
        case All(conditions):
            return _joined([meets(one, row) for one in conditions], decides=False)
        case Some(conditions):
            return _joined([meets(one, row) for one in conditions], decides=True)
    raise AssertionError(rule)


def _joined(found: list[Truth], *, decides: bool) -> Truth:
    if decides in found:
        return decides
    return None if None in found else not decides


def wants(choices: Choices, row: Row) -> bool:
    """Return whether a customer is whom somebody chose, as the form puts it."""
    days = row["days"]
    return (
        (not choices.segments or row["segment"] in choices.segments)
        and all(_has(name, wanted, row) for name, wanted in choices.attributes.items())
        and (choices.least_days is None or days >= choices.least_days)
        and (choices.most_days is None or days <= choices.most_days)
        and all(
            move is None or row["moves"].get((entered, move.segment), 99) < move.days
            for entered, move in ((True, choices.entered), (False, choices.left))
        )
        and row["confidence"] >= (choices.least_confidence or 0)
        and choices.outliers in (None, row["outlier"])
        and (not choices.further or row["visits"] in (1, 2))
    )


def _has(name: str, wanted: Wanted, row: Row) -> bool:
    attribute, value = SCHEMA.by_name[name], row[name]
    if value is None:
        return wanted.lacking is not Lacking.OUT
    if wanted.lacking is Lacking.ALONE:
        return False
    if attribute.labels:
        return not wanted.values or attribute.show(value) in wanted.values
    least_met = wanted.least is None or value >= wanted.least
    return least_met and (wanted.most is None or value <= wanted.most)


_NUMBERS = st.one_of(st.integers(-5, 5), st.floats(-5, 5).map(lambda one: round(one, 7)))
_VALUES: dict[str, list[Any]] = {
    "order": [None, -2.5, 0, 0.0000001, 4],
    "visits": [0, 1, 2, 3],
    "plan": [None, 0, 1, 2],
    "stage": [1, 2, 5],
    "left": [None, 0, 1],
}
_MOVES = st.builds(Move, st.integers(0, 1), st.integers(0, 5))


def _wanted(name: str) -> st.SearchStrategy[Wanted]:
    attribute = SCHEMA.by_name[name]
    shown = [attribute.show(value) for value in _VALUES[name] if value is not None]
    ends = st.none() if attribute.labels else st.none() | _NUMBERS
    values = st.lists(st.sampled_from(shown), max_size=3, unique=True).map(tuple)
    return st.builds(
        Wanted, ends, ends, values if attribute.labels else st.just(()), st.sampled_from(Lacking)
    )


_CHOICES = st.builds(
    Choices,
    st.lists(st.integers(0, 2), max_size=2, unique=True).map(tuple),
    st.fixed_dictionaries({}, optional={name: _wanted(name) for name in _VALUES}),
    st.none() | st.integers(0, 5),
    st.none() | st.integers(0, 5),
    st.none() | _MOVES,
    st.none() | _MOVES,
    st.none() | st.floats(0, 1),
    st.none() | st.booleans(),
    st.sampled_from(["", "visits = 1 or visits = 2", " visits IN (1, 2) "]),
)
_ROWS = st.fixed_dictionaries(
    {name: st.sampled_from(values) for name, values in _VALUES.items()}
    | {
        "segment": st.integers(0, 2),
        "days": st.integers(0, 6),
        "moves": st.dictionaries(st.tuples(st.booleans(), st.integers(0, 1)), st.integers(0, 6)),
        "confidence": st.floats(0, 1),
        "outlier": st.booleans(),
    }
)


@given(_CHOICES, st.lists(_ROWS, min_size=1, max_size=5))
def test_a_rule_means_what_was_chosen(choices: Choices, rows: list[Row]) -> None:
    text = compose(choices, SCHEMA)
    if not text:
        assert all(wants(choices, row) for row in rows)
        return
    rule = read_rule(text, SCHEMA)
    assert [meets(rule, row) is True for row in rows] == [wants(choices, row) for row in rows]


@pytest.mark.parametrize(
    ("choices", "text"),
    [
        (Choices(), ""),
        (Choices(segments=(2,), attributes={"age": Wanted(60)}), "segment = 2\nAND age >= 60"),
        (Choices(attributes={"gender": Wanted(values=(1,))}), "gender = 'Female'"),
        (Choices(attributes={"email_interaction": Wanted(values=(0,))}), "NOT email_interaction"),
        (
            Choices(further="confidence >= 0.5 AND has_loan", least_days=30),
            "days_in_segment >= 30\nAND confidence >= 0.5 AND has_loan",
        ),
        (Choices(further="age = 30 OR has_loan"), "age = 30 OR has_loan"),
        (
            Choices(least_days=1, further="(age = 30 OR has_loan)"),
            "days_in_segment >= 1\nAND (age = 30 OR has_loan)",
        ),
        (
            Choices(entered=Move(1, 30), further="age = 30 OR has_loan", outliers=False),
            "entered_segment(1, 30)\nAND NOT outlier\nAND (age = 30 OR has_loan)",
        ),
    ],
)
def test_a_rule_reads_well(choices: Choices, text: str) -> None:
    assert compose(choices, BANK) == text
    if text:
        read_rule(text, BANK)


@given(_CHOICES)
def test_what_was_added_as_text_is_found_again(choices: Choices) -> None:
    text = compose(choices, SCHEMA)
    fields = compose(replace(choices, further=""), SCHEMA)
    if not fields:
        return
    found = further_than(fields, text)
    assert found is not None
    assert compose(replace(choices, further=found), SCHEMA) == text


@pytest.mark.parametrize(
    "text", ["", "segment = 21", "segment = 2 OR age = 1", "segment = 2 AND age = 1 OR has_loan"]
)
def test_a_text_that_says_something_else_adds_nothing(text: str) -> None:
    assert further_than("segment = 2", text) is None
