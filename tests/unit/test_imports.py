"""What starts often loads little: libraries that train take longer to load than most commands."""

import subprocess
import sys

import pytest

HEAVY = ("scipy", "sklearn", "pandas", "alembic", "pyspark", "streamlit", "onnx")


@pytest.mark.parametrize(
    "module", ["api.app", "cli.main", "client", "services.process", "store.sqlite_arrow"]
)
def test_it_loads_none_of_the_heavy_libraries(module: str) -> None:
    program = (
        f"import sys, customer_segmentation.{module}\n"
        f"print(*[name for name in {HEAVY} if name in sys.modules])"
    )

    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert found.stdout.split() == []
