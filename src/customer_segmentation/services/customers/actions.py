"""The next best action for customers: by what people wrote, who may be addressed, what worked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from customer_segmentation.domain.attributes import CustomerId
from customer_segmentation.domain.campaigns import Result
from customer_segmentation.domain.customer import Attributes
from customer_segmentation.domain.segments import ANY_CHANNEL, Segment, Strategy, as_read
from customer_segmentation.services.customers.consents import ClosedChannels
from customer_segmentation.services.runtime.settings import Settings
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork
from customer_segmentation.store.queries import campaigns


@dataclass(frozen=True, slots=True)
class Action:
    """What to do about a customer, and why that.

    Attributes:
        strategy: what, and on which channel.
        reason: why, for people.
    """

    strategy: Strategy
    reason: str


@dataclass(frozen=True, slots=True)
class Addressee:
    """Whom to choose for.

    Attributes:
        customer_id: None for somebody who is not stored.
        segment: the segment.
        attributes: by request name.
    """

    customer_id: CustomerId | None
    segment: Segment
    attributes: Attributes


class NextBestActions:
    """Chooses the next best action of customers."""

    def __init__(self, units: UnitsOfWork, settings: Settings) -> None:
        """Ask nothing yet."""
        self._units = units
        self._reach = units.schema.reach
        self._closed = ClosedChannels(units, settings)
        self._prefers_measured = settings.prefer_measured

    def choose(self, people: Sequence[Addressee]) -> list[Action | None]:
        """Return the action of each, None where nobody wrote a strategy that may be used."""
        ids = [one.customer_id for one in people if one.customer_id is not None]
        closed = self._closed.of(ids)
        winners = self._winners({one.segment.number: one.segment for one in people})
        return [self._choose(one, closed, winners) for one in people]

    def _choose(
        self,
        one: Addressee,
        closed: Mapping[CustomerId, frozenset[str]],
        winners: Mapping[int, Mapping[Strategy, str]],
    ) -> Action | None:
        shut = frozenset[str]() if one.customer_id is None else closed.get(one.customer_id, ())
        best = winners.get(one.segment.number, {})
        strategy = one.segment.next_best_action(
            one.attributes, self._reach, frozenset(shut), tuple(best)
        )
        if strategy is None:
            return None
        if strategy in best:
            return Action(strategy, f"It worked: {best[strategy]}")
        if strategy.channel == ANY_CHANNEL:
            return Action(strategy, "It comes first of those for any channel")
        attribute = self._reach.get(strategy.channel)
        was_reached = attribute is not None and one.attributes[attribute] == 1
        reason = (
            f"The customer was reached by {strategy.channel} before"
            if was_reached
            else "It comes first, as no channel reached the customer before"
        )
        return Action(strategy, reason)

    def _winners(self, segments: Mapping[int, Segment]) -> dict[int, dict[Strategy, str]]:
        """Return, by segment, strategies that worked, the best first, and what they brought."""
        if not self._prefers_measured:
            return {}
        with self._units.database.read(brief=True) as connection:
            results = campaigns.read_results(connection)
        return {
            number: best
            for number, segment in segments.items()
            if (best := _ranked(segment, [one for one in results if one.segment == number]))
        }


def _ranked(segment: Segment, results: Sequence[Result]) -> dict[Strategy, str]:
    """Return a segment's strategies that clearly brought more, those first that brought most."""
    ranked = sorted(
        (one for one in results if one.is_clear and one.lift > 0),
        key=lambda one: (one.net_per_customer is None, -(one.net_per_customer or 0), -one.ended),
    )
    best: dict[Strategy, str] = {}
    for one in ranked:
        for strategy in segment.strategies:
            is_same = as_read(strategy.text) in {as_read(one.strategy), as_read(one.arm)}
            if is_same and one.channel in {strategy.channel, ANY_CHANNEL}:
                best.setdefault(strategy, one.sentence)
    return best
