"""Reading rules of audiences: conditions of SQL, checked against the schema.

>>> read_rule("segment = 2 AND age >= 60 AND NOT email_interaction", schema)

The language is that of a WHERE clause, as sqlglot reads it, with no more than a rule needs. What is
read becomes a tree of conditions; no text of a rule ever reaches a database.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import NoReturn

from sqlglot import exp, parse_one
from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import Token, TokenType
from sqlglot.tokens import Tokenizer

from customer_segmentation.domain.attributes import Attribute
from customer_segmentation.domain.errors import FieldError, InvalidInputError, shortened
from customer_segmentation.domain.numbers import LARGEST_INTEGER, Number, plain_number
from customer_segmentation.domain.rules import (
    LONGEST_RULE,
    MOST_DAYS,
    Agreed,
    All,
    Among,
    Compared,
    InSegment,
    Lacking,
    Not,
    Operator,
    Outlying,
    Rule,
    SegmentMove,
    SegmentSince,
    Some,
    Sure,
    split,
)
from customer_segmentation.domain.schema import Schema

SEGMENT = "segment"
DAYS_IN_SEGMENT = "days_in_segment"
CONFIDENCE = "confidence"
OUTLIER = "outlier"
ENTERED = "entered_segment"
LEFT = "left_segment"
CONSENT = "consent"

_OWN = (SEGMENT, DAYS_IN_SEGMENT, CONFIDENCE, OUTLIER)
_FUNCTIONS = (ENTERED, LEFT, CONSENT)
_MOST_WORDS = 500
_DEEPEST = 20

_OPERATORS: dict[type[exp.Expr], Operator] = {
    exp.EQ: Operator.EQUAL,
    exp.NEQ: Operator.UNEQUAL,
    exp.LT: Operator.LESS,
    exp.LTE: Operator.AT_MOST,
    exp.GT: Operator.MORE,
    exp.GTE: Operator.AT_LEAST,
}
_TURNED = {
    Operator.LESS: Operator.MORE,
    Operator.MORE: Operator.LESS,
    Operator.AT_MOST: Operator.AT_LEAST,
    Operator.AT_LEAST: Operator.AT_MOST,
}
_WORDS = frozenset(
    {
        TokenType.AND,
        TokenType.BETWEEN,
        TokenType.FALSE,
        TokenType.IN,
        TokenType.IS,
        TokenType.NOT,
        TokenType.NULL,
        TokenType.OR,
        TokenType.TRUE,
    }
)
_SIGNS = frozenset(
    {
        TokenType.COMMA,
        TokenType.DASH,
        TokenType.EQ,
        TokenType.GT,
        TokenType.GTE,
        TokenType.L_PAREN,
        TokenType.LT,
        TokenType.LTE,
        TokenType.NEQ,
        TokenType.NUMBER,
        TokenType.R_PAREN,
        TokenType.STRING,
    }
)


def read_rule(text: str, schema: Schema, field: str = "rule") -> Rule:
    """Return the rule that a text is.

    Args:
        text: such as `segment IN (1, 2) AND age BETWEEN 30 AND 60`.
        schema: of the customers.
        field: what an error calls the rule.

    Raises:
        InvalidInputError: it is no rule, or not one of these customers; the message says where.
    """
    rule = _Reader(schema, field).read(text)
    if split(rule) is None:
        message = (
            f"{field} may join {CONFIDENCE} and {OUTLIER} with the rest by AND only, "
            "as the model computes them and the database does not know them"
        )
        raise InvalidInputError([FieldError(field, message)])
    return rule


class _Reader:
    """Reads one rule."""

    def __init__(self, schema: Schema, field: str) -> None:
        self._schema = schema
        self._field = field
        self._names = {*schema.names, *_OWN}

    def read(self, text: str) -> Rule:
        if not text.strip():
            self._refuse("must be a condition such as segment = 2, not an empty text")
        if len(text) > LONGEST_RULE:
            self._refuse(f"must have at most {LONGEST_RULE:,} characters, not {len(text):,}")
        try:
            tokens = Tokenizer().tokenize(text)
            self._check_words(tokens)
            tree = parse_one(text, into=exp.Condition)
        except SqlglotError as fault:
            self._refuse(f"is no condition {_where(fault)}: write it as in SQL's WHERE")
        return self._condition(tree)

    def _check_words(self, tokens: Sequence[Token]) -> None:
        """See that there is nothing else than rules are made of, and not too deep within."""
        if len(tokens) > _MOST_WORDS:
            self._refuse(f"must have at most {_MOST_WORDS} words and signs, not {len(tokens)}")
        depth = 0
        for token, following in zip(tokens, [*tokens[1:], None], strict=True):
            kind = token.token_type
            after = None if following is None else following.token_type
            depth += (kind is TokenType.L_PAREN) - (kind is TokenType.R_PAREN)
            if depth > _DEEPEST:
                self._refuse(f"must have at most {_DEEPEST} parentheses within one another")
            if kind is TokenType.NOT and after is TokenType.NOT:
                self._refuse(f"has NOT twice {_at(token)}")
            if kind is TokenType.DASH and after is not TokenType.NUMBER:
                self._refuse(f"has a - {_at(token)} that is before no number")
            if kind in _WORDS or kind in _SIGNS:
                continue
            is_called = after is TokenType.L_PAREN
            known: Sequence[str] = _FUNCTIONS if is_called else sorted(self._names)
            if token.text not in known:
                what = "function" if is_called else "attribute"
                told = ", ".join(known)
                name = shortened(token.text)
                self._refuse(f"has {name!r} {_at(token)}, which is no {what}: known are {told}")

    def _condition(self, node: exp.Expr) -> Rule:
        match node:
            case exp.Paren():
                return self._condition(node.this)
            case exp.And():
                return _joined(All, [self._condition(one) for one in _flat(node, exp.And)])
            case exp.Or():
                return _joined(Some, [self._condition(one) for one in _flat(node, exp.Or)])
            case exp.Not():
                return Not(self._condition(node.this))
            case exp.Column():
                return self._yes(node)
            case exp.Is():
                return self._is(node)
            case exp.In():
                return self._among(node)
            case exp.Between():
                return self._between(node)
            case exp.Anonymous():
                return self._called(node)
        operator = _OPERATORS.get(type(node))
        if operator is None:
            self._refuse(f"has something that is no condition: {shortened(node.sql())}")
        left, right = node.this, node.expression
        if isinstance(right, exp.Column) and not isinstance(left, exp.Column):
            left, right, operator = right, left, _TURNED.get(operator, operator)
        return self._compared(self._name(left), operator, right)

    def _yes(self, node: exp.Column) -> Rule:
        """Return what a name alone says: that it is so."""
        name = self._name(node)
        if name == OUTLIER:
            return Outlying()
        attribute = self._schema.by_name.get(name)
        if attribute is None or not attribute.is_binary or attribute.categories:
            self._refuse(f"must compare {name} with a value, such as {name} = 1")
        return Compared(name, Operator.EQUAL, 1)

    def _is(self, node: exp.Is) -> Rule:
        name = self._name(node.this)
        if isinstance(node.expression, exp.Boolean):
            yes = self._yes(node.this)
            return yes if node.expression.this else Not(yes)
        attribute = self._schema.by_name.get(name)
        if not isinstance(node.expression, exp.Null) or attribute is None:
            self._refuse(f"may have IS NULL after an attribute only, not after {name}")
        return Lacking(name)

    def _between(self, node: exp.Between) -> Rule:
        name = self._name(node.this)
        ends = ((Operator.AT_LEAST, node.args["low"]), (Operator.AT_MOST, node.args["high"]))
        return All(tuple(self._compared(name, operator, end) for operator, end in ends))

    def _among(self, node: exp.In) -> Rule:
        name, given = self._name(node.this), node.expressions
        if not given:
            self._refuse(f"must have values after {name} IN, in parentheses")
        if name == SEGMENT:
            return InSegment(tuple(self._segment(one) for one in given))
        attribute = self._attribute(name)
        return Among(name, tuple(self._value(attribute, one) for one in given))

    def _called(self, node: exp.Anonymous) -> Rule:
        name, given = node.name, node.expressions
        if name == CONSENT:
            texts = [one.this for one in given if isinstance(one, exp.Literal) and one.is_string]
            if len(texts) != 2 or len(given) != 2:
                self._refuse(f"must give {CONSENT} a purpose and a channel, as two texts in quotes")
            return Agreed(*texts)
        if len(given) != 2:
            self._refuse(f"must give {name} a segment's number and a number of days")
        return SegmentMove(name == ENTERED, self._segment(given[0]), self._days(name, given[1]))

    def _compared(self, name: str, operator: Operator, value: exp.Expr) -> Rule:
        if name == SEGMENT:
            return self._of_segment(operator, value)
        if name == DAYS_IN_SEGMENT:
            return self._days_compared(operator, self._days(name, value))
        if name == CONFIDENCE:
            number = self._number(name, value)
            if not 0 <= number <= 1:
                self._refuse(f"must compare {CONFIDENCE} with a number from 0 to 1")
            return Sure(operator, number)
        attribute = self._attribute(name)
        if attribute.categories and operator not in {Operator.EQUAL, Operator.UNEQUAL}:
            self._refuse(f"must compare {name} by =, <> or IN, as it has categories")
        return Compared(name, operator, self._value(attribute, value))

    def _of_segment(self, operator: Operator, value: exp.Expr) -> Rule:
        segment = InSegment((self._segment(value),))
        if operator is Operator.EQUAL:
            return segment
        if operator is not Operator.UNEQUAL:
            self._refuse(f"must compare {SEGMENT} by =, <> or IN")
        return Not(segment)

    def _days_compared(self, operator: Operator, days: int) -> Rule:
        before, until = SegmentSince(days), SegmentSince(days + 1)
        match operator:
            case Operator.LESS:
                return before
            case Operator.AT_MOST:
                return until
            case Operator.MORE:
                return Not(until)
            case Operator.AT_LEAST:
                return Not(before)
            case Operator.EQUAL:
                return All((until, Not(before)))
            case Operator.UNEQUAL:
                return Some((before, Not(until)))

    def _name(self, node: exp.Expr) -> str:
        is_name = isinstance(node, exp.Column) and isinstance(node.this, exp.Identifier)
        if not is_name or node.args.get("table"):
            self._refuse(f"must have an attribute's name in place of {shortened(node.sql())}")
        return node.name

    def _attribute(self, name: str) -> Attribute:
        attribute = self._schema.by_name.get(name)
        if attribute is None:
            self._refuse(f"cannot compare {name} with a value")
        return attribute

    def _value(self, attribute: Attribute, node: exp.Expr) -> Number:
        labels = {label: number for number, label in (attribute.labels or attribute.codes).items()}
        if isinstance(node, exp.Literal) and node.is_string:
            if node.this not in labels:
                allowed = ", ".join(map(repr, labels)) if labels else "a number"
                self._refuse(f"must compare {attribute.name} with {allowed}, not with another text")
            return labels[node.this]
        if isinstance(node, exp.Boolean) and attribute.is_binary and not attribute.categories:
            return int(node.this)
        if attribute.categories:
            allowed = ", ".join(map(repr, labels))
            self._refuse(f"must compare {attribute.name} with a category: {allowed}")
        return self._number(attribute.name, node)

    def _segment(self, node: exp.Expr) -> int:
        number = self._number(SEGMENT, node)
        if not isinstance(number, int) or not 0 <= number < 2**31:
            self._refuse(f"must compare {SEGMENT} with a segment's number, such as {SEGMENT} = 2")
        return number

    def _days(self, name: str, node: exp.Expr) -> int:
        days = self._number(name, node)
        if not isinstance(days, int) or not 0 <= days <= MOST_DAYS:
            self._refuse(f"must give {name} whole days from 0 to {MOST_DAYS:,}")
        return days

    def _number(self, name: str, node: exp.Expr) -> Number:
        sign, literal = (-1, node.this) if isinstance(node, exp.Neg) else (1, node)
        if not isinstance(literal, exp.Literal) or literal.is_string:
            self._refuse(f"must compare {name} with a number, not with {shortened(node.sql())}")
        try:
            number = sign * float(literal.this)
        except ValueError:
            self._refuse(f"must compare {name} with a number such as 12.5")
        if not math.isfinite(number) or (number.is_integer() and abs(number) > LARGEST_INTEGER):
            self._refuse(f"must compare {name} with a number that is not so large")
        return plain_number(number)

    def _refuse(self, what: str) -> NoReturn:
        raise InvalidInputError([FieldError(self._field, f"{self._field} {what}")]) from None


def _flat(node: exp.Expr, kind: type[exp.Expr]) -> Iterator[exp.Expr]:
    """Yield what a chain of the same operator joins, without a call for each link."""
    left: list[exp.Expr] = []
    while isinstance(node, kind):
        left.append(node.expression)
        node = node.this
    yield node
    yield from reversed(left)


def _joined(kind: Callable[[tuple[Rule, ...]], Rule], conditions: list[Rule]) -> Rule:
    return kind(tuple(conditions))


def _at(token: Token) -> str:
    return f"at character {token.start + 1}"


def _where(fault: SqlglotError) -> str:
    """Return the place of a fault, as far as sqlglot tells it."""
    for told in getattr(fault, "errors", ()):
        if told.get("highlight"):
            return f"at {shortened(str(told['highlight']))!r}, in line {told['line']}"
    return "that can be read"
