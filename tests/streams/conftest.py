"""Fixtures: each of the real brokers, and topics that tests make and remove."""

from collections.abc import Iterator

import pytest

from tests.support.brokers import PLACES, Place, aside, new_topic, require_broker


@pytest.fixture(
    scope="module",
    params=[
        # The cluster that is made up lets a consumer begin after seconds only.
        pytest.param(name, marks=pytest.mark.long) if name == "kafka" else name
        for name in PLACES
    ],
)
def place(request: pytest.FixtureRequest) -> Place:
    """A broker."""
    return require_broker(request.param)


@pytest.fixture
def topic(place: Place) -> Iterator[str]:
    """A topic of a test's own."""
    name = new_topic()
    place.prepare(name)
    yield name
    place.remove(name, aside(place, name))
