"""Publishing to the real brokers: every event, in order, also after a kill; one at a time."""

import json
import signal
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from customer_segmentation.cli.console.output import ExitCode
from customer_segmentation.services.customers.events import event_fields, read_changes
from customer_segmentation.services.runtime.unit_of_work import units_over
from tests.support.brokers import Place
from tests.support.commands import run_json
from tests.support.purchases import open_purchases
from tests.support.servers import until
from tests.support.streaming import running

Json = dict[str, Any]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A shop whose feed tells of forty customers, and of forty more who came with a sale."""
    folder = tmp_path_factory.mktemp("shop")
    url = f"sqlite:///{folder / 'shop.db'}"
    open_purchases(url, "added").close()
    sales = folder / "sales.ndjson"
    told = {"time": "2026-01-31", "amount": 1.5, "kind": "sale"}
    lines = [{"transaction_id": f"T{n}", "customer_id": 1 + n % 80, **told} for n in range(160)]
    sales.write_text("\n".join(map(json.dumps, lines)))
    assert (
        run_json("transactions", "import", str(sales), env={"DATABASE_URL": url})["stored"] == 160
    )
    return url


def feed(shop: str) -> list[Json]:
    """Return all that the feed tells."""
    units = units_over(shop)
    try:
        return [event_fields(at, change) for at, change in read_changes(units, 0, 10_000)]
    finally:
        units.close()


def publish(place: Place, topic: str, shop: str, *more: str) -> int:
    """Send what there is; return how many events were sent."""
    options = ("--topic", topic, "--name", topic, "--idle", "0.1", *more)
    told = run_json("publish", place.url, *options, env={"DATABASE_URL": shop})
    return int(told["sent"])


def test_every_event_is_sent_once_in_its_envelope_and_in_order(
    place: Place, topic: str, shop: str
) -> None:
    told = feed(shop)
    assert len(told) > 40

    assert publish(place, topic, shop, "--source", "/shop") == len(told)
    assert publish(place, topic, shop) == 0

    found = [json.loads(one.body) for one in place.read(topic)]
    assert [one["id"] for one in found] == [one["cursor"] for one in told]
    assert [one["data"]["customer_id"] for one in found] == [one["customer_id"] for one in told]
    first = found[0]
    assert first["specversion"] == "1.0"
    assert first["type"] == "customer_segmentation.segment_changed"
    assert first["source"] == "/shop"
    assert first["partitionkey"] == str(first["data"]["customer_id"])


@pytest.mark.long  # A name that nobody gave back is free after ten seconds.
def test_killed_in_the_middle_and_started_again_it_leaves_out_nothing(
    place: Place, topic: str, shop: str, tmp_path: Path
) -> None:
    told = [one["cursor"] for one in feed(shop)]
    more = ("--name", topic, "--batch", "2")
    with running("publish", place, topic, shop, tmp_path, *more):
        until(lambda: sent(shop, topic) > told[10])
    assert sent(shop, topic) < told[-1]

    publish(place, topic, shop)

    ids = [json.loads(one.body)["id"] for one in place.read(topic)]
    assert [one for one, _ in groupby(sorted(ids))] == told
    # Some may come again; left out is none, and what comes first is in order.
    assert [*dict.fromkeys(ids)] == told


def sent(shop: str, name: str) -> str:
    """Return up to where a publisher has sent events."""
    from customer_segmentation.services.operation.publishers import list_publishers

    units = units_over(shop)
    try:
        found = {one.name: str(one.position) for one in list_publishers(units)}
    finally:
        units.close()
    return found.get(name, "")


def test_of_two_publishers_of_a_name_one_waits_until_the_other_leaves(
    place: Place, topic: str, shop: str, tmp_path: Path
) -> None:
    if place.url.partition(":")[0] != "redis":
        pytest.skip("is alike for every broker")
    folders = (tmp_path / "first", tmp_path / "second")
    for folder in folders:
        folder.mkdir()
    more = ("--name", topic)
    with running("publish", place, topic, shop, folders[0], *more) as first:
        until(lambda: sent(shop, topic) == feed(shop)[-1]["cursor"])
        with running("publish", place, topic, shop, folders[1], *more, "--idle", "0.5") as second:
            until(lambda: "holds the publisher" in told_by(folders[1]))
            first.send_signal(signal.SIGTERM)

            assert first.wait(timeout=30) == ExitCode.DONE
            assert second.wait(timeout=30) == ExitCode.DONE

    counts = [json.loads((folder / "output").read_text())["sent"] for folder in folders]
    assert counts == [len(feed(shop)), 0]


def told_by(folder: Path) -> str:
    """Return what a process that was started has told on standard error."""
    file = folder / "errors"
    return file.read_text() if file.exists() else ""
