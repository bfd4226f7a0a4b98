"""Killing a loaded server at any moment: no acknowledged write is lost, nothing needs repair.

`KILLS=100 ./run test tests/resilience/test_crash.py` is the long run.
"""

import os
import random
import threading
import time
from pathlib import Path

import httpx
import pytest
from sqlalchemy import create_engine, text

from tests.support.servers import Server

ROUNDS = int(os.environ.get("KILLS", "4"))
WRITERS = 4


class Writer(threading.Thread):
    """Updates customers of its own over and over, and notes what was acknowledged."""

    def __init__(self, url: str, first_id: int, start_value: int) -> None:
        super().__init__(daemon=True)
        self.url = url
        self.ids = range(first_id, first_id + 3)
        self.acknowledged: dict[int, int] = {}
        self.sent: dict[int, int] = {}
        self.value = start_value
        self.unexpected: list[str] = []

    def run(self) -> None:
        with httpx.Client(base_url=self.url, timeout=10.0) as client:
            while True:
                self.value += 1
                for customer_id in self.ids:
                    self.sent[customer_id] = self.value
                    body = {"customer_id": customer_id, "transaction_count": self.value}
                    try:
                        answer = client.post("/update_customer_details_to_database", json=body)
                    except httpx.TransportError:
                        return
                    if answer.status_code != 200:
                        self.unexpected.append(answer.text)
                    self.acknowledged[customer_id] = self.value


@pytest.mark.timeout(120 + 30 * ROUNDS)
def test_a_killed_server_keeps_every_acknowledged_write(
    tmp_path: Path, loaded_sqlite: Path
) -> None:
    path = tmp_path / "bank.db"
    path.write_bytes(loaded_sqlite.read_bytes())
    seeded = random.Random(5)
    counts = dict.fromkeys(range(1, 1 + 3 * WRITERS), 0)
    with Server(f"sqlite:///{path}", tmp_path) as server:
        for cycle in range(ROUNDS):
            writers = [Writer(server.url, 1 + 3 * n, 1000 * (cycle + 1)) for n in range(WRITERS)]
            for writer in writers:
                writer.start()
            if cycle % 3 == 0:
                # A training is in its reading, fitting or re-scoring when the kill comes.
                threading.Thread(target=_retrain, args=(server.url,), daemon=True).start()
            while not all(writer.acknowledged for writer in writers):
                time.sleep(0.01)
            time.sleep(seeded.uniform(0.0, 3.0))
            server.kill()
            for writer in writers:
                writer.join()
                assert not writer.unexpected

            server.start()

            for writer in writers:
                for customer_id in writer.ids:
                    counts[customer_id] = _transactions(server, customer_id)
                    kept = writer.acknowledged.get(customer_id, 0)
                    assert kept <= counts[customer_id] <= writer.sent.get(customer_id, 10**9)
        assert server.client.post("/retrain_model_with_latest_data").status_code == 200
        assert [_transactions(server, i) for i in counts] == list(counts.values())
    with create_engine(f"sqlite:///{path}").connect() as connection:
        assert connection.execute(text("PRAGMA integrity_check")).scalar_one() == "ok"
        assert connection.execute(text("SELECT count(*) FROM customers")).scalar_one() == 20_000


@pytest.mark.long
def test_a_first_start_that_is_killed_is_done_again(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'bank.db'}"
    for delay in (0.6, 1.5, 2.5):
        server = Server(url, tmp_path)
        server.launch()
        time.sleep(delay)
        server.kill()

    with Server(url, tmp_path) as server:
        assert _transactions(server, 56) == 3
        assert server.client.post("/retrain_model_with_latest_data").status_code == 200


def _retrain(url: str) -> None:
    try:
        httpx.post(f"{url}/retrain_model_with_latest_data", timeout=60.0)
    except httpx.TransportError:
        return


def _transactions(server: Server, customer_id: int) -> int:
    answer = httpx.get(
        f"{server.url}/get_customer_info_from_database", params={"customer_id": customer_id}
    )
    return int(answer.json()["Customer info"]["transaction_count"])
