"""Following jobs and re-scorings to their end."""

import time
from collections.abc import Callable
from typing import Any

import httpx

from customer_segmentation.services.models.registry import activate_version
from customer_segmentation.services.models.rescoring import rescore
from customer_segmentation.services.runtime.settings import Settings
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork
from customer_segmentation.store.queries import models

Fields = dict[str, Any]


def ended(job: Fields) -> bool:
    return job["state"] not in {"waiting", "running"}


def follow(client: httpx.Client, location: str, until: Callable[[Fields], bool]) -> list[Fields]:
    """Ask for a job again and again; return each answer that differs from the one before."""
    seen: list[Fields] = []
    deadline = time.monotonic() + 60
    while not seen or not until(seen[-1]):
        answer = client.get(location).json()
        if not seen or answer != seen[-1]:
            seen.append(answer)
        assert time.monotonic() < deadline, seen[-1]
        time.sleep(0.02)
    return seen


def activate_and_rescore(units: UnitsOfWork, settings: Settings, number: int) -> None:
    """Make a version serve and write down every customer's segment."""
    activate_version(units, settings, number)
    rescore(units)


def is_rescored(units: UnitsOfWork) -> bool:
    with units.database.read() as connection:
        return models.is_rescored(connection)


def wait_until_rescored(units: UnitsOfWork, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not is_rescored(units):
        assert time.monotonic() < deadline
        time.sleep(0.1)
