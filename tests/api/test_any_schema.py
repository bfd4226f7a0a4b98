"""What the API tells of customers of another schema: texts, and values that are not known."""

import io
import json
from typing import Any

import pytest
from pyarrow import parquet

from customer_segmentation.domain.attributes import Attribute
from tests.support.servers import Server, until
from tests.support.subscribers import subscribers_schema

SCHEMA = subscribers_schema()
MISSING = [attribute for attribute in SCHEMA.attributes if attribute.missing == "allowed"]


@pytest.fixture(scope="module")
def everybody(company: Server) -> list[dict[str, Any]]:
    """All subscribers, by rising ids."""
    return listed(company)


def listed(company: Server, **query: str | bool | list[str]) -> list[dict[str, Any]]:
    """Return all pages of a listing."""
    found: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        asked = {**query, "limit": "70"} | ({} if cursor is None else {"cursor": cursor})
        answer = company.client.get("/v1/customers", params=asked)
        answer.raise_for_status()
        found += answer.json()["customers"]
        cursor = answer.json()["next_cursor"]
        if cursor is None:
            return found


def ids(found: list[dict[str, Any]]) -> list[str]:
    return [one["subscriber"] for one in found]


def test_profiles_tell_shares_of_categories_and_of_what_is_missing(company: Server) -> None:
    for segment in company.client.get("/v1/segments").json()["segments"]:
        found = {one["attribute"]: one for one in segment["profile"]}
        region = found["region"]
        assert list(region["shares"]) == ["North", "South", "East & West", "other"]
        assert sum(region["shares"].values()) == pytest.approx(1.0)
        assert (region["mean"], region["deviations"]) == (None, None)
        assert 0.0 < region["missing"] < 0.3
        assert found["tenure"]["missing"] == 0.0


def test_distributions_tell_each_category_and_who_lacks_an_attribute(
    company: Server, everybody: list[dict[str, Any]]
) -> None:
    for found in company.client.get("/v1/segments/distributions").json()["attributes"]:
        name = found["attribute"]
        lacking = sum(one[name] is None for one in everybody)
        assert sum(found["missing"].values()) == lacking
        groups = {group["category"]: sum(group["counts"].values()) for group in found["groups"]}
        if SCHEMA.by_name[name].categories:
            assert groups == {
                label: sum(one[name] == label for one in everybody)
                for label in SCHEMA.by_name[name].labels.values()
            }
        else:
            assert list(groups) == [None]


def test_disparity_is_told_by_every_protected_attribute(
    company: Server, everybody: list[dict[str, Any]]
) -> None:
    told = company.client.get("/v1/segments/disparity").json()

    sizes = {
        name: {group["group"]: group["size"] for group in groups}
        for name, groups in told["groups"].items()
    }
    assert list(sizes) == ["region", "age"]
    assert list(sizes["region"]) == ["North", "South", "East & West", "other", "not known"]
    assert list(sizes["age"]) == ["18-39", "40-64", "65-99", "not known"]
    assert {sum(groups.values()) for groups in sizes.values()} == {300}
    assert sizes["age"]["not known"] == sum(one["age"] is None for one in everybody)
    record = company.client.get("/v1/models/1/record").json()
    assert list(record["fairness"]["groups"]) == ["region", "age"]
    text = company.client.get("/v1/models/1/record?format=markdown").text
    assert "By region:" in text
    assert "loyalty" not in text


def test_an_explanation_tells_categories_and_null_for_what_is_not_known(
    company: Server, everybody: list[dict[str, Any]]
) -> None:
    lacking = next(one for one in everybody if one["paperless"] is None)
    path = f"/v1/customers/{lacking['subscriber']}/explanation"

    why = company.client.get(path).json()["explanation"]

    told = {one["attribute"]: one for one in why["contributions"]}
    assert (told["paperless"]["value"], told["paperless"]["pull"]) == (None, 0.0)
    assert told["contract"]["value"] == lacking["contract"]
    assert told["contract"]["typical"] in SCHEMA.by_name["contract"].categories


@pytest.mark.parametrize("attribute", MISSING, ids=lambda one: one.name)
def test_a_listing_selects_who_has_and_who_lacks_an_attribute(
    company: Server, everybody: list[dict[str, Any]], attribute: Attribute
) -> None:
    name = attribute.name
    lacking = [one for one in everybody if one[name] is None]

    assert lacking
    assert listed(company, **{f"{name}_missing": True}) == lacking
    has = listed(company, **{f"{name}_missing": False})
    assert ids(has) == [one["subscriber"] for one in everybody if one[name] is not None]


def test_a_listing_selects_by_categories(company: Server, everybody: list[dict[str, Any]]) -> None:
    found = listed(company, region_is=["South", "East & West"], paperless_is="Yes")

    assert ids(found) == [
        one["subscriber"]
        for one in everybody
        if one["region"] in {"South", "East & West"} and one["paperless"] == "Yes"
    ]
    refused = company.client.get("/v1/customers", params={"region_is": "Atlantis"})
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["field"] == "region_is"


@pytest.mark.parametrize("sign", ["", "-"])
@pytest.mark.parametrize("attribute", SCHEMA.attributes, ids=lambda one: one.name)
def test_a_listing_is_sorted_with_those_who_lack_the_attribute_last(
    company: Server, everybody: list[dict[str, Any]], attribute: Attribute, sign: str
) -> None:
    order = {label: code for code, label in attribute.labels.items()}

    def place(one: dict[str, Any]) -> tuple[bool, float]:
        value = one[attribute.name]
        number = 0.0 if value is None else order.get(value, value)
        return value is None, -number if sign else number

    found = listed(company, sort=f"{sign}{attribute.name}")

    assert ids(found) == ids(sorted(everybody, key=place))


def test_an_export_selects_as_a_listing_does(
    company: Server, everybody: list[dict[str, Any]]
) -> None:
    asked = {"format": "ndjson", "is": {"region": ["South"]}, "missing": {"age": True}}

    begun = company.client.post("/v1/exports", json=asked)

    begun.raise_for_status()
    until(lambda: company.client.get(f"/v1/exports/{begun.json()['id']}").json()["has_file"])
    lines = company.client.get(f"/v1/exports/{begun.json()['id']}/file").text.splitlines()
    expected = [one for one in everybody if one["region"] == "South" and one["age"] is None]
    assert [json.loads(line)["Subscriber"] for line in lines] == ids(expected)
    refused = company.client.post("/v1/exports", json={"is": {"tenure": ["x"]}})
    assert refused.status_code == 422


def test_segments_without_a_strategy_are_exported_to_parquet(
    company: Server, everybody: list[dict[str, Any]]
) -> None:
    begun = company.client.post("/v1/exports", json={"format": "parquet"}).json()

    until(lambda: "finished_at" in (job := export_of(company, begun)) and job["finished_at"])
    assert export_of(company, begun)["state"] == "succeeded"
    file = company.client.get(f"/v1/exports/{begun['id']}/file").content
    rows = parquet.read_table(io.BytesIO(file)).to_pylist()
    assert [row["Subscriber"] for row in rows] == ids(everybody)
    assert {row["strategy"] for row in rows} == {None}


def export_of(company: Server, export: dict[str, Any]) -> dict[str, Any]:
    """Return how far an export is."""
    found: dict[str, Any] = company.client.get(f"/v1/exports/{export['id']}").json()
    return found
