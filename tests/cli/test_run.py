"""`./run`, in a folder of its own: what it installs, and what it leaves alone."""

import shutil
import subprocess
import venv
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_an_environment_that_somebody_made_without_pip_keeps_what_is_in_it(tmp_path: Path) -> None:
    shutil.copy(ROOT / "run", tmp_path)
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "bank"\nversion = "1"\n')
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements" / "development.txt").touch()
    elsewhere = tmp_path / "elsewhere"
    venv.create(elsewhere)
    (elsewhere / "kept").touch()
    (tmp_path / ".venv").symlink_to(elsewhere)

    subprocess.run(
        ["./run", "install"], cwd=tmp_path, capture_output=True, check=False, timeout=120
    )

    assert (elsewhere / "kept").exists()
    assert (elsewhere / "bin" / "pip").exists()
