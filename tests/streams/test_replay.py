"""A public table, replayed through each broker and killed on the way, ends as its import does."""

import csv
import json
import shutil
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from customer_segmentation.services.runtime.unit_of_work import units_over
from tests.support.brokers import Place
from tests.support.commands import run_json
from tests.support.inferring import public_table
from tests.support.purchases import open_purchases
from tests.support.stored import stored_customers
from tests.support.streaming import consuming

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

PURCHASES = 69_659
KILLED_AT = (20_000, 45_000)
PIECE = 500
MOST_WAITING = {"mqtt": 0, "kafka": 10_000}
"""Messages that may wait before the next ones are sent: Mosquitto drops what is more than a
thousand, and the cluster that is made up what is more than some megabytes."""

Customers = dict[object, tuple[list[float], int]]


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop with a model, whose customers come with their purchases."""
    path = tmp_path_factory.mktemp("empty") / "shop.db"
    open_purchases(f"sqlite:///{path}", "added").close()
    return path


@pytest.fixture(scope="module")
def imported(empty: Path, tmp_path_factory: pytest.TempPathFactory) -> Customers:
    """What the import of the whole table leads to."""
    path = tmp_path_factory.mktemp("imported") / "shop.db"
    shutil.copy(empty, path)
    table = str(public_table("CDNOW_master.txt"))
    columns = ("--column", "time=date", "--column", "amount=dollar_value")
    told = run_json(
        *("transactions", "import", table, *columns, "--date-form", "%Y%m%d"),
        env={"DATABASE_URL": f"sqlite:///{path}"},
    )
    assert told["stored"] == PURCHASES
    return customers(path)


def messages() -> list[bytes]:
    """Return the purchases in the order of time, with the ids that the import gives them."""
    path = public_table("CDNOW_master.txt")
    with path.open(newline="") as file:
        rows = [row for row in csv.reader(file, delimiter=" ", skipinitialspace=True) if row]
    told = []
    for line, (customer, day, _, amount, *_rest) in enumerate(rows[1:], 2):
        date = f"{day[:4]}-{day[4:6]}-{day[6:]}"
        sale = {"customer_id": int(customer), "time": date, "amount": float(amount)}
        told.append((date, {"transaction_id": f"{path.name}:{line}", **sale}))
    told.sort(key=lambda one: one[0])
    return [json.dumps(sale).encode() for _, sale in told]


def customers(path: Path) -> Customers:
    """Return every customer's attributes and segment."""
    units = units_over(f"sqlite:///{path}")
    with closing(units):
        everyone = stored_customers(units)
        with units.read() as work:
            ids = work.ids.ids_of(work.connection, everyone.ids.tolist())
        values = np.nan_to_num(everyone.values, nan=-1.0).tolist()
        return dict(zip(ids, zip(values, everyone.segments.tolist(), strict=True), strict=True))


def stored(path: Path) -> int:
    """Return how many purchases are stored."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        found: int = database.execute("SELECT count(*) FROM transactions").fetchone()[0]
    return found


def test_a_replay_that_is_killed_twice_ends_as_the_import_of_the_whole_table(
    place: Place, topic: str, empty: Path, imported: Customers, tmp_path: Path
) -> None:
    path = tmp_path / "shop.db"
    shutil.copy(empty, path)
    sent = messages()
    assert len(sent) == PURCHASES

    most = MOST_WAITING.get(place.url.partition(":")[0], PURCHASES)

    def send() -> None:
        for at in range(0, PURCHASES, PIECE):
            while stored(path) < at - most:
                time.sleep(0.01)
            place.send(topic, sent[at : at + PIECE])

    sending = threading.Thread(target=send)
    sending.start()
    for limit in (*KILLED_AT, PURCHASES):
        folder = tmp_path / str(limit)
        folder.mkdir()
        with consuming(place, topic, f"sqlite:///{path}", folder) as process:
            while stored(path) < limit:
                assert process.poll() is None, (folder / "errors").read_text()
                time.sleep(0.05)
    sending.join()

    assert stored(path) == PURCHASES
    assert customers(path) == imported
