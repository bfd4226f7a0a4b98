"""Sentences: what they say is what the figures are."""

import re
from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from customer_segmentation.model.experiments.effects import Effect, compare
from customer_segmentation.model.experiments.groups import Average, Group, Interval, Rate
from customer_segmentation.model.experiments.sentences import Words, describe

CASHBACK = Words("Cashback by e-mail", "renewals", "Affluent Inactives")
NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")


def effect(arm: Group, control: Group) -> Effect:
    found = compare(arm, control)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("arm", "control", "words", "sentence"),
    [
        (
            Rate(17_333, 2_080),
            Rate(8_000, 816),
            CASHBACK,
            "Cashback by e-mail brought 1.8 points more renewals (1.0 to 2.6) among Affluent "
            "Inactives; 312 more customers.",
        ),
        (
            Rate(8_000, 816),
            Rate(8_000, 960),
            Words("Cashback by e-mail", "renewals"),
            "Cashback by e-mail brought 1.8 points fewer renewals (0.8 to 2.8); "
            "144 fewer customers.",
        ),
        (
            Rate(900, 14),
            Rate(100, 1),
            CASHBACK,
            "It is not clear whether Cashback by e-mail changed renewals among Affluent "
            "Inactives: anything from 3.9 points fewer to 1.9 points more fits.",
        ),
        (
            Average(9_000, 23.2, 900.0, 0.0, 4_000),
            Average(9_000, 20.0, 900.0, 0.0, 4_000),
            Words("A talk", "revenue", unit="EUR"),
            "A talk brought 3.2 EUR more revenue per customer (2.3 to 4.1); 28,800 EUR more "
            "in all.",
        ),
        (
            Average(9_000, 20.0, 900.0, 0.0, 4_000),
            Average(9_000, 23.2, 900.0, 0.0, 4_000),
            Words("A talk", "revenue", unit="EUR"),
            "A talk brought 3.2 EUR less revenue per customer (2.3 to 4.1); 28,800 EUR less "
            "in all.",
        ),
        (
            Average(9_000, 1.31, 4.0, 0.0, 4_000),
            Average(9_000, 1.0, 4.0, 0.0, 4_000),
            Words("A talk", "purchases"),
            "A talk brought 0.31 more purchases per customer (0.25 to 0.37); 2,790 more in all.",
        ),
    ],
)
def test_the_sentence_says_what_a_marketer_wants_to_know(
    arm: Group, control: Group, words: Words, sentence: str
) -> None:
    assert describe(effect(arm, control), words) == sentence


def test_a_limit_next_to_nothing_is_not_told_as_nothing() -> None:
    found = replace(effect(Rate(8_000, 960), Rate(8_000, 816)), interval=Interval(0.0004, 0.0356))

    assert "1.80 points more renewals (0.04 to 3.56)" in describe(found, CASHBACK)


rates = st.integers(30, 1_000_000).flatmap(
    lambda size: st.builds(Rate, st.just(size), st.integers(0, size))
)
amounts = st.builds(
    Average,
    st.integers(30, 1_000_000),
    st.floats(-1e6, 1e6),
    st.floats(1e-3, 1e12),
    st.just(0.0),
    st.just(30),
)


@given(
    pair=st.one_of(st.tuples(rates, rates), st.tuples(amounts, amounts)),
    unit=st.sampled_from(["", "EUR"]),
)
def test_every_sentence_is_true(pair: tuple[Group, Group], unit: str) -> None:
    found = effect(*pair)
    assume(found.interval.high - found.interval.low > 1e-9)
    is_rate = isinstance(found.arm, Rate)
    scale = 100 if is_rate else 1

    sentence = describe(found, Words("A", "b", "C", unit))

    told = [float(number.replace(",", "")) for number in NUMBER.findall(sentence)]
    texts = NUMBER.findall(sentence)
    half = 0.5 * 10.0 ** -max(len(t.partition(".")[2]) for t in texts[:2]) + 1e-9
    limits = [abs(found.interval.low) * scale, abs(found.interval.high) * scale]
    if not found.is_clear:
        assert sentence.startswith("It is not clear")
        assert told == pytest.approx(limits, abs=half, rel=1e-9)
        return
    assert told[:3] == pytest.approx([abs(found.lift) * scale, *sorted(limits)], abs=half, rel=1e-9)
    assert min(told[1:3]) > 0
    grows = found.lift > 0
    assert (" more " in sentence) is grows
    assert (" fewer " in sentence or " less " in sentence) is not grows
    total = abs(round(found.lift * found.arm.size))
    assert told[3:] == ([total] if total else [])
