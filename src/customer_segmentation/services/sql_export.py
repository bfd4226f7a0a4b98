"""The use case of writing a model's rule as SQL, to run it inside the bank's warehouse."""

from functools import reduce

from sqlglot import exp
from sqlglot.dialects.dialect import Dialect

from customer_segmentation.domain.errors import FieldError, InvalidInputError
from customer_segmentation.domain.features import CUSTOMER_ID, FEATURE_BY_NAME, Feature
from customer_segmentation.services.serving import ServingModel
from customer_segmentation.services.unit_of_work import UnitsOfWork

_OTHER_NAMES = {"postgresql": "postgres", "sqlserver": "tsql"}
DIALECTS = sorted([*(name for name in Dialect.classes if name), *_OTHER_NAMES])


def write_sql(
    units: UnitsOfWork, dialect: str, table: str = "customers", view: str | None = None
) -> str:
    """Return a query that gives each customer of a table its segment by the model that serves.

    The query adds in the order in which the service does, so that both give the same segments.
    Hysteresis is not in it: it needs the segment of before.

    Args:
        units: over the database.
        dialect: of SQL, such as `postgres`, `snowflake`, `bigquery`, `spark` or `sqlserver`.
        table: with a column for each attribute, by its request name, and one `customer_id`.
        view: create a view of this name, in place of a query.

    Raises:
        InvalidInputError: the dialect is not known.
        NotReadyError: there is no model yet.
    """
    if dialect not in DIALECTS:
        message = f"dialect must be one of {', '.join(DIALECTS)}"
        raise InvalidInputError([FieldError("dialect", message)])
    query: exp.Expression = _query(units.serving, table)
    if view is not None:
        query = exp.Create(this=exp.to_table(view), kind="VIEW", expression=query)
    return query.sql(dialect=_OTHER_NAMES.get(dialect, dialect), pretty=True)


def _query(serving: ServingModel, table: str) -> exp.Select:
    """Return the query: attributes transformed, then distances, then the nearest."""
    key = exp.column(CUSTOMER_ID.name)
    discriminants = serving.assigner.discriminants
    transformed = [
        exp.alias_(_transformed(FEATURE_BY_NAME[name], center), name)
        for name, center in serving.assigner.centers.items()
    ]
    prepared = exp.select(key, *transformed).from_(exp.to_table(table))
    distances = [
        exp.alias_(_sum([*_terms(found.slopes), _number(found.base)]), _distance(found.number))
        for found in discriminants
    ]
    measured = exp.select(key, *distances).from_("prepared")
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
                        if n != number
                    )
                ),
                true=exp.Literal.number(number),
            )
            for number in numbers[:-1]
        ],
        default=exp.Literal.number(numbers[-1]),
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
        .with_("prepared", as_=prepared)
        .with_("measured", as_=measured)
        .with_("assigned", as_=assigned)
    )


def _transformed(feature: Feature, center: float) -> exp.Expression:
    """Return an attribute with the skew taken out; see `model/prepare.py`."""
    value: exp.Expression = exp.cast(exp.column(feature.name), exp.DataType.Type.DOUBLE)
    if feature.skewed:
        size = exp.Ln(this=exp.Paren(this=_number(1.0) + exp.Abs(this=value.copy())))
        value = exp.Mul(this=exp.Sign(this=value), expression=size)
    if feature.unscored is None:
        return value
    is_unscored = exp.EQ(
        this=exp.column(feature.name), expression=exp.Literal.number(feature.unscored)
    )
    return exp.Case(ifs=[exp.If(this=is_unscored, true=_number(center))], default=value)


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
