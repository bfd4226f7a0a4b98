"""Completion as a user of bash has it: installed by the command, asked for by the shell."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TOOLS = Path(sys.executable).parent


def bash(script: str, home: Path, **environment: str) -> str:
    """Run a script in a real bash whose home is here; return what it writes."""
    done = subprocess.run(
        ["bash", "--norc", "-c", script],
        env=os.environ | {"HOME": str(home), "PATH": f"{TOOLS}:{os.environ['PATH']}"} | environment,
        cwd=home,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of someone who has installed the completion."""
    home = tmp_path_factory.mktemp("home")
    told = bash("customer-segmentation --install-completion; exit $?", home)
    assert "installed" in told
    return home


def complete(line: str, home: Path, **environment: str) -> list[str]:
    """Return what bash would offer at the end of a line."""
    script = f"""
        source ~/.bashrc
        COMP_WORDS=({line.rstrip()} {"''" if line.endswith(" ") else ""})
        COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
        function=$(complete -p customer-segmentation | sed 's/.*-F \\([^ ]*\\).*/\\1/')
        $function customer-segmentation
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    return bash(script, home, **environment).split()


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("customer-segmentation seg", ["segments"]),
        ("customer-segmentation models s", ["show", "sql"]),
        ("customer-segmentation keys create crm --role a", ["admin"]),
        ("customer-segmentation models sql --dialect sn", ["snowflake"]),
        ("customer-segmentation train --exclude g", ["gender"]),
    ],
)
def test_bash_completes(home: Path, line: str, offered: list[str]) -> None:
    assert complete(line, home) == offered


def test_bash_completes_model_versions(home: Path, loaded_sqlite: Path) -> None:
    url = f"sqlite:///{loaded_sqlite}"

    assert complete("customer-segmentation models activate ", home, DATABASE_URL=url) == ["1"]


def test_completing_versions_makes_no_database_and_tells_no_error(
    home: Path, tmp_path: Path
) -> None:
    new = tmp_path / "new.db"

    assert (
        complete("customer-segmentation models show ", home, DATABASE_URL=f"sqlite:///{new}") == []
    )
    assert not new.exists()
    gone = {"CUSTOMER_SEGMENTATION_URL": "http://127.0.0.1:9"}
    assert complete("customer-segmentation models show ", home, **gone) == []


def test_completion_is_shown_for_who_installs_it_otherwise(home: Path) -> None:
    shown = bash("customer-segmentation --show-completion; exit $?", home)

    assert "complete -o default -F" in shown
