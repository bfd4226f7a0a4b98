"""Fixtures: databases that hold the shipped data, units of work and servers over them."""

import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import numpy as np
import psycopg
import pytest
from hypothesis import HealthCheck, settings
from playwright.sync_api import Browser, sync_playwright

from customer_segmentation.domain.arrays import FloatArray, IntArray
from customer_segmentation.domain.numbers import LARGEST_INTEGER
from customer_segmentation.engines.local import LocalEngine
from customer_segmentation.model.artifact import Model, Parameters
from customer_segmentation.services.operation.startup import begin_start, finish_start
from customer_segmentation.services.runtime.settings import SHIPPED_DATA, Settings
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork
from customer_segmentation.store.database import Database
from tests.support.data_file import read_data_file
from tests.support.parts import forked_parts
from tests.support.servers import Server
from tests.support.shipped import FEATURES, SHIPPED
from tests.support.stored import store_candidate
from tests.support.subscribers import load_subscribers

# How long an example takes says more about the machine's other work than about the code.
settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")

POSTGRES = "postgresql://postgres@127.0.0.1:5432"

CHROMIUM = Path("/usr/bin/chromium")
REBOUND = "rebound.example"
"""A host name whose owner makes it lead to the visitor's own machine."""
CHROMIUM_OPTIONS = [
    *("--no-sandbox", "--disable-gpu", "--disable-background-networking"),
    f"--host-resolver-rules=MAP {REBOUND} 127.0.0.1",
]

LONGEST = (
    *("test_pages", "test_spark", "test_openapi", "test_imports", "test_jobs", "test_starts"),
    *("test_own_bank", "test_served_tables", "test_rescoring", "test_gates", "test_crash"),
    "test_load",
)
"""Modules that begin first, the longest before others, so that the processes which share the tests
end at the same time."""

NewBank = Callable[[Path], AbstractContextManager[str]]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the whole suite run over PostgreSQL."""
    parser.addoption(
        "--database",
        choices=["sqlite", "postgres"],
        help="Run tests over this database only; unless given, tests of what differs between them "
        "run over both and all others over SQLite.",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with what takes longest, and leave out what is over the other database."""
    items.sort(key=_place_of)
    for item in items:
        if item.get_closest_marker("long_over_postgres") and "postgres" in _databases_of(item):
            item.add_marker(pytest.mark.long)
    only = config.getoption("--database")

    def is_left_out(item: pytest.Item) -> bool:
        if only is None:
            both = item.get_closest_marker("both_databases")
            return "postgres" in _databases_of(item) and both is None
        return bool(({"sqlite", "postgres"} - {only}) & _databases_of(item))

    left = [item for item in items if not is_left_out(item)]
    config.hook.pytest_deselected(items=[item for item in items if item not in left])
    items[:] = left


def _place_of(item: pytest.Item) -> int:
    stem = item.path.stem
    places = (place for place, name in enumerate(LONGEST) if stem.startswith(name))
    return next(places, len(LONGEST))


def _databases_of(item: pytest.Item) -> set[object]:
    called = getattr(item, "callspec", None)
    params = called.params if called else {}
    return {params.get("database_url"), params.get("empty_database_url")}


@pytest.fixture(scope="session", autouse=True)
def _forked_parts() -> Iterator[None]:
    """Start jobs of the tests' own process as those of servers: from one that has all imported."""
    with forked_parts():
        yield


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium.

    While it runs, an event loop does, and no other can: so it ends with the module.
    """
    if not CHROMIUM.exists():
        if os.environ.get("REQUIRE_BROWSER"):
            pytest.fail(f"{CHROMIUM} must be installed")
        pytest.skip(f"no browser at {CHROMIUM}")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_OPTIONS)
        yield running
        running.close()


@pytest.fixture(scope="session")
def shipped_customers() -> tuple[IntArray, FloatArray]:
    """The ids and attributes of the shipped data set."""
    data = read_data_file(SHIPPED_DATA)
    assert not data.rejects
    return data.ids, data.values


@pytest.fixture(scope="session")
def shipped_model(shipped_customers: tuple[IntArray, FloatArray]) -> Model:
    """The model that a first start trains."""
    return LocalEngine(SHIPPED).train(*shipped_customers, Parameters())


@pytest.fixture(scope="session")
def people(shipped_customers: tuple[IntArray, FloatArray]) -> FloatArray:
    """The shipped customers, and people at the edges of what is allowed, (n, 14)."""
    _, values = shipped_customers
    edges = []
    for feature in FEATURES:
        low = -1e300 if feature.minimum is None else float(feature.minimum)
        high = feature.maximum or (LARGEST_INTEGER if feature.is_integer else 1e300)
        tiny = 0.0 if feature.is_integer else 5e-324
        edges.append([low, float(high), tiny, float(feature.example)])
    drawn = np.random.default_rng(1).integers(0, 4, (2_000, len(FEATURES)))
    return np.vstack([values, np.array(edges)[np.arange(len(FEATURES)), drawn]])


@pytest.fixture(scope="session")
def loaded_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file after a first start."""
    path = tmp_path_factory.mktemp("loaded") / "loaded.db"
    load(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def loaded_postgres() -> Iterator[str]:
    """The name of a PostgreSQL database after a first start, made and dropped here."""
    require_postgres()
    with postgres_database() as name:
        load(f"{POSTGRES}/{name}")
        yield name


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database of its own for each test, holding the shipped data and its model."""
    if request.param == "sqlite":
        path = tmp_path / "bank.db"
        shutil.copy(request.getfixturevalue("loaded_sqlite"), path)
        yield f"sqlite:///{path}"
    else:
        with postgres_database(request.getfixturevalue("loaded_postgres")) as name:
            yield f"{POSTGRES}/{name}"


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database with nothing in it."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.db'}"
    else:
        require_postgres()
        with postgres_database() as name:
            yield f"{POSTGRES}/{name}"


@pytest.fixture(scope="session")
def new_bank(request: pytest.FixtureRequest) -> NewBank:
    """Make databases that hold the shipped data, one in each folder that is given."""
    postgres = request.config.getoption("--database") == "postgres"
    loaded = request.getfixturevalue("loaded_postgres" if postgres else "loaded_sqlite")

    @contextmanager
    def make(folder: Path) -> Iterator[str]:
        if postgres:
            with postgres_database(loaded) as name:
                yield f"{POSTGRES}/{name}"
        else:
            shutil.copy(loaded, folder / "bank.db")
            yield f"sqlite:///{folder / 'bank.db'}"

    return make


@pytest.fixture
def bank_url(new_bank: NewBank, tmp_path: Path) -> Iterator[str]:
    """A database of the test's own for what is not about the store, holding the shipped data."""
    with new_bank(tmp_path) as url:
        yield url


@pytest.fixture
def units(database_url: str) -> Iterator[UnitsOfWork]:
    """Units of work over a database of the test's own."""
    units = UnitsOfWork(Database(database_url))
    yield units
    units.close()


@pytest.fixture
def server(database_url: str, tmp_path: Path) -> Iterator[Server]:
    """A server over a database of the test's own."""
    with Server(database_url, tmp_path) as running:
        yield running


@pytest.fixture(scope="module")
def shared_server(new_bank: NewBank, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that the tests of a module share, as none of them changes what others read."""
    directory = tmp_path_factory.mktemp("shared")
    with new_bank(directory) as url, Server(url, directory) as running:
        yield running


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A service over subscribers, whose schema is not the shipped one, that a module shares."""
    directory = tmp_path_factory.mktemp("company")
    url = f"sqlite:///{directory / 'company.db'}"
    load_subscribers(url, directory)
    with Server(url, directory) as running:
        yield running


def load(database_url: str) -> None:
    """Do what a first start does."""
    first_start = Settings(database_url=database_url)
    loading = begin_start(first_start)
    assert loading is not None
    finish_start(first_start, loading)


def require_postgres() -> None:
    """Skip where no PostgreSQL answers, unless it must."""
    try:
        psycopg.connect(f"{POSTGRES}/postgres", connect_timeout=3).close()
    except psycopg.OperationalError as error:
        if os.environ.get("REQUIRE_POSTGRES"):
            pytest.fail(f"PostgreSQL must answer at {POSTGRES}: {error}")
        pytest.skip(f"no PostgreSQL answers at {POSTGRES}")


@contextmanager
def postgres_database(template: str = "template1") -> Iterator[str]:
    """Make a database, a copy of a template, and drop it in the end."""
    name = f"customer_segmentation_test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(f"{POSTGRES}/postgres", autocommit=True) as connection:
        connection.execute(
            psycopg.sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                psycopg.sql.Identifier(name), psycopg.sql.Identifier(template)
            )
        )
        yield name
        connection.execute(
            psycopg.sql.SQL("DROP DATABASE {} WITH (FORCE)").format(psycopg.sql.Identifier(name))
        )


@pytest.fixture(scope="module")
def other_model(shipped_customers: tuple[IntArray, FloatArray], shipped_model: Model) -> Model:
    """A model that puts some customers elsewhere."""
    parameters = Parameters(weights={"loyalty_score": 3.0})
    return LocalEngine(SHIPPED).train(*shipped_customers, parameters, shipped_model)


@pytest.fixture
def other_version(units: UnitsOfWork, other_model: Model) -> int:
    """A version that is stored and does not serve."""
    return store_candidate(units, other_model)
