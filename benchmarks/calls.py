"""The calls that are made one by one, next to a plain service and to a floor that does nothing."""

import random
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from statistics import median

import msgspec
from tests.support.examples import SOMEONE as ATTRIBUTES

from benchmarks.contest import ROUNDS, ratios, spread, table
from benchmarks.load import Load, any_of, http_request, run_load
from benchmarks.services import FLOOR, OURS, PLAIN, database, serving

CUSTOMERS = 20_000
SEED = 1

Named = Callable[[int], int | str]
"""What the customer of a number is called."""


def predictions() -> Iterator[bytes]:
    """Ask for people's segments."""
    bodies = [
        msgspec.json.encode(ATTRIBUTES | {"age": age, "account_balance": age * 397.25})
        for age in range(18, 90)
    ]
    path = "/predict_customer_segment_in_real_time"
    return any_of([http_request("POST", path, body) for body in bodies])


def reads(customers: int = CUSTOMERS, named: Named = int) -> Iterator[bytes]:
    """Ask for customers, 1 to as many as there are."""
    ids = random.Random(SEED).sample(range(1, customers + 1), k=1_000)  # noqa: S311
    path = "/get_customer_info_from_database?customer_id="
    return any_of([http_request("GET", f"{path}{named(number)}") for number in ids])


def updates(customers: int = CUSTOMERS, named: Named = int) -> Iterator[bytes]:
    """Change two attributes of customers, each time to other values."""
    ids = random.Random(SEED).sample(range(1, customers + 1), k=1_000)  # noqa: S311
    for number in count():
        body = {
            "customer_id": named(ids[number % len(ids)]),
            "total_deposit_amount": number * 0.25,
            "transaction_count": number % 40,
        }
        path = "/update_customer_details_to_database"
        yield http_request("POST", path, msgspec.json.encode(body))


def additions(first_id: int = CUSTOMERS + 1, named: Named = int) -> Iterator[bytes]:
    """Add customers, under ids that rise."""
    for number in count(first_id):
        body = msgspec.json.encode({"customer_id": named(number)} | ATTRIBUTES)
        yield http_request("POST", "/add_customer_to_database", body)


CALLS: dict[str, Callable[[], Iterator[bytes]]] = {
    "predict": predictions,
    "get": reads,
    "update": updates,
    "add": additions,
}


def run() -> str:
    """Return the rates of each call by each service, ratios, and p99 at half of our rate."""
    rates, calm = [], []
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        services = {
            name: stack.enter_context(serving(arguments, Path(folder), **database(Path(folder))))
            for name, arguments in (("ours", OURS), ("plain", PLAIN), ("floor", FLOOR))
        }
        for call, requests in CALLS.items():
            sent = {name: requests() for name in services}
            loads: dict[str, list[Load]] = {name: [] for name in services}
            for _ in range(ROUNDS):
                for name, service in services.items():
                    loads[name].append(run_load(service.port, sent[name]))
            found = {name: [load.rate for load in runs] for name, runs in loads.items()}
            versus = ratios(found["ours"], found["plain"], "{:.1f}")
            of_floor = ratios(found["ours"], found["floor"])
            rates.append([call, *(spread(found[name]) for name in services), versus, of_floor])
            half = median(found["ours"]) / 2
            calm.append([call, *_at(services["ours"].port, sent["ours"], half)])
    head = ["call", "ours, calls/s", "plain, calls/s", "floor, calls/s", "ours / plain"]
    calm_head = ["call", "calls/s", "median, ms", "p99, ms"]
    return "\n\n".join([table([*head, "ours / floor"], rates), table(calm_head, calm)])


def _at(port: int, requests: Iterator[bytes], rate: float) -> list[str]:
    """Ask at a steady rate; return it, the median latency and p99."""
    loads = [run_load(port, requests, rate=rate) for _ in range(ROUNDS)]
    return [
        f"{rate:,.0f}",
        spread([load.median * 1000 for load in loads], "{:.2f}"),
        spread([load.p99 * 1000 for load in loads], "{:.2f}"),
    ]
