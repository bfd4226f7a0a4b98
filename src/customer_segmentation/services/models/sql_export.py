"""The use case of writing a model's rule as SQL, to run it inside the owner's warehouse."""

from functools import reduce

from sqlglot import exp
from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import SqlglotError

from customer_segmentation.domain.attributes import Attribute, Missing, Unknown
from customer_segmentation.domain.errors import FieldError, InvalidInputError
from customer_segmentation.domain.schema import Schema
from customer_segmentation.model.adapting import is_same_measure
from customer_segmentation.model.assign import ROOTS, SERIES
from customer_segmentation.model.folding import Term
from customer_segmentation.services.runtime.serving import ServingModel
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork

_OTHER_NAMES = {"postgresql": "postgres", "sqlserver": "tsql"}
DIALECTS = sorted([*(name for name in Dialect.classes if name), *_OTHER_NAMES])
_MERGING = {"duckdb", "postgres", "sqlite"}
"""They would work out an expression anew wherever a later step refers to it."""

_KEY = "customer"


def write_sql(
    units: UnitsOfWork, dialect: str, table: str = "customers", view: str | None = None
) -> str:
    """Return a query that gives each customer of a table its segment by the active model.

    Args:
        units: over the database.
        dialect: as for `sql_of`.
        table: as for `sql_of`.
        view: as for `sql_of`.

    Raises:
        InvalidInputError: the dialect is not known, or a name is none.
        NotReadyError: there is no model yet.
    """
    check_dialect(dialect)
    return sql_of(units.serving, units.schema, dialect, table, view)


def check_dialect(dialect: str) -> None:
    """See that a dialect of SQL is known.

    Raises:
        InvalidInputError: it is not.
    """
    if dialect not in DIALECTS:
        message = f"dialect must be one of {', '.join(DIALECTS)}"
        raise InvalidInputError([FieldError("dialect", message)])


def sql_of(
    serving: ServingModel,
    schema: Schema,
    dialect: str,
    table: str = "customers",
    view: str | None = None,
) -> str:
    """Return a query that gives each customer of a table its segment by a model.

    Near a border the query decides as the service does, so that both give the same segments. A
    value that is NULL, NaN or infinite is missing: it counts in no distance, by the rule of
    `model/missing.py`, and where the schema refuses it the segment is NULL. Hysteresis is not in
    it: it needs the previous segment.

    Args:
        serving: the model.
        schema: of the table; what it has not any more is missing for everybody.
        dialect: of SQL, such as `postgres`, `snowflake`, `bigquery`, `spark` or `sqlserver`.
        table: with a column for each attribute, by its request name: numbers, codes, or the texts
            of categories.
        view: create a view of this name, in place of a query.

    Raises:
        InvalidInputError: the dialect is not known, or a name is none.
    """
    check_dialect(dialect)
    written = _OTHER_NAMES.get(dialect, dialect)
    query: exp.Expression = _Steps(serving, schema).query(_named("table", table))
    _adapt(query, written)
    if view is not None:
        query = exp.Create(this=_named("view", view), kind="VIEW", expression=query)
    return query.sql(dialect=written, pretty=True)


def _adapt(query: exp.Expression, dialect: str) -> None:
    """Change what a dialect needs otherwise."""
    rules = Dialect.get_or_raise(dialect)
    for name in list(query.find_all(exp.Identifier)):
        # A name of the owner's may be a keyword; in quotes it is read as it is, in any case.
        if name.quoted:
            name.replace(exp.to_identifier(_folded(rules, name.name), quoted=True))
    if dialect in _MERGING:
        for step in query.find_all(exp.CTE):
            step.set("materialized", True)
    if dialect == "oracle":
        # Its DOUBLE PRECISION is decimal.
        for kind in list(query.find_all(exp.DataType)):
            kind.replace(exp.DataType.build("BINARY_DOUBLE", udt=True))
    if dialect == "tsql":
        # Its plain texts lose what their code page has not.
        for text in list(query.find_all(exp.Literal)):
            if text.is_string:
                text.replace(exp.National(this=text.this))


def _folded(dialect: Dialect, name: str) -> str:
    """Return a name as a dialect takes it without quotes, such as in capitals."""
    return dialect.normalize_identifier(exp.to_identifier(name, quoted=False)).name


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


class _Steps:
    """The steps of a query: values checked, transformed, then distances, then the nearest.

    Within it every column is called by what it holds and its attribute's place, so that none of
    the owner's names can be that of another.
    """

    def __init__(self, serving: ServingModel, schema: Schema) -> None:
        self._serving = serving
        self._terms = serving.assigner.terms
        self._bases = serving.assigner.bases
        self._schema = schema

    def query(self, table: exp.Table) -> exp.Select:
        """Return the query."""
        owners = _owners(self._schema.id.name)
        checked = exp.select(exp.alias_(owners, _KEY), *map(self._checked, self._terms))
        skewed = [term for term in self._terms if term.attribute.is_logarithmic]
        values = [exp.column(_value(term)) for term in self._terms]
        rooted = exp.select(_KEY, *values, *(exp.alias_(_root(t), _ratio(t)) for t in skewed))
        divided = exp.select(_KEY, *values, *(exp.alias_(_divided(t), _ratio(t)) for t in skewed))
        transformed = [exp.alias_(_transformed(term), _value(term)) for term in self._terms]
        distances = [
            exp.alias_(self._distance(row, base), _distance(number))
            for row, (number, base) in enumerate(self._bases.items())
        ]
        nearest = exp.alias_(self._nearest(), "segment")
        segment = exp.column("segment")
        return (
            exp.select(
                exp.alias_(exp.column(_KEY), owners.this.copy()),
                segment,
                exp.alias_(self._names(), "segment_name"),
            )
            .from_("assigned")
            .with_("checked", as_=checked.from_(table))
            .with_("rooted", as_=rooted.from_("checked"))
            .with_("divided", as_=divided.from_("rooted"))
            .with_("prepared", as_=exp.select(_KEY, *transformed).from_("divided"))
            .with_("measured", as_=exp.select(_KEY, *distances).from_("prepared"))
            .with_("assigned", as_=exp.select(_KEY, nearest).from_("measured"))
        )

    def _checked(self, term: Term) -> exp.Expression:
        """Return an attribute as a double, NULL where it is none."""
        attribute = term.attribute
        current = self._schema.by_name.get(attribute.name)
        value: exp.Expression
        if current is None or not is_same_measure(attribute, current):
            value = exp.cast(exp.null(), exp.DataType.Type.DOUBLE)
        elif attribute.categories:
            value = self._place(attribute)
        else:
            number = exp.cast(_owners(attribute.name), exp.DataType.Type.DOUBLE)
            # Some databases take NaN for equal to itself; less itself it is 0 in none, as is no
            # infinity.
            is_finite = exp.EQ(this=number - number.copy(), expression=_number(0.0))
            value = exp.Case(ifs=[exp.If(this=is_finite, true=number.copy())])
        return exp.Alias(this=value, alias=exp.to_identifier(_value(term)))

    def _place(self, attribute: Attribute) -> exp.Expression:
        """Return a text's place among the categories."""
        column = _owners(attribute.name)
        case = exp.Case()
        for place, category in enumerate(attribute.categories):
            case = case.when(column.eq(exp.Literal.string(category)), _number(float(place)))
        if attribute.unknown is Unknown.OTHER:
            for nothing in self._schema.missing_values:
                case = case.when(column.eq(exp.Literal.string(nothing)), exp.null())
            is_known = column.copy().is_(exp.null()).not_()
            case = case.when(is_known, _number(float(len(attribute.categories))))
        return case

    def _distance(self, row: int, base: float) -> exp.Expression:
        """Return a squared distance, less what is the same for every segment."""
        known = _sum([*(_adds(term, row) for term in self._terms), _number(base)])
        if not all(_may_miss(term) for term in self._terms):
            return known
        values = [exp.column(_value(term)) for term in self._terms]
        is_unknown = exp.and_(*(value.is_(exp.null()) for value in values))
        typical = sum((term.typical[row] for term in self._terms), 0.0) + base
        return exp.Case(ifs=[exp.If(this=is_unknown, true=_number(typical))], default=known)

    def _nearest(self) -> exp.Expression:
        columns = {number: exp.column(_distance(number)) for number in self._bases}
        case = exp.Case()
        for number, own in columns.items():
            nearer = [exp.LTE(this=own.copy(), expression=c.copy()) for c in columns.values()]
            case = case.when(exp.and_(*nearer), exp.Literal.number(number))
        return case

    def _names(self) -> exp.Expression:
        case = exp.Case(this=exp.column("segment"))
        for number in self._bases:
            name = exp.Literal.string(self._serving.segments[number].name)
            case = case.when(exp.Literal.number(number), name)
        return case


def _sum(terms: list[exp.Expression]) -> exp.Expression:
    return reduce(lambda left, right: exp.Add(this=left, expression=right), terms)


def _owners(name: str) -> exp.Column:
    """Return a column of the owner's table."""
    return exp.column(exp.to_identifier(name, quoted=True))


def _may_miss(term: Term) -> bool:
    return term.attribute.missing is Missing.ALLOWED


def _root(term: Term) -> exp.Expression:
    size: exp.Expression = exp.Abs(this=exp.column(_value(term)))
    if term.attribute.divisor != 1.0:
        size = exp.Div(this=size, expression=_number(term.attribute.divisor), typed=True)
    root: exp.Expression = exp.Add(this=_number(1.0), expression=size)
    for _ in range(ROOTS):
        root = exp.Sqrt(this=root)
    return root


def _divided(term: Term) -> exp.Expression:
    less = exp.Paren(this=exp.column(_ratio(term)) - _number(1.0))
    more = exp.Paren(this=exp.column(_ratio(term)) + _number(1.0))
    return exp.Div(this=less, expression=more, typed=True)


def _transformed(term: Term) -> exp.Expression:
    """Return an attribute with the skew taken out; see `settled_logarithm`."""
    given = exp.column(_value(term))
    value: exp.Expression = given
    if term.attribute.is_logarithmic:
        ratio = exp.column(_ratio(term))
        series = _number(SERIES[0])
        for coefficient in SERIES[1:]:
            series = series * exp.Paren(this=ratio * ratio.copy()) + _number(coefficient)
        value = exp.Sign(this=value.copy()) * exp.Paren(this=series * ratio.copy())
    if term.attribute.unscored is None or term.choices:
        return value
    is_unscored = exp.EQ(this=given.copy(), expression=_number(float(term.attribute.unscored)))
    typical = exp.If(this=is_unscored, true=_number(term.center))
    return exp.Case(ifs=[typical], default=value)


def _adds(term: Term, row: int) -> exp.Expression:
    """Return what an attribute adds to the distance to a segment, NULL where it may not miss."""
    value = exp.column(_value(term))
    if term.choices:
        case = exp.Case()
        for choice, own in term.choices.items():
            case = case.when(value.eq(_number(float(choice))), _number(own[row]))
        return case.else_(_number(term.lacking[row])) if _may_miss(term) else case
    added = exp.Mul(this=_number(term.slopes[row]), expression=value)
    if not _may_miss(term):
        return added
    lacks = exp.If(this=value.copy().is_(exp.null()), true=_number(term.lacking[row]))
    return exp.Case(ifs=[lacks], default=added)


def _number(value: float) -> exp.Expression:
    """Return a number as a double, which a decimal of some dialects is not."""
    return exp.cast(exp.Literal.number(repr(value)), exp.DataType.Type.DOUBLE)


def _value(term: Term) -> str:
    return f"value_{term.position + 1}"


def _ratio(term: Term) -> str:
    return f"ratio_{term.position + 1}"


def _distance(number: int) -> str:
    return f"distance_{number}"
