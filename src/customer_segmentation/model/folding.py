"""The transformed columns that a model uses, with all that assigning somebody must know of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from customer_segmentation.domain.arrays import FloatArray
from customer_segmentation.domain.attributes import Attribute, Kind
from customer_segmentation.model.prepare import Preparation

_LARGEST_LOGARITHM = 710.0
"""The logarithm of the largest float."""


@dataclass(frozen=True, slots=True)
class FoldedColumn:
    """A transformed column that a model uses.

    Attributes:
        name: of the attribute that it is of.
        position: of the attribute.
        is_logarithmic: whether it is the logarithm.
        divisor: what values are divided by before it.
        unscored: the value that counts as typical.
        choice: the category that it tells; None of a column that tells a number.
        choices: all categories of the attribute.
        center: what is typical.
        largest: how large it can become.
    """

    name: str
    position: int
    is_logarithmic: bool
    divisor: float
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
                    is_logarithmic=attribute.is_logarithmic,
                    divisor=attribute.divisor,
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


@dataclass(frozen=True, slots=True)
class Term:
    """What an attribute adds to the discriminant of each of k segments.

    That is `slopes` times the transformed number, `choices` by category, `lacking` where the value
    is missing, and `typical` where nothing at all is known of somebody.

    Attributes:
        attribute: the attribute.
        position: its place among the attributes of a customer.
        center: what stands for "not scored yet", transformed.
        slopes: (k,), of an attribute that is not nominal.
        choices: (k,) by category, of a nominal one.
        lacking: (k,).
        typical: (k,).
    """

    attribute: Attribute
    position: int
    center: float
    slopes: tuple[float, ...]
    choices: Mapping[int, tuple[float, ...]]
    lacking: tuple[float, ...]
    typical: tuple[float, ...]


def terms_of(
    preparation: Preparation,
    columns: Sequence[FoldedColumn],
    slopes: FloatArray,
    squares: FloatArray,
) -> list[Term]:
    """Return the terms of a model, in the order of its attributes.

    Args:
        preparation: of the model.
        columns: that it uses.
        slopes: (k, c), what a unit of each column adds to the discriminants.
        squares: (k, c), what somebody typical in each adds to the squared distances.
    """
    found = []
    for position, places in groupby(range(len(columns)), lambda at: columns[at].position):
        found.append(_term_of(preparation, columns, slopes, squares, position, list(places)))
    return found


def _term_of(
    preparation: Preparation,
    columns: Sequence[FoldedColumn],
    slopes: FloatArray,
    squares: FloatArray,
    position: int,
    places: list[int],
) -> Term:
    own = [columns[at] for at in places]
    is_nominal = own[0].choice is not None
    typical = slopes[:, places] @ np.array([column.center for column in own])
    lines = {column.choice: slopes[:, at] for at, column in zip(places, own, strict=True)}
    nothing = np.zeros(len(slopes))
    return Term(
        attribute=preparation.attributes[position],
        position=position,
        center=own[0].center,
        slopes=() if is_nominal else _numbers(slopes[:, places[0]]),
        choices={choice: _numbers(lines.get(choice, nothing)) for choice in own[0].choices},
        lacking=_numbers(typical - squares[:, places].sum(axis=1)),
        typical=_numbers(typical),
    )


def _numbers(values: FloatArray) -> tuple[float, ...]:
    return tuple(values.tolist())
