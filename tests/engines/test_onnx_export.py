"""The rule as ONNX: run by ONNX Runtime, it gives the segments that the service gives."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from customer_segmentation.domain.arrays import FloatArray, IntArray
from customer_segmentation.engines.local import LocalEngine
from customer_segmentation.model.artifact import Parameters
from customer_segmentation.services.models import onnx_export
from customer_segmentation.services.models.onnx_export import write_onnx
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork
from customer_segmentation.store.database import Database
from customer_segmentation.store.schema import migrate
from tests.support.commands import run
from tests.support.shipped import FEATURE_NAMES, SHIPPED
from tests.support.stored import activate, renumbered

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def session_of(rule: bytes) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(rule, providers=["CPUExecutionProvider"])


def segments_of(rule: bytes, people: FloatArray) -> IntArray:
    (segments,) = session_of(rule).run(["segments"], {"customers": people})
    return np.asarray(segments)


def test_onnx_runtime_gives_the_services_segments(units: UnitsOfWork, people: FloatArray) -> None:
    found = segments_of(write_onnx(units), people)

    assert found.dtype == np.int64
    assert found.tolist() == units.serving.assigner.assign(people).tolist()


def test_whoever_lacks_an_attribute_gets_none(units: UnitsOfWork, people: FloatArray) -> None:
    unknown = np.tile(people[0], (3 * len(FEATURE_NAMES), 1))
    for j in range(len(FEATURE_NAMES)):
        unknown[3 * j : 3 * j + 3, j] = np.nan, np.inf, -np.inf

    assert set(segments_of(write_onnx(units), unknown).tolist()) == {-1}


def test_it_takes_one_customer_and_none(units: UnitsOfWork, people: FloatArray) -> None:
    rule = write_onnx(units)

    assert (
        segments_of(rule, people[:1]).tolist() == units.serving.assigner.assign(people[:1]).tolist()
    )
    assert segments_of(rule, people[:0]).tolist() == []


def test_segments_keep_numbers_that_have_gaps_and_attributes_can_be_left_out(
    units: UnitsOfWork, shipped_customers: tuple[IntArray, FloatArray], people: FloatArray
) -> None:
    parameters = Parameters(k=5, excluded=("gender", "age", "loyalty_score"))
    trained = LocalEngine(SHIPPED).train(*shipped_customers, parameters)
    model = renumbered(trained, {s.number: 3 * s.number + 1 for s in trained.segments})
    activate(units, model)
    units.refresh()

    found = segments_of(write_onnx(units), people)

    assert found.tolist() == units.serving.assigner.assign(people).tolist()
    assert set(found.tolist()) == {1, 4, 7, 10, 13}


def test_it_tells_its_attributes_segments_and_version(units: UnitsOfWork) -> None:
    described = session_of(write_onnx(units)).get_modelmeta()

    assert described.version == 1
    assert described.custom_metadata_map["attributes"].split(",") == list(FEATURE_NAMES)
    assert described.custom_metadata_map["segment 0"] == "High-Value Power Users"


def test_the_command_line_writes_it(database_url: str, people: FloatArray, tmp_path: Path) -> None:
    to = tmp_path / "segments.onnx"

    told = run("models", "onnx", "-o", str(to), env={"DATABASE_URL": database_url})

    assert told.stdout == f"{to}: {to.stat().st_size:,} bytes\n"
    assert set(segments_of(to.read_bytes(), people).tolist()) == {0, 1, 2, 3}


def test_without_the_extra_the_user_is_told_which(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_export, "find_spec", lambda _: None)

    told = run("models", "onnx", "-o", str(tmp_path / "x"), env={"DATABASE_URL": database_url})

    assert told.exit_code == 1
    assert "pip install 'customer-segmentation[onnx]'" in told.stderr


def test_without_a_model_there_is_nothing_to_write(tmp_path: Path, database_url: str) -> None:
    del database_url
    to = tmp_path / "none.onnx"
    empty = f"sqlite:///{to}.db"
    migrate(Database(empty))

    told = run("models", "onnx", "-o", str(to), env={"DATABASE_URL": empty})

    assert told.exit_code == 4
    assert not to.exists()
