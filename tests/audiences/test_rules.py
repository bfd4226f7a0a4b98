"""Rules of audiences: conditions of SQL, checked against the schema, asked of the database."""

import contextlib
import math
import operator
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from customer_segmentation.domain.errors import InvalidInputError
from customer_segmentation.domain.rules import All, Among, Compared, InSegment, Not, Operator
from customer_segmentation.files.schema_file import parse_schema
from customer_segmentation.services.audiences import membership
from customer_segmentation.services.audiences.rules import read_rule
from customer_segmentation.services.customers.commands import add_customer
from customer_segmentation.services.runtime.current_schema import shipped_schema
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork
from tests.support.shop import TEXT, open_shop

SCHEMA = parse_schema(TEXT, "the shop's")
BANK = shipped_schema()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[UnitsOfWork]:
    """Hold a shop some of whose customers have no plan."""
    path = tmp_path_factory.mktemp("shop") / "shop.db"
    with closing(open_shop(f"sqlite:///{path}")) as units:
        for number in range(20):
            attributes = {"spent": 40 + number, "visits": number, "plan": math.nan}
            units.run(add_customer, f"N{number}", attributes)
        yield units


Truth = bool | None
_SIGNS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_Drawn = tuple[str, Callable[[dict[str, Any]], Truth]]


def _compared(name: str, sign: str, text: str, value: object) -> _Drawn:
    def holds(row: dict[str, Any]) -> Truth:
        return None if row[name] is None else _SIGNS[sign](row[name], value)

    return f"{name} {sign} {text}", holds


def _missing(name: str) -> _Drawn:
    return f"{name} IS NULL", lambda row: row[name] is None


def _among(name: str, values: list[int]) -> _Drawn:
    def holds(row: dict[str, Any]) -> Truth:
        return None if row[name] is None else row[name] in values

    return f"{name} IN ({', '.join(map(str, values))})", holds


def _not(one: _Drawn) -> _Drawn:
    text, holds = one

    def opposite(row: dict[str, Any]) -> Truth:
        found = holds(row)
        return None if found is None else not found

    return f"NOT ({text})", opposite


def _both(left: _Drawn, right: _Drawn, word: str) -> _Drawn:
    def holds(row: dict[str, Any]) -> Truth:
        found = [left[1](row), right[1](row)]
        decides = word == "OR"
        if decides in found:
            return decides
        return None if None in found else not decides

    return f"({left[0]}) {word} ({right[0]})", holds


_NUMBERS = st.integers(0, 60)
_CONDITIONS: st.SearchStrategy[_Drawn] = st.one_of(
    st.builds(
        lambda name, sign, value: _compared(name, sign, str(value), value),
        st.sampled_from(["spent", "visits"]),
        st.sampled_from([*_SIGNS]),
        _NUMBERS,
    ),
    st.builds(
        lambda sign, plan: _compared("plan", sign, repr(plan), ["Basic", "Plus"].index(plan)),
        st.sampled_from(["=", "<>"]),
        st.sampled_from(["Basic", "Plus"]),
    ),
    st.builds(_missing, st.sampled_from(["plan"])),
    st.builds(_among, st.just("visits"), st.lists(_NUMBERS, min_size=1, max_size=4)),
    st.builds(
        lambda value: _compared("segment", "=", str(value), value), st.sampled_from([0, 1, 7])
    ),
)
_RULES = st.recursive(
    _CONDITIONS,
    lambda inner: st.one_of(
        st.builds(_not, inner), st.builds(_both, inner, inner, st.sampled_from(["AND", "OR"]))
    ),
    max_leaves=6,
)


@given(_RULES)
def test_the_database_selects_who_the_rule_says(shop: UnitsOfWork, drawn: _Drawn) -> None:
    text, holds = drawn
    with shop.read() as work:
        asked = membership.as_asked(work.customers, read_rule(text, shop.schema))
        found, _ = membership.find_matching(work, asked, (0, 2**53))
        everyone, segments = membership.find_matching(
            work, membership.as_asked(work.customers, read_rule("spent >= 0", shop.schema)), (0, 99)
        )
        rows = work.customers.find_many(work.connection, everyone)
    names = [*shop.schema.names, "segment"]
    expected = []
    for number, values, segment in zip(
        rows.ids.tolist(), rows.values.tolist(), segments.tolist(), strict=True
    ):
        known = [None if math.isnan(value) else value for value in values]
        if holds(dict(zip(names, [*known, segment], strict=True))):
            expected.append(number)
    assert found.tolist() == expected


def test_a_rule_reads_as_in_sql() -> None:
    rule = read_rule("segment IN (1, 2) and NOT plan = 'Plus' AND spent BETWEEN -1 AND 2.5", SCHEMA)
    assert rule == All(
        (
            InSegment((1, 2)),
            Not(Compared("plan", Operator.EQUAL, 1)),
            All(
                (Compared("spent", Operator.AT_LEAST, -1), Compared("spent", Operator.AT_MOST, 2.5))
            ),
        )
    )
    assert read_rule("3 < visits", SCHEMA) == Compared("visits", Operator.MORE, 3)
    assert read_rule("plan NOT IN ('Basic')", SCHEMA) == Not(Among("plan", (0,)))


def test_codes_and_yes_or_no_are_said_in_words() -> None:
    assert read_rule("gender = 'Female'", BANK) == read_rule("gender = 1", BANK)
    assert read_rule("email_interaction", BANK) == read_rule("email_interaction = 1", BANK)
    assert read_rule("email_interaction IS FALSE", BANK) == Not(
        Compared("email_interaction", Operator.EQUAL, 1)
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not an empty text"),
        ("colour = 1", "'colour' at character 1, which is no attribute: known are confidence"),
        ("spent >", "is no condition"),
        ("spent = 1; DROP TABLE customers", "is no condition|which is no attribute"),
        ("spent + 1 = 2", "which is no attribute|something that is no condition|in place of"),
        ("(SELECT 1) = 1", "'SELECT' at character 2"),
        ("spent = visits", "with a number, not with visits"),
        ("spent = 'much'", "with a number, not with another text"),
        ("plan = 'Gold'", "with 'Basic', 'Plus', not with another text"),
        ("plan = 1", "with a category: 'Basic', 'Plus'"),
        ("plan < 'Plus'", "by =, <> or IN"),
        ("segment > 1", "by =, <> or IN"),
        ("segment = 'Rich'", "with a number"),
        ("segment = 1.5", "a segment's number"),
        ("spent", "with a value, such as spent = 1"),
        ("NOT NOT spent = 1", "NOT twice"),
        ("spent = - - 1", "before no number"),
        ("spent = 1e999", "not so large"),
        ("confidence > 2", "from 0 to 1"),
        ("confidence > 0.5 OR spent = 1", "by AND only"),
        ("NOT (outlier AND spent = 1)", "by AND only"),
        ("days_in_segment > 2.5", "whole days"),
        ("entered_segment(1)", "a segment's number and a number of days"),
        ("consent('ads')", "a purpose and a channel"),
        ("sleep(9)", "'sleep' at character 1, which is no function"),
        ("x" * 5000, "at most 4,000 characters"),
        ("(" * 21 + "spent = 1" + ")" * 21, "at most 20 parentheses"),
        ("spent IN ()", "values after spent IN|is no condition"),
        ("segment IS NULL", "IS NULL after an attribute only"),
        ("customers.spent = 1", "no attribute|in place of"),
        ("spent = 1 AND " * 200 + "spent = 1", "at most 500 words"),
        ("spent = '\x00'", "rule"),
        ('"spent" = 1 AND "a b" = 2', "'a b' at character 17"),
    ],
)
def test_what_is_no_rule_is_refused_with_its_place(text: str, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        read_rule(text, SCHEMA)


@given(st.text(max_size=60) | st.text("()'\"=<>ANDORNOTspentvisits0123456789,.- \n", max_size=60))
def test_no_text_is_more_than_refused(text: str) -> None:
    with contextlib.suppress(InvalidInputError):
        read_rule(text, SCHEMA)


def test_names_that_are_words_of_sql_may_be_quoted(tmp_path: Path) -> None:
    schema = parse_schema(TEXT.replace('name = "visits"', 'name = "order"'), str(tmp_path))
    rule = Compared("order", Operator.EQUAL, 1)
    assert read_rule('"order" = 1', schema) == read_rule("order = 1", schema) == rule
