"""Segments in figures to plot: growth, distributions and a map."""

import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import numpy as np

from customer_segmentation.domain.arrays import FloatArray, IntArray
from customer_segmentation.model.artifact import Model
from customer_segmentation.model.assign import Assigner
from customer_segmentation.model.describing.projection import project
from customer_segmentation.model.monitoring.distribution import spreads
from tests.support.answers import problem
from tests.support.examples import NEW_CUSTOMER
from tests.support.servers import Server
from tests.support.shipped import FEATURES

Customers = tuple[IntArray, FloatArray]


def growth(server: Server, since: datetime) -> dict[int, tuple[int, int, int]]:
    """Who entered and left each segment, and the difference."""
    answer = server.client.get("/v1/segments/growth", params={"since": since.isoformat()}).json()
    return {s["segment"]: (s["entered"], s["left"], s["net"]) for s in answer["segments"]}


def test_growth_follows_who_comes_moves_and_goes(server: Server) -> None:
    client = server.client
    start = datetime.now(UTC)
    assert set(growth(server, start).values()) == {(0, 0, 0)}

    client.post("/add_customer_to_database", json=NEW_CUSTOMER)
    moved = {"loyalty_score": 10, "transaction_count": 2}
    assert client.patch("/v1/customers/20001", json=moved).json()["segment"] == 1
    client.delete("/v1/customers/7287")

    assert growth(server, start) == {0: (1, 1, 0), 1: (1, 0, 1), 2: (0, 0, 0), 3: (0, 1, -1)}
    sizes = {s["number"]: s["size"] for s in client.get("/v1/segments").json()["segments"]}
    everything = growth(server, start - timedelta(days=3650))
    assert {number: net for number, (_, _, net) in everything.items()} == sizes
    problem(client.get("/v1/segments/growth"), 422)
    problem(client.get("/v1/segments/growth?since=2026-11-01"), 422)
    problem(client.get("/v1/segments/growth?since=0.5"), 422)


def test_sizes_by_week_follow_from_who_came_and_went_since(server: Server) -> None:
    client = server.client
    present = {s["number"]: s["size"] for s in client.get("/v1/segments").json()["segments"]}

    sizes = client.get("/v1/segments/sizes?weeks=2").json()["sizes"]

    moments = [datetime.fromisoformat(one["at"]) for one in sizes]
    assert [later - at for at, later in pairwise(moments)] == [timedelta(weeks=1)] * 2
    assert {int(number): size for number, size in sizes[-1]["customers"].items()} == present
    # All have been loaded within the last minutes.
    assert {*sizes[0]["customers"].values(), *sizes[1]["customers"].values()} == {0}
    problem(client.get("/v1/segments/sizes?weeks=0"), 422)


def test_distributions_count_every_customer_once_and_codes_one_by_one(
    shipped_model: Model, shipped_customers: Customers
) -> None:
    _, values = shipped_customers
    segments = Assigner(shipped_model).assign(values)
    counted = shipped_model.distribution

    for j, spread in enumerate(spreads(shipped_model.bins, counted, counted)):
        column, feature = values[:, j], FEATURES[j]
        assert spread.counts.sum() == len(values)
        if feature.codes:
            assert spread.counts.shape[1] == len(feature.codes)
        for place in range(spread.counts.shape[1]):
            least, below = spread.ends[place], spread.ends[place + 1]
            ours = (column >= (-np.inf if least is None else least)) & (
                column < (np.inf if below is None else below)
            )
            wanted = np.bincount(segments[ours], minlength=len(shipped_model.segments))
            assert spread.counts[:, place].tolist() == wanted.tolist()


def test_distributions_are_told_by_segment_number(shared_server: Server) -> None:
    told = shared_server.client.get("/v1/segments/distributions").json()

    gender = next(a for a in told["attributes"] if a["attribute"] == "gender")
    assert [(g["least"], g["below"]) for g in gender["groups"]] == [(0, 1), (1, None)]
    sizes = shared_server.client.get("/v1/segments").json()["segments"]
    for segment in sizes:
        counts = [group["counts"][str(segment["number"])] for group in gender["groups"]]
        assert sum(counts) == segment["size"]


def test_a_projection_keeps_what_differs_most(
    shipped_model: Model, shipped_customers: Customers
) -> None:
    _, values = shipped_customers
    found = project(shipped_model, values[:2_000])

    first, second = found.axes
    assert 1.0 > first.share > second.share > 0.0
    assert np.var(found.points[:, 0]) > np.var(found.points[:, 1])
    assert abs(np.cov(found.points.T).ravel()[1]) < 1e-9
    assert not first.attributes[0].startswith("-")
    # Each segment's customers gather around its centroid.
    segments = Assigner(shipped_model).assign(values[:2_000])
    for number, centroid in zip(shipped_model.numbers.tolist(), found.centroids, strict=True):
        center = found.points[segments == number].mean(axis=0)
        assert np.linalg.norm(center - centroid) < 0.3


def test_a_map_tells_segments_and_places_and_nothing_of_who_it_is(server: Server) -> None:
    told: dict[str, Any] = server.client.get("/v1/segments/map?size=500").json()

    assert len(told["points"]) == 500
    assert all(set(point) == {"segment", "x", "y"} for point in told["points"])
    assert {point["segment"] for point in told["points"]} == {0, 1, 2, 3}
    assert [centroid["segment"] for centroid in told["centroids"]] == [0, 1, 2, 3]
    assert server.client.get("/v1/segments/map?size=500").json() == told
    problem(server.client.get("/v1/segments/map?size=100000"), 422)


def test_a_map_is_of_customers_whatever_the_gaps_between_their_ids(server: Server) -> None:
    someone = {name: value for name, value in NEW_CUSTOMER.items() if name != "customer_id"}
    adds = [
        {"action": "add", "customer": {"customer_id": 30_000 + place * 10**9, **someone}}
        for place in range(1_000)
    ]
    server.client.post("/v1/customers:batch", json={"operations": adds})

    points = server.client.get("/v1/segments/map?size=4000").json()["points"]

    assert len(points) == 4000
    alike = Counter((point["x"], point["y"]) for point in points).most_common(1)[0][1]
    # One customer in twenty-one is like the ones added.
    assert 100 < alike < 300


def test_the_map_follows_a_model_that_is_activated(server: Server) -> None:
    client = server.client
    job = client.post("/v1/models", json={"k": 3}).json()
    while (job := client.get(f"/v1/jobs/{job['id']}").json())["state"] == "running":
        time.sleep(0.1)
    client.post(f"/v1/models/{job['model_version']}:activate")

    told = client.get("/v1/segments/map?size=500").json()

    assert told["model_version"] == job["model_version"]
    assert len(told["centroids"]) == 3
    assert {p["segment"] for p in told["points"]} == {c["segment"] for c in told["centroids"]}
