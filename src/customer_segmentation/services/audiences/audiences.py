"""The use cases of audiences: save one, change it, count it, tell what its customers are like."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from customer_segmentation.domain.attributes import Attribute
from customer_segmentation.domain.errors import (
    AudienceExistsError,
    AudienceNotFoundError,
    FieldError,
    InvalidInputError,
    StaleAudienceError,
)
from customer_segmentation.domain.history import Cause
from customer_segmentation.domain.names import find_id
from customer_segmentation.domain.numbers import LARGEST_INTEGER
from customer_segmentation.domain.segments import as_read
from customer_segmentation.domain.transactions import day_of
from customer_segmentation.services.audiences.membership import (
    Condition,
    as_asked,
    find_matching,
    fitting_rule,
    note_members,
    place_of,
    read,
    require_audience,
)
from customer_segmentation.services.runtime.audit import note
from customer_segmentation.services.runtime.clock import now
from customer_segmentation.services.runtime.unit_of_work import UnitOfWork, UnitsOfWork, retried
from customer_segmentation.store.queries import audiences
from customer_segmentation.store.queries.audiences import StoredAudience
from customer_segmentation.store.queries.customers import is_member

AUDIENCE = "audience"
_EVERYBODY = (0, LARGEST_INTEGER)


@dataclass(frozen=True, slots=True)
class Audience:
    """A saved audience.

    Attributes:
        id: its number, never given again.
        name: what people call it; no other audience has it.
        description: what people say of it.
        owner: whose it is.
        rule: by which customers are in it, or were when it was frozen.
        is_frozen: whether it is a list of a moment, which only erasures change.
        created_at: when it was saved.
        created_by: by whom, as far as known.
        size: how many customers are in it.
        fault: why the rule does not fit the schema any more; empty where it does. Until it is
            mended nobody comes into the audience or leaves it.
    """

    id: int
    name: str
    description: str
    owner: str
    rule: str
    is_frozen: bool
    created_at: datetime
    created_by: str
    size: int
    fault: str

    @property
    def tag(self) -> str:
        """What changes whenever people change it: an entity tag, without quotes."""
        content = [self.id, self.name, self.description, self.owner, self.rule]
        return sha256(repr(content).encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class NewAudience:
    """An audience to save; see `Audience`."""

    name: str
    rule: str
    description: str = ""
    owner: str = ""
    is_frozen: bool = False


@dataclass(frozen=True, slots=True)
class Count:
    """How many customers meet a rule.

    Attributes:
        customers: how many do.
        of: how many customers there are.
        segments: how many of those who do are in each segment, by its number.
    """

    customers: int
    of: int
    segments: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class AttributeFigures:
    """What an attribute is like among an audience's customers, beside all customers.

    Attributes:
        attribute: which.
        mean: of those who have it; None where nobody has, and of categories.
        mean_of_all: likewise of all customers.
        shares: by label, the share of those who have the attribute who have this value; of an
            attribute with codes or categories only.
        shares_of_all: likewise of all customers.
        known: how many have it.
    """

    attribute: Attribute
    mean: float | None
    mean_of_all: float | None
    shares: Mapping[str, float]
    shares_of_all: Mapping[str, float]
    known: int


@dataclass(frozen=True, slots=True)
class Profile:
    """What an audience's customers are like now.

    Attributes:
        count: how many they are.
        attributes: in the schema's order.
    """

    count: Count
    attributes: list[AttributeFigures]


def create_audience(units: UnitsOfWork, asked: NewAudience, by: str) -> Audience:
    """Save an audience, and put into it who meets its rule.

    Raises:
        InvalidInputError: the name is blank, or the rule is none.
        AudienceExistsError: the name is taken.
        NotReadyError: there is no model yet.
    """
    rule = read(asked.rule, units.schema)
    _check_name(asked.name)

    @retried
    def create() -> Audience:
        with units.write(exclusive=True) as work:
            _check_free(work, asked.name, None)
            moment = now()
            values = {
                "name": asked.name,
                "description": asked.description,
                "owner": asked.owner,
                "rule": asked.rule,
                "is_frozen": asked.is_frozen,
                "created_at": moment,
                "created_by": by,
                "checked": place_of(work.active),
            }
            audience_id = audiences.add(work.connection, values)
            if audience_id is None:
                raise AudienceExistsError(asked.name)
            _fill(work, audience_id, as_asked(work.customers, rule))
            if not asked.is_frozen:
                audiences.raise_edition(work.connection)
            note(work.connection, AUDIENCE, asked.name, "created", by)
            size = audiences.count_members(work.connection).get(audience_id, 0)
            audiences.note_sizes(work.connection, day_of(moment), {audience_id: size})
            return _find(work, audience_id)

    return create()


def change_audience(
    units: UnitsOfWork,
    audience_id: int,
    changes: Mapping[str, str],
    by: str,
    tags: frozenset[str] | None = None,
) -> Audience:
    """Change an audience's name, description, owner or rule.

    With another rule, whoever comes or goes by it is told in the feed.

    Args:
        units: over the database.
        audience_id: of the audience.
        changes: by field, what it is to be.
        by: who changes it.
        tags: the audience's tag must be one of them.

    Raises:
        AudienceNotFoundError: there is no such audience.
        StaleAudienceError: tags are given, and its tag is another.
        InvalidInputError: a name is blank, a rule is none, or that of a frozen audience is changed.
        AudienceExistsError: the name is taken.
    """
    rule = read(changes["rule"], units.schema) if "rule" in changes else None
    if "name" in changes:
        _check_name(changes["name"])

    @retried
    def change() -> Audience:
        with units.write(exclusive=True) as work:
            found = _find(work, audience_id)
            if tags is not None and found.tag not in tags:
                raise StaleAudienceError(found.name)
            if rule is not None and found.is_frozen and changes["rule"] != found.rule:
                message = "rule must stay as it is, as the audience is frozen; save another one"
                raise InvalidInputError([FieldError("rule", message)])
            if "name" in changes:
                _check_free(work, changes["name"], audience_id)
            if changes and not audiences.change(work.connection, audience_id, changes):
                raise AudienceExistsError(changes["name"])
            if rule is not None and changes["rule"] != found.rule:
                asked = as_asked(work.customers, rule)
                note_members(work, audience_id, asked, _EVERYBODY, Cause.RULE)
                audiences.raise_edition(work.connection)
            note(work.connection, AUDIENCE, found.name, "changed", by)
            return _find(work, audience_id)

    return change()


def delete_audience(units: UnitsOfWork, audience_id: int, by: str) -> None:
    """Delete an audience; its events stay in the feed.

    Raises:
        AudienceNotFoundError: there is no such audience.
    """

    @retried
    def delete() -> None:
        with units.write(exclusive=True) as work:
            found = _find(work, audience_id)
            audiences.remove(work.connection, audience_id)
            audiences.raise_edition(work.connection)
            note(work.connection, AUDIENCE, found.name, "deleted", by)

    delete()


def list_audiences(units: UnitsOfWork) -> list[Audience]:
    """Return all audiences, the oldest first."""
    with units.read() as work:
        sizes = audiences.count_members(work.connection)
        found = audiences.read_all(work.connection)
        return [_audience(work, one, sizes.get(one.id, 0)) for one in found]


def get_audience(units: UnitsOfWork, audience_id: int) -> Audience:
    """Return an audience.

    Raises:
        AudienceNotFoundError: there is no such audience.
    """
    with units.read() as work:
        return _find(work, audience_id)


def find_audience_id(units: UnitsOfWork, name: str) -> int:
    """Return the id of the audience of a name, or where none has it, of an id as a text.

    Raises:
        AudienceNotFoundError: there is none.
    """
    with units.read() as work:
        names = {one.id: one.name for one in audiences.read_all(work.connection)}
    found = find_id(names, name)
    if found is None:
        raise AudienceNotFoundError(name)
    return found


def count_matching(units: UnitsOfWork, text: str) -> Count:
    """Return how many customers meet a rule now, without saving it.

    Raises:
        InvalidInputError: it is no rule of these customers.
        NotReadyError: there is no model yet.
    """
    rule = read(text, units.schema)
    with units.read() as work:
        asked = as_asked(work.customers, rule)
        of = work.customers.count(work.connection)
        if not asked.computed:
            segments = audiences.count_by_segment(work.connection, work.customers, asked.stored)
        else:
            _, where = find_matching(work, asked, _EVERYBODY)
            numbers = work.serving.segments
            segments = {one: found for one in numbers if (found := int((where == one).sum()))}
    return Count(sum(segments.values()), of, dict(sorted(segments.items())))


def profile_audience(units: UnitsOfWork, audience_id: int) -> Profile:
    """Return what an audience's customers are like now, beside all customers.

    Raises:
        AudienceNotFoundError: there is no such audience.
    """
    with units.read() as work:
        _find(work, audience_id)
        connection, customers = work.connection, work.customers
        held = is_member(customers, audience_id)
        size, *figures = audiences.measure(connection, customers, held)
        of, *of_all = audiences.measure(connection, customers, audiences.everybody())
        segments = audiences.count_by_segment(connection, customers, held)
        told = []
        for place, attribute in enumerate(customers.schema.attributes):
            mean, known = figures[2 * place : 2 * place + 2]
            mean_of_all, _ = of_all[2 * place : 2 * place + 2]
            labels = attribute.labels if attribute.categories else attribute.codes
            shares, shares_of_all = {}, {}
            if labels:
                counts = audiences.count_values(connection, customers, attribute.name, held)
                shares = _shares(labels, counts)
                everyone = audiences.everybody()
                counts = audiences.count_values(connection, customers, attribute.name, everyone)
                shares_of_all = _shares(labels, counts)
            is_number = not attribute.categories
            told.append(
                AttributeFigures(
                    attribute,
                    float(mean) if is_number and mean is not None else None,
                    float(mean_of_all) if is_number and mean_of_all is not None else None,
                    shares,
                    shares_of_all,
                    known,
                )
            )
    return Profile(Count(size, of, dict(sorted(segments.items()))), told)


def _shares(labels: Mapping[int, str], counts: Mapping[int, int]) -> dict[str, float]:
    total = sum(counts.values())
    if total == 0:
        return {}
    return {label: counts.get(number, 0) / total for number, label in labels.items()}


def count_overlaps(units: UnitsOfWork, audience_id: int) -> list[tuple[Audience, int]]:
    """Return the other audiences, and how many of an audience's customers each has too.

    Raises:
        AudienceNotFoundError: there is no such audience.
    """
    with units.read() as work:
        _find(work, audience_id)
        shared = audiences.count_shared(work.connection, audience_id)
        sizes = audiences.count_members(work.connection)
        return [
            (_audience(work, one, sizes.get(one.id, 0)), shared.get(one.id, 0))
            for one in audiences.read_all(work.connection)
            if one.id != audience_id
        ]


def list_sizes(units: UnitsOfWork, audience_id: int) -> list[tuple[int, int]]:
    """Return the days, since 1970, and how many customers an audience had, the oldest first.

    Raises:
        AudienceNotFoundError: there is no such audience.
    """
    with units.read() as work:
        found = _find(work, audience_id)
        before = audiences.read_sizes(work.connection, audience_id)
    today = day_of(now())
    return [*((day, size) for day, size in before if day != today), (today, found.size)]


def _fill(work: UnitOfWork, audience_id: int, asked: Condition) -> None:
    if asked.computed:
        numbers, _ = find_matching(work, asked, _EVERYBODY)
        audiences.enter(work.connection, audience_id, numbers)
    else:
        audiences.fill(work.connection, work.customers, audience_id, asked.stored)


def _find(work: UnitOfWork, audience_id: int) -> Audience:
    found = require_audience(work.connection, audience_id)
    return _audience(work, found, audiences.count_members_of(work.connection, audience_id))


def _audience(work: UnitOfWork, stored: StoredAudience, size: int) -> Audience:
    fault = ""
    if not stored.is_frozen and fitting_rule(work.customers, stored) is None:
        fault = "the rule does not fit the schema any more"
    return Audience(
        stored.id,
        stored.name,
        stored.description,
        stored.owner,
        stored.rule,
        stored.is_frozen,
        stored.created_at,
        stored.created_by,
        size,
        fault,
    )


def _check_name(name: str) -> None:
    if not name.strip():
        raise InvalidInputError([FieldError("name", "name must be a text, not a blank one")])


def _check_free(work: UnitOfWork, name: str, audience_id: int | None) -> None:
    """See that no other audience has a name that people would take for this one."""
    for one in audiences.read_all(work.connection):
        if one.id != audience_id and as_read(one.name) == as_read(name):
            raise AudienceExistsError(one.name)
