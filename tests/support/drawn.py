"""Schemas and customers that Hypothesis draws."""

import numpy as np
from hypothesis import strategies as st

from customer_segmentation.domain.arrays import FloatArray
from customer_segmentation.domain.attributes import (
    Attribute,
    Id,
    IdType,
    Kind,
    Missing,
    Transform,
    Unknown,
)
from customer_segmentation.domain.schema import Profile, Schema

NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,20}x", fullmatch=True)
TITLES = st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=20).filter(
    str.strip
)
RECORD_NAMES = TITLES.map(lambda title: title.translate({ord('"'): "'", ord("\\"): "/"}))


@st.composite
def attributes(draw: st.DrawFn, name: str) -> Attribute:
    kind = draw(st.sampled_from(Kind))
    is_number = kind in {Kind.COUNT, Kind.AMOUNT}
    least = draw(st.integers(-1000, 1000))
    most = draw(st.integers(least + 1, least + 1000))
    codes: dict[int, str] = {}
    categories: tuple[str, ...] = ()
    size = 2 if kind is Kind.BINARY else draw(st.integers(2, 5))
    if not is_number:
        labels = tuple(draw(st.lists(TITLES, min_size=size, max_size=size, unique=True)))
        if draw(st.booleans()):
            categories = labels
        elif kind is Kind.BINARY:
            least, most, codes = 0, 1, dict(enumerate(labels))
        else:
            least, most, codes = 0, size, dict(enumerate(labels))
    bounds = (None, None) if categories else (least, most)
    usual = st.sampled_from([*codes]) if codes else st.integers(least, most)
    example = categories[0] if categories else draw(usual)
    return Attribute(
        name=name,
        record_name=draw(st.just(name) | RECORD_NAMES.map(lambda told: f"{name} {told}")),
        title=draw(TITLES),
        description=draw(st.just("") | TITLES),
        kind=kind,
        example=example,
        unit=draw(st.just("") | TITLES),
        minimum=bounds[0],
        maximum=bounds[1],
        codes=codes,
        categories=categories,
        unknown=draw(st.sampled_from(Unknown)) if kind is Kind.NOMINAL else Unknown.REFUSED,
        missing=draw(st.sampled_from(Missing)),
        default=draw(st.none() | st.just(example)),
        used=draw(st.booleans()),
        transform=draw(st.sampled_from(Transform)) if is_number else Transform.LINEAR,
        weight=draw(st.floats(0, 10) | st.integers(0, 3)),
        protected=draw(st.booleans()),
        bands=((0, 9), (10, 99)) if is_number and draw(st.booleans()) else (),
        changeable=draw(st.booleans()),
        high=draw(st.just("") | TITLES),
        low=draw(st.just("") | TITLES),
    )


@st.composite
def schemas(draw: st.DrawFn, most: int = 5) -> Schema:
    names = draw(st.lists(NAMES, min_size=2, max_size=1 + most, unique=True))
    kind = draw(st.sampled_from(IdType))
    channels = tuple(draw(st.lists(TITLES, max_size=3, unique=True)))
    return Schema(
        Id(
            name=names[0],
            record_name=names[0],
            title=draw(TITLES),
            description="",
            type=kind,
            example="C1" if kind is IdType.TEXT else 7,
        ),
        tuple(draw(attributes(name)) for name in names[1:]),
        (Profile("Some", "Call", {names[1]: -0.5}, above=(names[1],)),),
        draw(st.none() | st.integers(2, 12)),
        channels,
        tuple(draw(st.lists(st.sampled_from(["", "NA", "?", "unknown"]), unique=True))),
    )


def draw_customers(schema: Schema, n: int, seed: int, lacking: float = 0.1) -> FloatArray:
    """Draw customers of two groups, (n, d), who lack a share of what the schema lets them lack."""
    random = np.random.default_rng(seed)
    groups = random.integers(0, 2, n)
    columns = [_draw_column(attribute, groups, random) for attribute in schema.attributes]
    for attribute, column in zip(schema.attributes, columns, strict=True):
        if attribute.missing is Missing.ALLOWED:
            column[random.random(n) < lacking] = np.nan
    return np.column_stack(columns)


def _draw_column(
    attribute: Attribute, groups: np.ndarray, random: np.random.Generator
) -> FloatArray:
    if attribute.choices:
        choices = np.array(attribute.choices, dtype=np.float64)
        shares = random.dirichlet(np.ones(len(choices)), 2)
        return np.array([random.choice(choices, p=shares[group]) for group in groups])
    amounts = random.lognormal(2.0 + 2.0 * groups, 1.0)
    least, most = attribute.plain_range
    drawn = np.clip(amounts + max(least, -100), least, most)
    return drawn.round() + 0.0 if attribute.is_integer else drawn
