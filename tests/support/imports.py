"""Files of customers, sent to a server and followed to the end of their import."""

import csv
from pathlib import Path

import httpx

from customer_segmentation.services.runtime.settings import SHIPPED_DATA
from tests.support.jobs import Fields, ended, follow


def shipped_csv(
    first: int = 1, last: int = 20_000, changes: dict[str, str] | None = None, shift: int = 0
) -> bytes:
    """Return some shipped customers as CSV, with some columns changed and ids raised."""
    with SHIPPED_DATA.open(newline="") as file:
        reader = csv.DictReader(file)
        rows = [row | (changes or {}) for row in list(reader)[first - 1 : last]]
        names = list(reader.fieldnames or ())
    lines = [",".join(names)]
    for row in rows:
        row["customer id"] = str(int(row["customer id"]) + shift)
        lines.append(",".join(row[name] for name in names))
    return "\n".join(lines).encode()


def send(client: httpx.Client, content: bytes, **asked: str | bool) -> httpx.Response:
    query = {"name": "some.csv", **asked}
    return client.post("/v1/imports", params=query, content=content)


def sent(client: httpx.Client, content: bytes, **asked: str | bool) -> Fields:
    """Return how an import ended."""
    answer = send(client, content, **asked)
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"] == f"/v1/imports/{answer.json()['id']}"
    return follow(client, answer.headers["location"], ended)[-1]


def files_of(directory: Path) -> list[str]:
    """Return the names of the files in the folder of transfers."""
    folders = [*directory.glob("*-transfers")]
    return sorted(path.name for folder in folders for path in folder.iterdir())


MANY = 120_000


def many_csv() -> bytes:
    """Return a file of many customers, the shipped ones first, which takes seconds to be stored."""
    header, *_ = shipped_csv(last=1).split(b"\n")
    parts = [shipped_csv(shift=shift).split(b"\n", 1)[1] for shift in range(0, MANY, 20_000)]
    return b"\n".join([header, *parts])


def stored_so_far(client: httpx.Client, location: str) -> int:
    """Return how many customers an import has added."""
    result = client.get(location).json()["result"]
    return 0 if result is None else int(result["added"])
