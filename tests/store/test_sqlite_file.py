"""A SQLite file that is moved, replaced or loses its log while it is open: no write is lost."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from customer_segmentation.domain.errors import StoreUnavailableError
from customer_segmentation.services.customers.commands import get_customer, update_customer
from customer_segmentation.services.runtime.unit_of_work import UnitOfWork, UnitsOfWork, units_over
from tests.support.answers import problem
from tests.support.servers import eventually, running, status


def move(path: Path) -> None:
    """Move a file away."""
    path.rename(path.with_name("elsewhere.db"))


def replace(path: Path) -> None:
    """Put another file in a file's place."""
    copy = path.with_name("copy.db")
    shutil.copy(path, copy)
    copy.replace(path)


def delete_log(path: Path) -> None:
    """Delete what SQLite has not written into the file yet."""
    Path(f"{path}-wal").unlink()


def replace_log(path: Path) -> None:
    """Put another log in the log's place."""
    replace(Path(f"{path}-wal"))


@pytest.fixture
def path(loaded_sqlite: Path, tmp_path: Path) -> Path:
    """A SQLite database of the test's own, holding the shipped data."""
    return Path(shutil.copy(loaded_sqlite, tmp_path / "bank.db"))


@pytest.fixture
def units_of(path: Path) -> Iterator[UnitsOfWork]:
    """Units of work over it, which have read and written."""
    units = units_over(f"sqlite:///{path}")
    units.run(update_customer, 56, {"age": 31})
    yield units
    units.close()


@pytest.mark.parametrize("harm", [move, replace, delete_log, replace_log])
def test_nothing_is_written_or_read_any_more(
    units_of: UnitsOfWork, path: Path, harm: Callable[[Path], None]
) -> None:
    harm(path)

    with pytest.raises(StoreUnavailableError, match="while it was open"):
        units_of.run(update_customer, 56, {"age": 32})
    with pytest.raises(StoreUnavailableError):
        get_customer(units_of, 56)
    assert path.exists() == (harm is not move)


@pytest.mark.parametrize("harm", [move, replace, delete_log])
def test_what_is_written_meanwhile_is_not_told_to_be_durable(
    units_of: UnitsOfWork, path: Path, harm: Callable[[Path], None]
) -> None:
    def change_and_harm(work: UnitOfWork) -> None:
        update_customer(work, 56, {"age": 33})
        harm(path)

    with pytest.raises(StoreUnavailableError):
        units_of.run(change_and_harm)


def test_the_service_tells_it_goes_on_once_all_is_back_and_keeps_what_it_acknowledged(
    path: Path, tmp_path: Path
) -> None:
    with running(f"sqlite:///{path}", tmp_path) as server:
        client = server.client
        elsewhere = tmp_path / "elsewhere.db"
        assert client.patch("/v1/customers/56", json={"age": 41}).status_code == 200

        path.rename(elsewhere)

        eventually(lambda: status(server), 503)
        assert "moved" in problem(client.get("/health/ready"), 503)["detail"]
        problem(client.patch("/v1/customers/56", json={"age": 42}), 503)
        assert not path.exists()

        elsewhere.rename(path)

        eventually(lambda: status(server), 200)
        assert client.patch("/v1/customers/57", json={"age": 43}).status_code == 200

        delete_log(path)

        eventually(lambda: status(server), 503)
        problem(client.patch("/v1/customers/56", json={"age": 44}), 503)
        assert server.log.count("was moved or deleted while it was open") >= 2
        assert "Traceback" not in server.log

    with running(f"sqlite:///{path}", tmp_path) as server:
        found = [server.client.get(f"/v1/customers/{n}").json()["age"] for n in (56, 57)]
    assert found == [41, 43]
