"""The engine of Apache Spark: the same model as the local one's, from tables in parts."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from customer_segmentation.cli.console.output import ExitCode
from customer_segmentation.domain.arrays import FloatArray, IntArray
from customer_segmentation.domain.attributes import (
    Attribute,
    Id,
    IdType,
    Kind,
    Missing,
    Transform,
    Unknown,
)
from customer_segmentation.domain.errors import (
    DataFileError,
    EngineUnavailableError,
    ExtraMissingError,
    InvalidInputError,
    TrainingRefusedError,
)
from customer_segmentation.domain.jobs import JobKind, JobState, Origin, Phase, Trigger
from customer_segmentation.domain.schema import Schema
from customer_segmentation.engines.local import LocalEngine
from customer_segmentation.engines.scoring import Scorer
from customer_segmentation.engines.spark import engine, session
from customer_segmentation.engines.spark.customers import open_customers
from customer_segmentation.engines.spark.scoring import score_table
from customer_segmentation.engines.spark.session import open_session
from customer_segmentation.engines.spark.tables import (
    Check,
    CheckedRows,
    SparkTable,
    TableLocation,
    open_table,
)
from customer_segmentation.files.blocks import Block, fields_of
from customer_segmentation.files.check.rows import Checker
from customer_segmentation.files.read.tables import Source
from customer_segmentation.files.read.typed import TypedReader
from customer_segmentation.files.table_source import find_mapping
from customer_segmentation.model.artifact import Model, Parameters, from_json, to_json
from customer_segmentation.model.assign import Assigner
from customer_segmentation.services.jobs.lifecycle import get_job, start_job
from customer_segmentation.services.models.registry import get_version
from customer_segmentation.services.runtime.settings import Settings
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork
from customer_segmentation.services.training.engine import local_engine
from customer_segmentation.services.training.external import (
    ExternalTable,
    score_external,
    train_on_table,
)
from customer_segmentation.services.training.run import run_training
from customer_segmentation.services.training.start import Overrides
from customer_segmentation.store.database import Database
from tests.conftest import POSTGRES, postgres_database, require_postgres
from tests.support.commands import COMMANDS, run
from tests.support.drawn import draw_customers
from tests.support.shipped import COLUMNS, FEATURES, SHIPPED

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

Customers = tuple[IntArray, FloatArray]

GUIDE = (Path(__file__).parents[2] / "docs" / "spark.md").read_text(encoding="utf-8")
SETTINGS = Settings()
PARAMETERS = Parameters()
POSTGRES_DRIVER = Path("/usr/share/java/postgresql.jar")
SHORT_LIVED = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
"""What a Java that runs for seconds should not spend its time on."""

CENTROIDS_TOLERANCE = 1e-9
"""How far centroids may be from the local engine's, in prepared coordinates, which are near 1."""


def missing(what: str) -> None:
    """Skip for what is missing, unless it must be there."""
    if os.environ.get("REQUIRE_SPARK"):
        pytest.fail(f"{what} must be installed")
    pytest.skip(f"{what} is not installed")


@pytest.fixture(scope="module", autouse=True)
def spark() -> Iterator["SparkSession"]:
    """The one session of these tests, which the code under test finds and leaves open."""
    if find_spec("pyspark") is None:
        missing("PySpark")
    if shutil.which("java") is None and not os.environ.get("JAVA_HOME"):
        missing("Java")
    told = {
        "spark.driver.extraJavaOptions": SHORT_LIVED,
        # As few rows as here would come together in one partition.
        "spark.sql.adaptive.coalescePartitions.enabled": "false",
        "spark.sql.shuffle.partitions": "2",
    }
    if POSTGRES_DRIVER.exists():
        told["spark.jars"] = str(POSTGRES_DRIVER)
    with open_session("local[2]", told) as opened:
        yield opened


def write_parquet(folder: Path, table: pa.Table, parts: int = 1) -> ExternalTable:
    """Write a table as so many files of Parquet."""
    folder.mkdir()
    for number, rows in enumerate(np.array_split(np.arange(len(table)), parts)):
        pq.write_table(table.take(rows), folder / f"{number}.parquet")
    return ExternalTable(str(folder))


def table_of(ids: IntArray, values: FloatArray) -> pa.Table:
    """Return customers under the record names."""
    columns = zip(COLUMNS, [ids, *values.T], strict=True)
    return pa.table({feature.record_name: column for feature, column in columns})


def train(
    table: ExternalTable,
    parameters: Parameters = PARAMETERS,
    serving: Model | None = None,
    erased: tuple[int, ...] = (),
) -> tuple[Model, dict[str, int]]:
    """Train on a table; return the model, and the rows that are refused."""
    refused: dict[str, int] = {}
    model = train_on_table(
        SETTINGS,
        SHIPPED,
        table,
        parameters,
        serving,
        erased=np.array(erased, dtype=np.int64),
        next_number=7,
        progress=lambda _phase, _done, _total: None,
        refused=refused.update,
    )
    return model, refused


@pytest.fixture(scope="module")
def shipped_table(
    shipped_customers: Customers, tmp_path_factory: pytest.TempPathFactory
) -> ExternalTable:
    """The shipped customers as one file of Parquet."""
    folder = tmp_path_factory.mktemp("spark") / "customers"
    return write_parquet(folder, table_of(*shipped_customers))


@pytest.fixture(scope="module")
def spark_model(shipped_table: ExternalTable) -> Model:
    """What the engine of Spark trains on the shipped customers."""
    model, refused = train(shipped_table)
    assert refused == {}
    return model


def assert_same(found: Model, expected: Model, values: FloatArray) -> None:
    """See that a model is another one, but for rounding."""
    assert found.segments == expected.segments
    assert np.abs(found.centroids - expected.centroids).max() < CENTROIDS_TOLERANCE
    assert (Assigner(found).assign(values) == Assigner(expected).assign(values)).all()
    assert found.quality.sizes == expected.quality.sizes
    assert found.quality.inertia == pytest.approx(expected.quality.inertia, rel=1e-8)
    assert found.quality.silhouette == pytest.approx(expected.quality.silhouette, rel=1e-9)
    assert found.quality.stability == pytest.approx(expected.quality.stability, rel=1e-9)
    assert found.outlier_distance == pytest.approx(expected.outlier_distance, rel=1e-9)
    assert (found.distribution.counts == expected.distribution.counts).all()
    assert (found.distribution.outliers == expected.distribution.outliers).all()
    assert [(m.cluster, m.number) for m in found.matching] == [
        (m.cluster, m.number) for m in expected.matching
    ]
    for name, summary in found.fingerprint.attributes.items():
        other = expected.fingerprint.attributes[name]
        assert (summary.minimum, summary.maximum) == (other.minimum, other.maximum)
        assert summary.mean == pytest.approx(other.mean, rel=1e-9)
        assert summary.deviation == pytest.approx(other.deviation, rel=1e-9)
    assert found.fingerprint.customers == expected.fingerprint.customers
    assert found.fingerprint.sha256 == expected.fingerprint.sha256


def test_the_model_is_the_local_engines(
    spark_model: Model, shipped_customers: Customers, shipped_model: Model
) -> None:
    assert_same(spark_model, shipped_model, shipped_customers[1])
    assert "pyspark" in spark_model.libraries
    assert to_json(from_json(to_json(spark_model), FEATURES)) == to_json(spark_model)


@pytest.mark.long
def test_it_is_the_same_whatever_the_partitions_and_their_order(
    shipped_customers: Customers,
    shipped_model: Model,
    spark_model: Model,
    spark: "SparkSession",
    tmp_path: Path,
) -> None:
    ids, values = shipped_customers
    order = np.random.default_rng(1).permutation(len(ids))
    table = write_parquet(tmp_path / "parts", table_of(ids[order], values[order]), parts=5)

    in_parts, _ = train(table)
    spark.conf.set("spark.sql.shuffle.partitions", "1")
    together, _ = train(table)
    spark.conf.set("spark.sql.shuffle.partitions", "2")

    assert_same(in_parts, shipped_model, values)
    assert_same(together, shipped_model, values)
    # Where the engine has as many partitions of its own, even rounding is the same.
    assert to_json(in_parts) == to_json(spark_model)


def test_a_retraining_keeps_segments_and_numbers_new_ones_as_the_local_engine_does(
    shipped_customers: Customers, shipped_model: Model, tmp_path: Path
) -> None:
    ids, values = shipped_customers
    richer = values[::2] * np.where([f.name == "monthly_income" for f in COLUMNS[1:]], 1.2, 1.0)
    words = replace(shipped_model.segments[2], name="Quiet Wealth")
    serving = shipped_model.with_words({2: words})
    parameters = Parameters(k=5, excluded=("gender", "age"))
    table = write_parquet(tmp_path / "richer", table_of(ids[::2], richer))

    model, _ = train(table, parameters, serving)

    local = LocalEngine(SHIPPED).train(ids[::2], richer, parameters, serving, next_number=7)
    assert_same(model, local, richer)
    assert words in model.segments
    assert model.numbers.tolist() == [0, 1, 2, 3, 7]


@pytest.mark.long
def test_with_random_starts_on_a_sample_all_customers_polish_the_model(
    shipped_table: ExternalTable,
    shipped_customers: Customers,
    shipped_model: Model,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _, values = shipped_customers
    monkeypatch.setattr(engine, "SAMPLE", 3_000)

    model, _ = train(shipped_table)

    differ = Assigner(model).assign(values) != Assigner(shipped_model).assign(values)
    assert differ.mean() < 0.001
    assert model.quality.inertia == pytest.approx(shipped_model.quality.inertia, rel=1e-6)
    assert sum(model.quality.sizes.values()) == len(values)
    assert model.fingerprint.sha256 == shipped_model.fingerprint.sha256
    assert model.quality.silhouette == pytest.approx(shipped_model.quality.silhouette, abs=0.02)
    shares = model.distribution.outliers.sum() / len(values)
    assert shares == pytest.approx(0.005, abs=0.003)


@pytest.mark.long
def test_rows_that_are_not_allowed_are_refused_and_counted(
    shipped_customers: Customers, tmp_path: Path
) -> None:
    ids, values = shipped_customers[0][:600], shipped_customers[1][:600]
    table = table_of(ids, values)
    ages = [200.0, None, 40.5, *table["age"].to_pylist()[3:]]
    balances = [*table["account balance"].to_pylist()[:-1], float("nan")]
    table = table.set_column(table.column_names.index("age"), "age", pa.array(ages))
    table = table.set_column(
        table.column_names.index("account balance"), "account balance", pa.array(balances)
    )
    table = pa.concat_tables([table, table.slice(10, 2), table.slice(10, 1)])

    model, refused = train(write_parquet(tmp_path / "faulty", table, parts=3), erased=(4, 999))

    assert refused == {
        "age must be an integer from 0 to 130, not a number outside this range": 1,
        "age must be an integer from 0 to 130, not nothing": 1,
        "age must be an integer from 0 to 130, not a number with a fraction": 1,
        "account_balance must be a finite number, not nothing": 1,
        "customer_id must be unique, and other rows have it too": 5,
        "the id is of a customer who was erased": 1,
    }
    kept = np.r_[4:10, 12:599]
    local = LocalEngine(SHIPPED).train(ids[kept], values[kept], Parameters())
    assert_same(model, local, values[kept])


@pytest.mark.parametrize("rows", [0, 3])
def test_fewer_customers_than_segments_are_refused(
    shipped_customers: Customers, tmp_path: Path, rows: int
) -> None:
    ids, values = shipped_customers
    table = write_parquet(tmp_path / "few", table_of(ids[:rows], values[:rows]))

    with pytest.raises(TrainingRefusedError, match=f"at least 4 customers.*there are {rows}"):
        train(table)


@pytest.mark.long
def test_amounts_as_large_as_a_float_holds_can_be_trained_on(
    shipped_customers: Customers, tmp_path: Path
) -> None:
    ids, values = shipped_customers[0][:500], shipped_customers[1][:500].copy()
    values[:9, 3], values[9:15, 3] = 1.7e308, -1.7e308

    model, _ = train(write_parquet(tmp_path / "huge", table_of(ids, values)))

    assert_same(model, LocalEngine(SHIPPED).train(ids, values, Parameters()), values)


MAPPING = "".join(
    f'[{feature.name}]\ncolumn = "{feature.name.upper()} "\n'
    for feature in COLUMNS
    if feature.name not in {"monthly_income", "gender"}
) + (
    '[monthly_income]\ncolumn = "yearly"\nfactor = "1/12"\n'
    '[gender]\ncolumn = "Sex"\ncodes = { "m" = 0, "f" = 1 }\n'
)


def test_a_mapping_says_what_the_columns_mean(
    shipped_customers: Customers, shipped_model: Model, tmp_path: Path
) -> None:
    ids, values = shipped_customers[0][:1000], shipped_customers[1][:1000]
    columns = {f.name.upper() + " ": c for f, c in zip(COLUMNS, [ids, *values.T], strict=True)}
    columns["yearly"] = columns.pop("MONTHLY_INCOME ") * 12
    columns["Sex"] = np.where(columns.pop("GENDER ") == 0, " M", "f")
    named = write_parquet(tmp_path / "theirs", pa.table(columns))
    output = tmp_path / "segments"

    with pytest.raises(DataFileError, match="--mapping"):
        score_external(SETTINGS, SHIPPED, shipped_model, named, str(output), explained=False)
    table = replace(named, mapping=MAPPING)
    written = score_external(SETTINGS, SHIPPED, shipped_model, table, str(output), explained=False)

    assert (written.people, written.refusals) == (1000, {})
    found = pq.read_table(output).sort_by("customer id")
    assert found["cluster_num"].to_pylist() == Assigner(shipped_model).assign(values).tolist()


def test_scores_are_those_that_the_command_writes_for_a_file(
    loaded_sqlite: Path, shipped_customers: Customers, tmp_path: Path
) -> None:
    table = table_of(shipped_customers[0][:3000], shipped_customers[1][:3000])
    ages = pa.array([131, *table["age"].to_pylist()[1:]], pa.int64())
    table = table.set_column(1, "age", ages)
    pq.write_table(table, tmp_path / "one.parquet")
    write_parquet(tmp_path / "many", table, parts=4)
    database = {"DATABASE_URL": f"sqlite:///{loaded_sqlite}"}
    told = ("--explain", "-o")
    rejects = ("--rejects", str(tmp_path / "rejects.csv"))

    local = run(
        "score", str(tmp_path / "one.parquet"), *told, str(tmp_path / "local.parquet"),
        *rejects, env=database,
    )  # fmt: skip
    spark_command = (
        *("score", str(tmp_path / "many"), "--engine", "spark"),
        *(*told, str(tmp_path / "spark")),
    )
    spread = run(*spark_command, env=database)
    again = run(*spark_command, env=database)

    assert local.exit_code == spread.exit_code == ExitCode.REJECTED
    assert "2,999 people segmented" in spread.stderr
    assert "1 row not taken: age must be an integer from 0 to 130" in spread.stderr
    written = pq.read_table(tmp_path / "spark").sort_by("customer id")
    expected = pq.read_table(tmp_path / "local.parquet").sort_by("customer id")
    assert written.column_names == expected.column_names
    for found, column in zip(written.columns, expected.columns, strict=True):
        if pa.types.is_floating(found.type):
            # How rounding falls depends on how many are computed together.
            assert np.allclose(found, column, rtol=1e-9, atol=1e-9)
        else:
            assert found.to_pylist() == column.to_pylist()
    assert again.exit_code == ExitCode.FAILED
    assert "is there already" in again.stderr


@pytest.mark.postgres
def test_a_table_is_read_from_a_database_by_jdbc(
    loaded_postgres: str, shipped_customers: Customers, shipped_model: Model
) -> None:
    if not POSTGRES_DRIVER.exists():
        missing(str(POSTGRES_DRIVER))
    url = f"jdbc:postgresql://127.0.0.1:5432/{loaded_postgres}?user=postgres"

    model, refused = train(ExternalTable(url, "customers"))

    assert_same(model, shipped_model, shipped_customers[1])
    assert refused == {}
    with pytest.raises(DataFileError, match="no_such_table"):
        train(ExternalTable(url, "no_such_table"))


SHOP = Schema(
    Id("order", "order", "order", "", "C1", IdType.TEXT),
    (
        Attribute("spent", "spent", "spent", "", 1, Kind.AMOUNT, transform=Transform.LOG),
        Attribute("rows", "rows", "rows", "", 1, Kind.AMOUNT, missing=Missing.ALLOWED),
        Attribute(
            "country",
            "country",
            "country",
            "",
            "France",
            Kind.NOMINAL,
            categories=("France", "Spain"),
            unknown=Unknown.OTHER,
            missing=Missing.ALLOWED,
        ),
        Attribute("visits", "visits", "visits", "", 1, Kind.COUNT, missing=Missing.ALLOWED),
    ),
    missing_values=("", "NA"),
)
"""A schema of text ids, categories and missing values, with names that mean something in SQL."""


def shop_table(ids: list[str], values: FloatArray) -> pa.Table:
    """Return customers as their owner has them: categories as texts, null for what is missing."""
    columns = [
        pa.array([attribute.show(value) for value in column.tolist()])
        for attribute, column in zip(SHOP.attributes, values.T, strict=True)
    ]
    return pa.table([pa.array(ids), *columns], [SHOP.id.name, *SHOP.names])


def check_of_shop(columns: list[str]) -> Check:
    """Return the check of a table of the shop's customers."""
    mapping = find_mapping(SHOP, columns)
    assert mapping is not None
    checker = Checker(SHOP, Source("shop", TypedReader(columns, iter(())), None), mapping)

    class ShopCheck:  # Of a function, it is sent as it is: these tests are not where rows are.
        wanted = checker.wanted
        id_column = SHOP.id.name

        def __call__(self, rows: pa.Table) -> CheckedRows:
            lines = np.arange(1, rows.num_rows + 1)
            found = checker.check(Block(lines, rows, fields_of(rows)))
            return CheckedRows(found.ids, found.values, Counter(r.reason for r in found.rejects))

    return ShopCheck()


def open_shop(opened: "SparkSession", place: TableLocation) -> SparkTable:
    return open_table(opened, place, SHOP, check_of_shop)


def test_text_ids_categories_and_missing_values_give_the_local_engines_model(
    spark: "SparkSession", tmp_path: Path
) -> None:
    values = draw_customers(SHOP, 3_000, 5, 0.2)
    ids = [f"00{number:x}-é'" for number in range(len(values))]
    order = np.random.default_rng(1).permutation(len(ids))
    table = shop_table(ids, values).take(order)
    repeated = pa.concat_tables([table, table.slice(0, 1)])
    place = TableLocation(write_parquet(tmp_path / "shop", repeated, parts=3).source)
    kept = np.sort(order[1:])
    ours, own = np.array(ids, dtype=object)[kept], values[kept]
    by_text = np.argsort(ours)
    local = LocalEngine(SHOP).train(ours[by_text], own[by_text], Parameters(k=3))

    with open_customers(open_shop(spark, place)) as customers:
        model = engine.train(customers, Parameters(k=3))
        refused = customers.refusals
        after = engine.train(customers, Parameters(k=3, seed=1), local)

    assert refused == {"order must be unique, and other rows have it too": 2}
    assert_same(model, local, own)
    assert sorted(match.number or 0 for match in after.matching) == [0, 1, 2]
    scorer = Scorer(local, "order", explained=True, has_text_ids=True)
    written = score_table(open_shop(spark, place), scorer, str(tmp_path / "segments"))
    assert written.people == len(ids) + 1
    found = pq.read_table(tmp_path / "segments")
    segments = dict(zip(found["order"].to_pylist(), found["cluster_num"].to_pylist(), strict=True))
    assert segments == dict(zip(ids, Assigner(local).assign(values).tolist(), strict=True))


@pytest.mark.postgres
def test_text_ids_categories_and_nulls_are_read_by_jdbc(spark: "SparkSession") -> None:
    if not POSTGRES_DRIVER.exists():
        missing(str(POSTGRES_DRIVER))
    values = draw_customers(SHOP, 400, 6, 0.2)
    ids = [f"C{number}" for number in range(len(values))]
    require_postgres()
    kinds = (
        '"order" text, spent double precision, "rows" double precision, country text, visits int'
    )
    with postgres_database() as name:
        with psycopg.connect(f"{POSTGRES}/{name}") as connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE TABLE shop ({kinds})".encode())
            with cursor.copy("COPY shop FROM STDIN") as copy:
                for row in shop_table(ids, values).to_pylist():
                    row["visits"] = None if row["visits"] is None else int(row["visits"])
                    copy.write_row([*row.values()])
        url = f"jdbc:postgresql://127.0.0.1:5432/{name}?user=postgres"
        with open_customers(open_shop(spark, TableLocation(url, "shop"))) as customers:
            model = engine.train(customers, Parameters(k=3))

    by_text = np.argsort(ids)
    people = np.array(ids, dtype=object)[by_text]
    assert_same(model, LocalEngine(SHOP).train(people, values[by_text], Parameters(k=3)), values)


@pytest.fixture
def units(loaded_sqlite: Path, tmp_path: Path) -> Iterator[UnitsOfWork]:
    """Units of work over a SQLite database that holds the shipped data."""
    shutil.copy(loaded_sqlite, tmp_path / "bank.db")
    with closing(Database(f"sqlite:///{tmp_path / 'bank.db'}")) as database:
        yield UnitsOfWork(database)


def test_a_training_on_a_table_passes_gates_and_re_scores_those_who_are_stored(
    units: UnitsOfWork, shipped_customers: Customers, tmp_path: Path
) -> None:
    ids, values = shipped_customers
    richer = values * np.where([f.name == "monthly_income" for f in COLUMNS[1:]], 1.1, 1.0)
    table = write_parquet(tmp_path / "bank", table_of(ids + 10**9, richer))
    asked = Overrides(seed=3, external=table).request
    origin = Origin(Trigger.REQUEST, "Ada", "quarterly")
    job = start_job(units.database, JobKind.TRAINING, origin, asked)

    run_training(units, lambda: local_engine(SHIPPED), SETTINGS, job.id)

    ended = get_job(units, job.id)
    assert (ended.state, ended.model_version, ended.phase) == (JobState.SUCCEEDED, 2, Phase.DONE)
    assert ended.result == {"refused": {}}
    version = get_version(units, 2)
    assert version.is_active
    assert version.model.fingerprint.customers == len(ids)
    assert version.model.parameters.seed == 3
    assert [match.number for match in version.model.matching] == [0, 1, 2, 3]
    with units.read() as work:
        stored = work.customers.find_many(work.connection, ids)
    assert (stored.segments == Assigner(version.model).assign(values)).all()


def test_a_training_on_a_table_that_cannot_be_read_changes_nothing(
    units: UnitsOfWork, tmp_path: Path
) -> None:
    asked = Overrides(external=ExternalTable(str(tmp_path / "nothing"))).request
    job = start_job(units.database, JobKind.TRAINING, Origin(Trigger.REQUEST, ""), asked)

    with pytest.raises(DataFileError, match="nothing"):
        run_training(units, lambda: local_engine(SHIPPED), SETTINGS, job.id)

    ended = get_job(units, job.id)
    assert ended.state is JobState.FAILED
    assert "does not exist" in (ended.error or "")
    assert units.require_model().version == 1


@pytest.mark.long
def test_every_command_of_the_guide_answers_what_it_shows(
    loaded_sqlite: Path,
    shipped_customers: Customers,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shutil.copy(loaded_sqlite, tmp_path / "customer-segmentation.db")
    ids, values = shipped_customers
    values = values.copy()
    values[0, 0] = 131
    write_parquet(tmp_path / "customers", table_of(ids, values), parts=2)
    monkeypatch.chdir(tmp_path)
    # The training is a process of its own, with a session of its own.
    session_of_training = {
        "spark.driver.extraJavaOptions": SHORT_LIVED,
        "spark.sql.shuffle.partitions": "1",
    }
    env = {
        "DATABASE_URL": None,
        "CUSTOMER_SEGMENTATION_SPARK_CONF": json.dumps(session_of_training),
    }
    (example,) = re.findall(r"```console\n(.*?)```", GUIDE, re.DOTALL)
    commands = [part.partition("\n") for part in example.split("$ ")[1:]]
    assert len(commands) == 2

    for command, _, shown in commands:
        # The session of these tests was started in another folder.
        words = shlex.split(command.replace("customers/", f"{tmp_path}/customers/"))
        done = run(*[str(tmp_path / w) if w == "segments" else w for w in words[1:]], env=env)

        assert done.stdout == shown, done.stderr
        assert "1 row not taken: age must be an integer from 0 to 130" in done.stderr
        assert done.exit_code == ExitCode.REJECTED

    with closing(Database("sqlite:///customer-segmentation.db")) as database:
        origin = get_version(UnitsOfWork(database), 2).origin
    assert origin.by == "Ada"
    assert origin.reason == f"the whole bank (trained on {tmp_path}/customers/*.parquet)"
    assert len(pq.read_table(tmp_path / "segments")) == len(ids) - 1


def test_commands_that_the_guide_only_shows_are_well_formed() -> None:
    shown = re.findall(
        r"(?:customer-segmentation|__main__.py) ((?:train|score|import) .+)$", GUIDE, re.MULTILINE
    )
    assert len(shown) == 9
    for line in shown:
        words = shlex.split(line.partition(" > ")[0])
        COMMANDS[(words[0],)].make_context(line, words[1:])


def test_a_missing_pyspark_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(session, "find_spec", lambda _name: None)

    with pytest.raises(ExtraMissingError, match=r"customer-segmentation\[spark\]"):
        train(ExternalTable(str(tmp_path)))


def test_a_missing_java_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("pyspark.sql.SparkSession.getActiveSession", lambda: None)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))

    with pytest.raises(EngineUnavailableError, match=f"Java 17.* JAVA_HOME={tmp_path}"):
        train(ExternalTable(str(tmp_path)))


@pytest.mark.parametrize(
    ("source", "table", "wrong"),
    [
        ("jdbc:postgresql://bank/customers", None, "must name a table"),
        ("customers.parquet", "customers", "Parquet has none"),
        ("jdbc:postgresql://ada:s3cret@bank/customers", "customers", "must hold no password"),
        ("jdbc:postgresql://bank/b?user=a&password=s3cret", "customers", "must hold no password"),
        ("jdbc:oracle:thin:ada/s3cret@bank:1521/b", "customers", "must hold no password"),
    ],
)
def test_a_table_that_can_be_none_is_refused_without_telling_a_password(
    source: str, table: str | None, wrong: str
) -> None:
    with pytest.raises(InvalidInputError, match=wrong) as refusal:
        ExternalTable(source, table)

    assert "s3cret" not in str(refusal.value)
    ExternalTable("jdbc:oracle:thin:@//bank:1521/b", "customers")
    ExternalTable("jdbc:postgresql://bank:5432/b?user=ada", "customers")


def test_a_process_that_serves_loads_neither_scikit_learn_nor_spark() -> None:
    code = (
        "import sys, customer_segmentation.api.app, customer_segmentation.cli.main;"
        "print({'sklearn', 'pyspark', 'pandas'} & set(sys.modules))"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize(
    "words",
    [
        "train --from customers.parquet",
        "train --spark-master yarn",
        "train --engine spark",
        "train --engine spark --from a.parquet --url http://bank",
        "train --engine spark --from a.parquet --spark-conf spark.jars",
        "score a.parquet --table customers",
        "score a.parquet --engine spark",
        "score a.parquet --engine spark -o out --to csv",
    ],
)
def test_options_that_do_not_go_together_are_wrong_usage(words: str) -> None:
    assert run(*words.split()).exit_code == ExitCode.USAGE


def test_settings_of_spark_that_may_be_secret_are_not_shown() -> None:
    env = {
        "CUSTOMER_SEGMENTATION_SPARK_CONF": '{"spark.hadoop.fs.s3a.secret.key": "s3cret"}',
        "CUSTOMER_SEGMENTATION_JDBC_PASSWORD": "s3cret",
    }

    shown = run("config", "check", env=env)
    wrong = run("config", "check", env={"CUSTOMER_SEGMENTATION_SPARK_CONF": "spark.jars=x"})

    assert shown.exit_code == ExitCode.DONE
    assert "s3cret" not in shown.stdout
    assert wrong.exit_code == ExitCode.USAGE
    assert "CUSTOMER_SEGMENTATION_SPARK_CONF" in wrong.stderr
