"""A study of customers of whom the model uses little."""

from dataclasses import replace

import numpy as np
import pytest

from customer_segmentation.domain.attributes import Attribute, Id, IdType, Kind
from customer_segmentation.domain.errors import TrainingRefusedError
from customer_segmentation.domain.schema import Schema
from customer_segmentation.engines.local import LocalEngine
from customer_segmentation.model.artifact import Parameters
from customer_segmentation.model.quality.gates import Gates
from customer_segmentation.model.quality.study import Weighting

PAIR = tuple(Attribute(name, name, name, "", 1, Kind.AMOUNT) for name in ("age", "spent"))
VALUES = np.random.default_rng(1).normal(size=(200, 2))


def engine_of(*attributes: Attribute) -> LocalEngine:
    return LocalEngine(Schema(Id("id", "id", "id", "", 1, IdType.INTEGER), attributes))


def test_customers_of_whom_the_model_uses_nothing_are_refused() -> None:
    engine = engine_of(*(replace(attribute, used=False) for attribute in PAIR))

    with pytest.raises(TrainingRefusedError, match="differ from one another"):
        engine.choose_segments(VALUES, Parameters(), Gates())
    with pytest.raises(TrainingRefusedError, match="differ from one another"):
        engine.study(VALUES, Parameters(), Gates(), [2])


def test_customers_who_differ_only_in_what_is_not_used_make_no_more_segments() -> None:
    used = np.repeat([0.0, 1.0, 5.0], 100)
    values = np.column_stack([used, np.random.default_rng(1).normal(size=300)])

    k, _ = engine_of(PAIR[0], replace(PAIR[1], used=False)).choose_segments(
        values, Parameters(), Gates()
    )

    assert k in {2, 3}


def test_where_every_attribute_is_protected_none_is_tried_without_them() -> None:
    engine = engine_of(*(replace(attribute, protected=True) for attribute in PAIR))

    study = engine.study(VALUES, Parameters(), Gates(), [2, 3])

    assert {trial.weighting for trial in study.trials} == {*Weighting} - {Weighting.UNPROTECTED}
