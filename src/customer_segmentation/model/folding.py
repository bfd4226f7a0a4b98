"""The transformed columns that a model uses, with all that assigning somebody must know of each."""

from collections.abc import Sequence
from dataclasses import dataclass

from customer_segmentation.domain.attributes import Kind
from customer_segmentation.model.prepare import Preparation

_LARGEST_LOGARITHM = 710.0
"""The logarithm of the largest float."""


@dataclass(frozen=True, slots=True)
class FoldedColumn:
    """A transformed column that a model uses.

    Attributes:
        name: of the attribute that it is of.
        position: of the attribute.
        label: of the column: the name, and which category it tells.
        is_logarithmic: whether it is the logarithm.
        unscored: the value that counts as typical.
        choice: the category that it tells; None of a column that tells a number.
        choices: all categories of the attribute.
        center: what is typical.
        largest: how large it can become.
    """

    name: str
    position: int
    label: str
    is_logarithmic: bool
    unscored: int | None
    choice: int | None
    choices: tuple[int, ...]
    center: float
    largest: float


def fold_columns(preparation: Preparation) -> list[FoldedColumn]:
    """Return the columns that a model uses, in their order."""
    found = []
    places = zip(preparation.attributes, preparation.columns, strict=True)
    for position, (attribute, place) in enumerate(places):
        is_nominal = attribute.kind is Kind.NOMINAL
        choices = attribute.choices if is_nominal else (None,)
        for choice, at in zip(choices, range(place.start, place.stop), strict=True):
            if preparation.scale[at] == 0.0:
                continue
            largest = _LARGEST_LOGARITHM if attribute.is_logarithmic else attribute.plain_range[1]
            found.append(
                FoldedColumn(
                    name=attribute.name,
                    position=position,
                    label=attribute.name if choice is None else f"{attribute.name}={choice}",
                    is_logarithmic=attribute.is_logarithmic,
                    unscored=None if is_nominal else attribute.unscored,
                    choice=choice,
                    choices=attribute.choices if is_nominal else (),
                    center=float(preparation.center[at]),
                    largest=1.0 if is_nominal else largest,
                )
            )
    return found


def group_nominal(columns: Sequence[FoldedColumn]) -> dict[str, list[int]]:
    """Return the places of the columns of each nominal attribute, by its name."""
    places: dict[str, list[int]] = {}
    for at, column in enumerate(columns):
        if column.choice is not None:
            places.setdefault(column.name, []).append(at)
    return places


def indicators_of(
    columns: Sequence[FoldedColumn], places: Sequence[int]
) -> dict[float, list[float]]:
    """Return what some columns, of one nominal attribute, are for each of its categories."""
    held = [columns[at].choice for at in places]
    choices = columns[places[0]].choices
    return {float(choice): [float(choice == other) for other in held] for choice in choices}
