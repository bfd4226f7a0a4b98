"""The use case of writing a model's rule as SQL, to run it inside the bank's warehouse."""

from functools import reduce

from sqlglot import exp
from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import SqlglotError

from customer_segmentation.domain.attributes import Attribute
from customer_segmentation.domain.errors import FieldError, InvalidInputError
from customer_segmentation.domain.features import CUSTOMER_ID, FEATURE_BY_NAME
from customer_segmentation.model.assign import ROOTS, SERIES
from customer_segmentation.services.runtime.serving import ServingModel
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork

_OTHER_NAMES = {"postgresql": "postgres", "sqlserver": "tsql"}
DIALECTS = sorted([*(name for name in Dialect.classes if name), *_OTHER_NAMES])
_MERGING = {"duckdb", "postgres", "sqlite"}
"""They would work out an expression anew wherever a later step refers to it."""


def write_sql(
    units: UnitsOfWork, dialect: str, table: str = "customers", view: str | None = None
) -> str:
    """Return a query that gives each customer of a table its segment by the active model.

    Near a border the query decides as the service does, so that both give the same segments.
    Whoever lacks an attribute that the model uses, as it is NULL, NaN or infinite, has NULL for a
    segment. Hysteresis is not in it: it needs the previous segment.

    Args:
        units: over the database.
        dialect: of SQL, such as `postgres`, `snowflake`, `bigquery`, `spark` or `sqlserver`.
        table: with a column for each attribute, by its request name, and one `customer_id`.
        view: create a view of this name, in place of a query.

    Raises:
        InvalidInputError: the dialect is not known, or a name is none.
        NotReadyError: there is no model yet.
    """
    if dialect not in DIALECTS:
        message = f"dialect must be one of {', '.join(DIALECTS)}"
        raise InvalidInputError([FieldError("dialect", message)])
    written = _OTHER_NAMES.get(dialect, dialect)
    query: exp.Expression = _query(units.serving, _named("table", table))
    if written in _MERGING:
        for step in query.find_all(exp.CTE):
            step.set("materialized", True)
    if written == "oracle":
        # Its DOUBLE PRECISION is decimal.
        for kind in list(query.find_all(exp.DataType)):
            kind.replace(exp.DataType.build("BINARY_DOUBLE", udt=True))
    if view is not None:
        query = exp.Create(this=_named("view", view), kind="VIEW", expression=query)
    return query.sql(dialect=written, pretty=True)


def _named(what: str, name: str) -> exp.Table:
    """Return a table or view by its name, in quotes where it needs them.

    Raises:
        InvalidInputError: it is no name.
    """
    try:
        return exp.to_table(name)
    except (SqlglotError, ValueError) as fault:
        message = f"{what} must be a name such as customers or bank.customers"
        raise InvalidInputError([FieldError(what, message)]) from fault


def _query(serving: ServingModel, table: exp.Table) -> exp.Select:
    """Return the query: attributes checked and transformed, then distances, then the nearest."""
    key = exp.column(CUSTOMER_ID.name)
    discriminants = serving.assigner.discriminants
    centers = serving.assigner.centers
    features = [FEATURE_BY_NAME[name] for name in centers]
    plain = [exp.column(feature.name) for feature in features]
    skewed = [feature for feature in features if feature.is_logarithmic]
    checked = exp.select(key, *(exp.alias_(_checked(f), f.name) for f in features))
    rooted = exp.select(key, *plain, *(exp.alias_(_root(f), _ratio(f)) for f in skewed))
    divided = exp.select(key, *plain, *(exp.alias_(_divided(f), _ratio(f)) for f in skewed))
    transformed = [exp.alias_(_transformed(f, centers[f.name]), f.name) for f in features]
    prepared = exp.select(key, *transformed)
    distances = [
        exp.alias_(_sum([*_terms(found.slopes), _number(found.base)]), _distance(found.number))
        for found in discriminants
    ]
    measured = exp.select(key, *distances)
    numbers = [found.number for found in discriminants]
    nearest = exp.Case(
        ifs=[
            exp.If(
                this=exp.and_(
                    *(
                        exp.LTE(
                            this=exp.column(_distance(number)), expression=exp.column(_distance(n))
                        )
                        for n in numbers
                    )
                ),
                true=exp.Literal.number(number),
            )
            for number in numbers
        ],
    )
    assigned = exp.select(key, exp.alias_(nearest, "segment")).from_("measured")
    names = exp.Case(
        this=exp.column("segment"),
        ifs=[
            exp.If(
                this=exp.Literal.number(number),
                true=exp.Literal.string(serving.segments[number].name),
            )
            for number in numbers
        ],
    )
    return (
        exp.select(key, exp.column("segment"), exp.alias_(names, "segment_name"))
        .from_("assigned")
        .with_("checked", as_=checked.from_(table))
        .with_("rooted", as_=rooted.from_("checked"))
        .with_("divided", as_=divided.from_("rooted"))
        .with_("prepared", as_=prepared.from_("divided"))
        .with_("measured", as_=measured.from_("prepared"))
        .with_("assigned", as_=assigned)
    )


def _checked(feature: Attribute) -> exp.Expression:
    """Return an attribute as a double, NULL where it is not finite."""
    value = exp.cast(exp.column(feature.name), exp.DataType.Type.DOUBLE)
    # Some databases take NaN for equal to itself; less itself it is 0 in none, as is no infinity.
    is_finite = exp.EQ(this=value - value.copy(), expression=_number(0.0))
    return exp.Case(ifs=[exp.If(this=is_finite, true=value.copy())])


def _root(feature: Attribute) -> exp.Expression:
    root: exp.Expression = _number(1.0) + exp.Abs(this=exp.column(feature.name))
    for _ in range(ROOTS):
        root = exp.Sqrt(this=root)
    return root


def _divided(feature: Attribute) -> exp.Expression:
    root = exp.Paren(this=exp.column(_ratio(feature)) - _number(1.0))
    more = exp.Paren(this=exp.column(_ratio(feature)) + _number(1.0))
    return exp.Div(this=root, expression=more, typed=True)


def _transformed(feature: Attribute, center: float) -> exp.Expression:
    """Return an attribute with the skew taken out; see `settled_logarithm`."""
    value: exp.Expression = exp.column(feature.name)
    if feature.is_logarithmic:
        ratio = exp.column(_ratio(feature))
        series = _number(SERIES[0])
        for coefficient in SERIES[1:]:
            series = series * exp.Paren(this=ratio * ratio.copy()) + _number(coefficient)
        value = exp.Sign(this=value) * exp.Paren(this=series * ratio.copy())
    if feature.unscored is None:
        return value
    is_unscored = exp.EQ(this=value.copy(), expression=_number(float(feature.unscored)))
    return exp.Case(ifs=[exp.If(this=is_unscored, true=_number(center))], default=value)


def _ratio(feature: Attribute) -> str:
    return f"{feature.name}_ratio"


def _terms(slopes: dict[str, float]) -> list[exp.Expression]:
    return [
        exp.Mul(this=_number(slope), expression=exp.column(name)) for name, slope in slopes.items()
    ]


def _sum(terms: list[exp.Expression]) -> exp.Expression:
    return reduce(lambda left, right: exp.Add(this=left, expression=right), terms)


def _number(value: float) -> exp.Expression:
    """Return a number as a double, which a decimal of some dialects is not."""
    return exp.cast(exp.Literal.number(repr(value)), exp.DataType.Type.DOUBLE)


def _distance(number: int) -> str:
    return f"distance_{number}"
