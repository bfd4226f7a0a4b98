"""Names and claims: what the product says of a segment is held against the figures beside it."""

import re
from dataclasses import replace
from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from scipy.stats import trim_mean

from customer_segmentation.domain.arrays import FloatArray, IntArray
from customer_segmentation.domain.attributes import Attribute, Kind
from customer_segmentation.domain.errors import TrainingRefusedError
from customer_segmentation.domain.numbers import readable
from customer_segmentation.domain.schema import Schema
from customer_segmentation.domain.segments import as_read
from customer_segmentation.engines.local import LocalEngine
from customer_segmentation.model.artifact import Model, Parameters
from customer_segmentation.model.assign import Assigner
from customer_segmentation.model.describing.profile import SegmentProfile, profile_segments
from customer_segmentation.model.monitoring.distribution import count_customers
from tests.support.drawn import draw_customers, schemas
from tests.support.shipped import FEATURE_NAMES, FEATURES, SHIPPED
from tests.support.tables import TABLES, read_table

CLAIM = re.compile(r"(higher|lower) (.+?) \(mean (\S+), everybody (\S+)\)")
SHARE = re.compile(r"([A-Z][\w-]*|e-mail|loan) ([\d.]+)% \(everybody ([\d.]+)%\)")
TITLES = {feature.title: j for j, feature in enumerate(FEATURES)} | {"Female": 1}
HIGH = {feature.high: j for j, feature in enumerate(FEATURES)}
LOW = {feature.low: j for j, feature in enumerate(FEATURES)}
HIGHER = {f"higher {feature.title}": j for j, feature in enumerate(FEATURES)}


def check_claims(model: Model, values: FloatArray) -> None:
    """Hold each name and sentence against figures worked out from the customers themselves."""
    segments = Assigner(model).assign(values)
    rows = np.searchsorted(model.numbers, segments)
    nobody_outlying = np.zeros(len(values), dtype=bool)
    counted = count_customers(model.bins, len(model.segments), values, rows, nobody_outlying)
    names = [segment.name for segment in model.segments]
    assert len(set(names)) == len(names), names
    for segment, profile in zip(model.segments, profile_segments(model, counted), strict=True):
        ours = values[segments == segment.number]
        check_sentence(profile, ours, values)
        if len(ours):
            check_name(segment.name, segment.number, ours, values)


def check_sentence(profile: SegmentProfile, ours: FloatArray, everybody: FloatArray) -> None:
    told = profile.summary
    if not len(ours):
        assert told == "No customer is in this segment now."
        return
    noun = "customer" if len(ours) == 1 else "customers"
    assert told.startswith(f"{len(ours):,} {noun} (")
    claims = CLAIM.findall(told)
    for word, title, mean, of_all in claims:
        j = TITLES[title]
        assert mean == readable(float(profile.attributes[j].mean))
        assert float(mean.replace(",", "")) == pytest.approx(ours[:, j].mean(), rel=1e-3, abs=1e-3)
        larger = ours[:, j].mean() > everybody[:, j].mean()
        assert (word == "higher") == larger
        assert mean != of_all
    for title, share, of_all in SHARE.findall(told):
        j = TITLES[title]
        assert float(share) == pytest.approx(100 * ours[:, j].mean(), abs=0.51)
        assert float(of_all) == pytest.approx(100 * everybody[:, j].mean(), abs=0.51)
        assert share != of_all
    said = len(claims) + len(SHARE.findall(told))
    assert said or told.endswith("much like everybody else.")
    deviations = [abs(a.deviations) for a in profile.attributes if a.is_clear]
    assert said == min(len(deviations), 3)


def check_name(name: str, number: int, ours: FloatArray, everybody: FloatArray) -> None:
    profiles = {profile.name: profile for profile in SHIPPED.profiles}
    mean, of_all = ours.mean(axis=0), everybody.mean(axis=0)
    if name in profiles:
        profile = profiles[name]
        for attribute in profile.above:
            j = FEATURE_NAMES.index(attribute)
            assert mean[j] > of_all[j]
            assert np.median(ours[:, j]) > 0.0
        for attribute in profile.below:
            j = FEATURE_NAMES.index(attribute)
            assert mean[j] < of_all[j]
        for attribute in profile.usual:
            assert np.median(ours[:, FEATURE_NAMES.index(attribute)]) > 0.0
        return
    assert not re.search(r"\d\)", name)
    if name in ("Close to average", f"Segment {number}"):
        return
    for word in (name[0].lower() + name[1:]).replace("facebook", "Facebook").split(", "):
        if word in LOW:
            assert mean[LOW[word]] < of_all[LOW[word]]
        else:
            j = HIGH[word] if word in HIGH else HIGHER[word]
            assert mean[j] > of_all[j]
            assert word in HIGHER or mean[j] > 0.0


@st.composite
def tables(draw: st.DrawFn) -> FloatArray:
    """Return customers, (n, 14), whose attributes are of all the kinds that tables hold."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.sampled_from([30, 150, 400]))
    groups = random.integers(draw(st.integers(1, 6)), size=n)
    values = np.zeros((n, len(FEATURES)))
    for j, feature in enumerate(FEATURES):
        kind = draw(st.sampled_from(["same", "alike", "grouped", "rare", "huge"]))
        if feature.maximum == 1:
            share = random.random(groups.max() + 1)[groups] if kind == "grouped" else 0.05
            values[:, j] = 0.0 if kind == "same" else random.random(n) < share
            continue
        level = random.lognormal(4.0, 2.0, groups.max() + 1)[groups] if kind == "grouped" else 90.0
        spread = 0.0 if kind == "same" else 0.5
        column = level * random.lognormal(0.0, spread, n)
        if kind == "rare":
            column[random.random(n) < 0.8] = 0.0
        if kind == "huge":
            column[random.integers(n)] = 1e9
        if feature.minimum is None and draw(st.booleans()):
            column = -column
        column = np.round(column) if feature.is_integer else column
        values[:, j] = column if feature.maximum is None else column.clip(0, feature.maximum)
    return values


@given(values=tables(), k=st.integers(2, 7))
@settings(max_examples=25)
def test_what_is_said_of_random_customers_is_true(values: FloatArray, k: int) -> None:
    if len(np.unique(values, axis=0)) < k:
        return
    ids = np.arange(1, len(values) + 1)

    check_claims(LocalEngine(SHIPPED).train(ids, values, Parameters(k=k, restarts=1)), values)


AMOUNTS = [j for j, feature in enumerate(FEATURES) if feature.maximum is None and not feature.codes]


@given(
    row=st.integers(0, 19_999),
    j=st.sampled_from(AMOUNTS),
    size=st.floats(0.0, 1e15),
    below=st.booleans(),
)
@example(row=58, j=FEATURE_NAMES.index("account_balance"), size=1e15, below=True)
@example(row=60, j=FEATURE_NAMES.index("monthly_income"), size=1e12, below=False)
@settings(max_examples=25)
def test_one_value_cannot_make_a_sentence_false(
    shipped_model: Model,
    shipped_customers: tuple[IntArray, FloatArray],
    row: int,
    j: int,
    size: float,
    below: bool,
) -> None:
    values = shipped_customers[1].copy()
    rows = np.searchsorted(shipped_model.numbers, Assigner(shipped_model).assign(values))
    can_owe = FEATURES[j].minimum is None
    others = np.arange(len(values)) != row
    values[row, j] = -size if below and can_owe else np.round(size)
    counted = count_customers(
        shipped_model.bins, len(shipped_model.segments), values, rows, ~others
    )

    profiles = profile_segments(shipped_model, counted)

    reach = np.ptp(values[others, j]) / 50
    for cluster, profile in enumerate(profiles):
        ours, everybody = values[others & (rows == cluster), j], values[others, j]
        claims = re.findall(
            rf"(higher|lower) {FEATURES[j].title} \((trimmed )?mean (\S+),", profile.summary
        )
        for word, trimmed, mean in claims:
            assert (word == "higher") == (ours.mean() > everybody.mean())
            about = trim_mean(ours, 0.05) if trimmed else ours.mean()
            assert float(mean.replace(",", "")) == pytest.approx(about, abs=reach)


@pytest.mark.parametrize("name", TABLES)
def test_what_is_said_of_public_tables_is_true(name: str) -> None:
    values = read_table(name, 1_500)
    ids = np.arange(1, len(values) + 1)
    for k in (4, 7):
        check_claims(LocalEngine(SHIPPED).train(ids, values, Parameters(k=k, restarts=2)), values)


def test_segments_that_a_retrain_adds_are_named_truly(
    shipped_model: Model, shipped_customers: tuple[IntArray, FloatArray]
) -> None:
    ids, values = shipped_customers
    some = slice(None, None, 5)

    model = LocalEngine(SHIPPED).train(
        ids[some], values[some], Parameters(k=8, restarts=2), shipped_model
    )

    check_claims(model, values[some])
    assert [s.name for s in model.segments[:4]] == [profile.name for profile in SHIPPED.profiles]


def test_nobody_without_transactions_is_frequent_and_nobody_in_debt_is_affluent() -> None:
    random = np.random.default_rng(6)
    none = np.zeros((200, len(FEATURES)))
    none[:, FEATURE_NAMES.index("age")] = random.integers(20, 60, 200)
    none[:, FEATURE_NAMES.index("gender")] = random.integers(2, size=200)
    none[:, FEATURE_NAMES.index("monthly_income")] = random.integers(1_000, 8_000, 200)
    none[::2, FEATURE_NAMES.index("account_balance")] = random.integers(100_000, 140_000, 100)
    owed = np.zeros((600, len(FEATURES)))
    owed[:, FEATURE_NAMES.index("account_balance")] = -random.lognormal(8.0, 3.0, 600)
    owed[::3, FEATURE_NAMES.index("total_deposit_amount")] = random.lognormal(8.0, 1.0, 200)

    for values in (none, owed):
        model = LocalEngine(SHIPPED).train(np.arange(len(values)), values, Parameters())

        check_claims(model, values)
        told = " ".join(segment.name for segment in model.segments)
        assert not set(told.split()) & {"Frequent", "Users", "Affluent"}


def test_an_example_reads_as_people_speak(
    shipped_customers: tuple[IntArray, FloatArray],
) -> None:
    ids, values = shipped_customers
    richer = values.copy()
    richer[:, FEATURE_NAMES.index("loyalty_score")] = 0.0
    model = LocalEngine(SHIPPED).train(ids[::5], richer[::5], Parameters(k=6, restarts=2))

    named = {profile.name for profile in SHIPPED.profiles}
    made_up = [segment.name for segment in model.segments if segment.name not in named]

    assert made_up
    for name in made_up:
        assert not {"gender", "loyalty"} & set(name.lower().split())
        assert "_" not in name
        assert "/" not in name
    check_claims(model, richer[::5])


CARD = Attribute("card", "card", "card", "", 0, Kind.BINARY, codes={0: "No", 1: "Yes"})
BRANCH = Attribute(
    "branch",
    "branch",
    "branch",
    "",
    "France",
    Kind.NOMINAL,
    categories=("France", "Spain", "Italy"),
)
SEX = Attribute("sex", "sex", "sex", "", "Male", Kind.BINARY, categories=("Male", "Female"))
SHOP = replace(SHIPPED, attributes=(CARD, BRANCH, SEX), profiles=(), channels=())


def test_names_tell_categories_and_cards_in_the_owners_words() -> None:
    random = np.random.default_rng(2)
    group = np.repeat([0, 1, 2], 200)
    branch = np.where(random.random(600) < 0.9, group, (group + 1) % 3)
    card = (group == 1) * (random.random(600) < 0.95)
    sex = np.where(group == 2, 1.0, random.random(600) < 0.4)
    values = np.column_stack([card, branch, sex]).astype(float)

    model = LocalEngine(SHOP).train(np.arange(600), values, Parameters(k=3))

    names = {
        int(np.bincount(group[Assigner(model).assign(values) == s.number]).argmax()): s.name
        for s in model.segments
    }
    assert names[0] == "Mostly France, no card"
    assert names[1] == "Mostly Spain, mostly card"
    assert names[2] == "Mostly Italy, mostly Female"
    told = [p.summary for p in profile_segments(model, model.distribution)]
    assert "branch France 100% (everybody 33%), card 0%" in " ".join(told)


def true_words(attribute: Attribute, ours: FloatArray, everybody: FloatArray) -> set[str]:
    """Return all that a name may say of some customers by an attribute, from their values."""
    ours, everybody = ours[~np.isnan(ours)], everybody[~np.isnan(everybody)]
    if len(ours) == 0:
        return set()
    mean, of_all = ours.mean(), everybody.mean()
    if attribute.kind is Kind.NOMINAL:
        words: set[str] = set()
        for choice, label in attribute.labels.items():
            share, share_of_all = (ours == choice).mean(), (everybody == choice).mean()
            for called in (label, f"{attribute.title} {label}"):
                words |= _words_of_share(called, share, share_of_all)
        return words
    words = {attribute.low} if mean < of_all else {attribute.high}
    words |= {f"{'lower' if mean < of_all else 'higher'} {attribute.title}"}
    if attribute.kind is Kind.BINARY or len(attribute.choices) == 2:
        no, yes = attribute.choices or (0, 1)
        share, share_of_all = (ours == yes).mean(), (everybody == yes).mean()
        for title in (attribute.title, attribute.labels.get(yes, "")):
            words |= _words_of_share(title, share, share_of_all)
        for title in (f"no {attribute.title}", attribute.labels.get(no, "")):
            words |= _words_of_share(title, 1.0 - share, 1.0 - share_of_all)
            words |= {title, f"only {title}"} if share == 0.0 else set()
    return words


def _words_of_share(called: str, share: float, share_of_all: float) -> set[str]:
    if share > share_of_all:
        return {f"mostly {called}"} if share > 0.5 else {f"more often {called}"}
    return {f"less often {called}", *([f"no {called}"] if share == 0.0 else [])}


@given(schemas(), st.integers(0, 1_000), st.integers(2, 4))
@settings(max_examples=60)
def test_names_of_segments_of_any_schema_are_true_and_distinct(
    schema: Schema, seed: int, k: int
) -> None:
    values = draw_customers(schema, 300, seed)
    plain = replace(schema, profiles=())
    try:
        model = LocalEngine(plain).train(np.arange(300), values, Parameters(k=k, restarts=1))
    except TrainingRefusedError:
        assume(False)
    segments = Assigner(model).assign(values)

    assert len({as_read(segment.name) for segment in model.segments}) == k
    for segment in model.segments:
        ours = values[segments == segment.number]
        if segment.name in {"Close to average", f"Segment {segment.number}"} or not len(ours):
            continue
        words = [
            true_words(attribute, ours[:, j], values[:, j])
            for j, attribute in enumerate(schema.attributes)
        ]
        assert segment.name.casefold() in {
            ", ".join(chosen).casefold()
            for many in (1, 2, 3)
            for places in permutations(words, many)
            for chosen in product(*places)
        }
