"""An effect as a sentence that a marketer understands."""

import math
from dataclasses import dataclass

from customer_segmentation.domain.plurals import counted
from customer_segmentation.model.experiments.effects import Effect
from customer_segmentation.model.experiments.groups import Rate


@dataclass(frozen=True, slots=True)
class Words:
    """What the figures of an effect are called.

    Attributes:
        subject: what was done, such as "Cashback by e-mail".
        outcome: such as "renewals", "revenue" or "purchases".
        segment: whose customers are compared, such as "Affluent Inactives"; "" is everybody.
        unit: of an amount, such as "EUR"; "" where it is a count. Rates are told in points.
    """

    subject: str
    outcome: str
    segment: str = ""
    unit: str = ""


def describe(effect: Effect, words: Words) -> str:
    """Say what an arm brought, how sure that is, and for how many customers.

    Whether it is clear follows the effect's interval; to tell by another one, such as that of a
    confidence sequence, put it into the effect.
    """
    teller = _Teller(effect, words)
    among = f" among {words.segment}" if words.segment else ""
    if not effect.is_clear:
        low, high = teller.side(effect.interval.low), teller.side(effect.interval.high)
        return (
            f"It is not clear whether {words.subject} changed {words.outcome}{among}: "
            f"anything from {low} to {high}{teller.each} fits."
        )
    nearer, farther = sorted(map(abs, (effect.interval.low, effect.interval.high)))
    return (
        f"{words.subject} brought {teller.side(effect.lift)} {words.outcome}{teller.each} "
        f"({teller.amount(nearer)} to {teller.amount(farther)}){among}{teller.in_all()}."
    )


class _Teller:
    """Writes the figures of one effect, with as many digits as its interval gives reason for."""

    def __init__(self, effect: Effect, words: Words) -> None:
        self._effect, self._words = effect, words
        self._is_rate = isinstance(effect.arm, Rate)
        self._scale = 100.0 if self._is_rate else 1.0
        self._unit = "points" if self._is_rate else words.unit
        self.each = "" if self._is_rate else " per customer"
        self._decimals = self._enough_decimals()

    def amount(self, value: float) -> str:
        """Write how much, without a sign."""
        return f"{abs(value) * self._scale:,.{self._decimals}f}"

    def side(self, value: float) -> str:
        """Write how much more or less."""
        unit = f" {self._unit}" if self._unit else ""
        return f"{self.amount(value)}{unit} {self._direction(value)}"

    def in_all(self) -> str:
        """Write what it comes to in the arm, or nothing where that is next to nothing."""
        total = round(self._effect.lift * self._effect.arm.size)
        if total == 0:
            return ""
        direction = self._direction(total)
        if self._is_rate:
            noun = f"{direction} customer"
            return f"; {counted(abs(total), noun)}"
        unit = f" {self._unit}" if self._unit else ""
        return f"; {abs(total):,}{unit} {direction} in all"

    def _direction(self, value: float) -> str:
        if value >= 0:
            return "more"
        return "less" if self._words.unit and not self._is_rate else "fewer"

    def _enough_decimals(self) -> int:
        """Return as many as give the interval's length two digits, and no limit a false 0."""
        interval = self._effect.interval
        low, high = interval.low * self._scale, interval.high * self._scale
        length = high - low
        decimals = max(0, 1 - math.floor(math.log10(length))) if length > 0 else 1
        nearest = min(abs(low), abs(high))
        if self._effect.is_clear and nearest > 0:
            # A half of the last digit rounds to it or to nothing.
            decimals = max(decimals, math.ceil(-math.log10(nearest)))
        return decimals
