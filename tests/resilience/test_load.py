"""Many clients at once: every answer is the one that what was acknowledged before calls for.

`LOAD_SECONDS=600 ./run test tests/resilience/test_load.py` is the long run.
"""

import asyncio
import os
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from customer_segmentation.domain.attributes import Kind
from customer_segmentation.services.runtime.audit import verify
from customer_segmentation.services.runtime.settings import SHIPPED_DATA
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork
from tests.support.data_file import read_data_file
from tests.support.servers import running
from tests.support.shipped import FEATURES

pytestmark = pytest.mark.both_databases

SECONDS = float(os.environ.get("LOAD_SECONDS", "8"))
CLIENTS = 64
OWNED = 20
FIRST_NEW = 100_000

Attributes = dict[str, int | float]


@dataclass
class Bank:
    """What was acknowledged.

    Attributes:
        customers: the attributes of each customer.
        calls: how many calls of each kind were answered.
        wrong: answers that are not what they should be.
    """

    customers: dict[int, Attributes]
    calls: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def check(self, is_right: bool, answer: httpx.Response) -> None:
        """Note an answer that is wrong."""
        if not is_right:
            self.wrong.append(f"{answer.request.method} {answer.request.url}: {answer.text[:300]}")


class Teller:
    """A client who works with customers of its own, so that it knows what each answer must be."""

    def __init__(self, bank: Bank, http: httpx.AsyncClient, number: int) -> None:
        self.bank = bank
        self.http = http
        self.random = random.Random(number)
        known = range(1 + number * OWNED, 1 + (number + 1) * OWNED)
        new = range(FIRST_NEW + number * OWNED, FIRST_NEW + (number + 1) * OWNED)
        self.ids = [*known, *new]

    async def work(self, until: float) -> None:
        """Do one thing after another."""
        acts = [
            self.read,
            self.read_old,
            self.add,
            self.update,
            self.update_old,
            self.replace,
            self.delete,
            self.batch,
            self.predict,
        ]
        while time.monotonic() < until:
            act = self.random.choice(acts)
            await act(self.random.choice(self.ids))
            self.bank.calls[act.__name__] += 1

    async def read(self, customer_id: int) -> None:
        answer = await self.http.get(f"/v1/customers/{customer_id}")
        self.expect(answer, customer_id)

    async def read_old(self, customer_id: int) -> None:
        answer = await self.http.get(
            "/get_customer_info_from_database", params={"customer_id": customer_id}
        )
        known = self.bank.customers.get(customer_id)
        if known is None:
            self.bank.check(answer.status_code == 404, answer)
        else:
            record = answer.json().get("Customer info", {})
            told = [record.get(feature.record_name) for feature in FEATURES]
            self.bank.check(told == [known[feature.name] for feature in FEATURES], answer)

    async def add(self, customer_id: int) -> None:
        attributes = self.draw()
        answer = await self.http.post(
            "/v1/customers", json={"customer_id": customer_id, **attributes}
        )
        if customer_id in self.bank.customers:
            self.bank.check(answer.status_code == 409, answer)
        else:
            self.bank.customers[customer_id] = attributes
            self.expect(answer, customer_id, 201)

    async def update(self, customer_id: int) -> None:
        changes = self.some()
        answer = await self.http.patch(f"/v1/customers/{customer_id}", json=changes)
        if customer_id in self.bank.customers:
            self.bank.customers[customer_id] |= changes
        self.expect(answer, customer_id)

    async def update_old(self, customer_id: int) -> None:
        changes = self.some()
        answer = await self.http.post(
            "/update_customer_details_to_database", json={"customer_id": customer_id, **changes}
        )
        if customer_id in self.bank.customers:
            self.bank.customers[customer_id] |= changes
            self.bank.check(answer.status_code == 200, answer)
        else:
            self.bank.check(answer.status_code == 404, answer)

    async def replace(self, customer_id: int) -> None:
        attributes = self.draw()
        answer = await self.http.put(f"/v1/customers/{customer_id}", json=attributes)
        status = 200 if customer_id in self.bank.customers else 201
        self.bank.customers[customer_id] = attributes
        self.expect(answer, customer_id, status)

    async def delete(self, customer_id: int) -> None:
        answer = await self.http.delete(f"/v1/customers/{customer_id}")
        known = self.bank.customers.pop(customer_id, None)
        self.bank.check(answer.status_code == (404 if known is None else 204), answer)

    async def batch(self, _customer_id: int) -> None:
        ids = self.random.sample(self.ids, 5)
        changes = {customer_id: self.some() for customer_id in ids}
        operations = [
            {"action": "update", "customer": {"customer_id": customer_id, **changed}}
            for customer_id, changed in changes.items()
        ]
        answer = await self.http.post("/v1/customers:batch", json={"operations": operations})
        outcomes = answer.json().get("outcomes", [])
        self.bank.check(len(outcomes) == len(ids), answer)
        for customer_id, outcome in zip(ids, outcomes, strict=False):
            if customer_id in self.bank.customers:
                self.bank.customers[customer_id] |= changes[customer_id]
                self.bank.check(outcome["status"] == "updated", answer)
            else:
                self.bank.check(outcome["problem"]["status"] == 404, answer)

    async def predict(self, _customer_id: int) -> None:
        answer = await self.http.post("/v1/segments:predict", json=self.draw())
        self.bank.check(answer.status_code == 200, answer)

    def expect(self, answer: httpx.Response, customer_id: int, status: int = 200) -> None:
        """Note an answer that does not show a customer as it must be now."""
        known = self.bank.customers.get(customer_id)
        if known is None:
            self.bank.check(answer.status_code == 404, answer)
        else:
            told: dict[str, Any] = answer.json()
            same = all(told.get(name) == value for name, value in known.items())
            self.bank.check(answer.status_code == status and same, answer)

    def draw(self) -> Attributes:
        """Somebody's attributes."""
        return {feature.name: self.value(feature.kind, feature.name) for feature in FEATURES}

    def some(self) -> Attributes:
        """New values of a few attributes."""
        drawn = self.draw()
        return {name: drawn[name] for name in self.random.sample([*drawn], 3)}

    def value(self, kind: Kind, name: str) -> int | float:
        match kind:
            case Kind.BINARY:
                return self.random.randint(0, 1)
            case Kind.ORDINAL:
                return self.random.randint(0, 3 if name == "education_level" else 1)
            case Kind.COUNT:
                return self.random.randint(1, 90)
            case _:
                return round(self.random.lognormvariate(8, 1), 2)


async def retrain(bank: Bank, http: httpx.AsyncClient, until: float) -> None:
    """Retrain again and again."""
    while time.monotonic() < until:
        answer = await http.post("/retrain_model_with_latest_data")
        # Random customers may make a model that the gates hold back.
        held_back = answer.status_code == 409 and "held-back" in answer.text
        bank.check(answer.status_code == 200 or held_back, answer)
        bank.calls["retrain"] += 1


async def run_load(url: str, bank: Bank, seconds: float) -> None:
    """Let every client work."""
    until = time.monotonic() + seconds
    limits = httpx.Limits(max_connections=CLIENTS + 1, max_keepalive_connections=CLIENTS + 1)
    async with httpx.AsyncClient(base_url=url, timeout=60.0, limits=limits) as http:
        tellers = [Teller(bank, http, number) for number in range(CLIENTS)]
        await asyncio.gather(
            retrain(bank, http, until), *(teller.work(until) for teller in tellers)
        )


@pytest.mark.long_over_postgres
@pytest.mark.timeout(SECONDS + 300)
def test_nothing_is_lost_invented_or_refused_under_a_mixed_load(
    units: UnitsOfWork, database_url: str, tmp_path: Path
) -> None:
    data = read_data_file(SHIPPED_DATA)
    names = [feature.name for feature in FEATURES]
    rows = zip(data.ids.tolist(), data.values.tolist(), strict=True)
    bank = Bank({number: dict(zip(names, row, strict=True)) for number, row in rows})

    with running(database_url, tmp_path) as server:
        asyncio.run(run_load(server.url, bank, SECONDS))
        assert bank.wrong == []

        found: dict[int, Attributes] = {}
        segments: dict[int, int] = {}
        cursor = ""
        while cursor is not None:
            query = {"limit": "1000"} | ({"cursor": cursor} if cursor else {})
            page = server.client.get("/v1/customers", params=query).json()
            for shown in page["customers"]:
                found[shown["customer_id"]] = {name: shown[name] for name in names}
                segments[shown["customer_id"]] = shown["segment"]
            cursor = page["next_cursor"]
        assert found == bank.customers
        predicted = server.client.post("/v1/segments:predict", json=list(found.values())).json()[
            "predictions"
        ]
        assert [prediction["segment"] for prediction in predicted] == list(segments.values())
        told = server.client.get("/v1/segments").json()
        assert told["customers"] == len(found)
        assert {s["number"]: s["size"] for s in told["segments"] if s["size"]} == Counter(
            segments.values()
        )
        events = server.client.get("/v1/events?after=-1.-1&limit=1").json()["events"]
        assert events
    assert verify(units.database).faults == ()
    assert "Traceback" not in server.log
    print(f"{sum(bank.calls.values()):,} calls: {dict(bank.calls)}")  # noqa: T201
