"""Explanations: they add up, and the changes they name are the smallest that do."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from customer_segmentation.domain.arrays import FloatArray, IntArray
from customer_segmentation.domain.attributes import Attribute, Kind
from customer_segmentation.domain.customer import Attributes
from customer_segmentation.model.artifact import Model
from customer_segmentation.model.assign import Assigner
from customer_segmentation.model.describing.explain import explain, smallest_change, typical_values
from tests.support.answers import problem
from tests.support.examples import SOMEONE as ATTRIBUTES
from tests.support.servers import Server
from tests.support.shipped import FEATURE_BY_NAME, FEATURE_NAMES, FEATURES


def values_of(feature: Attribute) -> st.SearchStrategy[int | float]:
    if feature.kind is Kind.AMOUNT:
        least = -1e6 if feature.minimum is None else 0.0
        return st.floats(least, 1e6, allow_nan=False).map(lambda value: round(value, 2))
    return st.integers(0, 300 if feature.maximum is None else feature.maximum)


people = st.fixed_dictionaries({feature.name: values_of(feature) for feature in FEATURES})


@given(attributes=people)
@settings(max_examples=200)
def test_contributions_add_up_to_the_difference_of_squared_distances(
    shipped_model: Model, attributes: Attributes
) -> None:
    found = explain(shipped_model, Assigner(shipped_model), attributes)

    nearest, second = sorted(found.distances.values())[:2]
    assert found.distances[found.segment] == pytest.approx(nearest)
    assert found.distances[found.other] == pytest.approx(second)
    total = sum(contribution.pull for contribution in found.contributions)
    assert total == pytest.approx(second**2 - nearest**2, rel=1e-9, abs=1e-9)
    assert found.confidence == pytest.approx(1 - nearest / second, abs=1e-9)
    assert 0 <= found.confidence <= 1


@given(attributes=people)
@settings(max_examples=100)
def test_a_change_leads_to_its_segment_and_a_smaller_one_does_not(
    shipped_model: Model, attributes: Attributes
) -> None:
    assigner = Assigner(shipped_model)

    for change in explain(shipped_model, assigner, attributes).changes:
        feature = FEATURE_BY_NAME[change.attribute]
        assert feature.changeable
        observed = shipped_model.fingerprint.attributes[feature.name]
        assert observed.minimum <= change.needed <= observed.maximum
        assert feature.accept(change.needed) == change.needed
        assert assigner.assign_one({**attributes, change.attribute: change.needed}) == (
            change.segment
        )
        # An amount is exact to the cent, or to a billionth where cents are less than that.
        step = 1 if feature.is_integer else max(0.01, 1e-9 * abs(change.needed))
        if change.value == feature.unscored:
            # Who has no score stands at the middle of all: what is nearer to that is not to 0.
            continue
        back = step if change.needed < change.value else -step
        nearer = change.needed + back
        if nearer not in (change.value, feature.unscored) and abs(nearer - change.value) < abs(
            change.needed - change.value
        ):
            kept = {**attributes, change.attribute: nearer}
            assert assigner.assign_one(kept) != change.segment


def test_a_change_is_the_easiest_of_all_attributes(
    shipped_model: Model, shipped_customers: tuple[IntArray, FloatArray]
) -> None:
    """Held against a search through every value of the loyalty score."""
    assigner = Assigner(shipped_model)
    _, values = shipped_customers
    for row in values[:50].tolist():
        attributes = dict(zip(FEATURE_NAMES, row, strict=True))
        attributes["loyalty_score"] = max(int(attributes["loyalty_score"]), 1)
        here = assigner.assign_one(attributes)
        for target in set(shipped_model.numbers.tolist()) - {here}:
            reaching = [
                abs(score - attributes["loyalty_score"])
                for score in range(1, 1001)
                if assigner.assign_one({**attributes, "loyalty_score": score}) == target
            ]
            change = smallest_change(shipped_model, assigner, attributes, target)
            if reaching:
                assert change is not None
                position = FEATURE_NAMES.index("loyalty_score")
                scale = shipped_model.preparation.scale[position]
                assert change.effort <= min(reaching) * scale * (1 + 1e-9)


def test_typical_values_are_in_users_units(
    shipped_model: Model, shipped_customers: tuple[IntArray, FloatArray]
) -> None:
    _, values = shipped_customers
    segments = Assigner(shipped_model).assign(values)
    typical = typical_values(shipped_model)

    age = FEATURE_NAMES.index("age")
    for row, number in enumerate(shipped_model.numbers.tolist()):
        assert typical[row, age] == pytest.approx(values[segments == number, age].mean())
    assert (typical[:, FEATURE_NAMES.index("monthly_income")] > 1000).all()


def test_few_customers_of_the_training_are_outliers_and_impossible_ones_are(
    shipped_model: Model, shipped_customers: tuple[IntArray, FloatArray]
) -> None:
    _, values = shipped_customers
    assigner = Assigner(shipped_model)
    nearest = assigner.distances(values).min(axis=1)

    share = (nearest > shipped_model.outlier_distance).mean()

    assert 0.004 <= share <= 0.005
    assert shipped_model.distribution.outliers.sum() == round(share * len(values))
    far = {**ATTRIBUTES, "monthly_income": 1e12, "account_balance": -1e12}
    assert explain(shipped_model, assigner, far).is_outlier
    assert not explain(shipped_model, assigner, ATTRIBUTES).is_outlier


def test_someone_is_explained_without_being_stored(shared_server: Server) -> None:
    answer = shared_server.client.post(
        "/v1/segments:predict", params={"explain": True}, json=ATTRIBUTES
    ).json()

    assert answer["segment"]["number"] == answer["raw_segment"] == 1
    assert answer["next_best_action"] == {"text": "Build loyalty to reduce churn", "channel": "any"}
    explanation = answer["explanation"]
    assert min(explanation["distances"], key=explanation["distances"].get) == "1"
    assert {c["attribute"] for c in explanation["contributions"]} == set(FEATURE_NAMES)
    briefly = shared_server.client.post("/v1/segments:predict", json=ATTRIBUTES).json()
    assert briefly == {**answer, "explanation": None}
    fault = problem(shared_server.client.post("/v1/segments:predict", json={"age": -1}), 422)
    assert fault["errors"][0]["field"] == "age"


def test_a_stored_customer_is_explained(shared_server: Server) -> None:
    answer = shared_server.client.get("/v1/customers/56/explanation").json()

    assert answer["segment"]["name"] == "High-Value Power Users"
    income = next(
        c for c in answer["explanation"]["contributions"] if c["attribute"] == "monthly_income"
    )
    assert income["value"] == 8074
    problem(shared_server.client.get("/v1/customers/999999/explanation"), 404)
