"""An output never takes the place of an input or of another output, and is there whole or not."""

import csv
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from customer_segmentation.cli.console.output import ExitCode
from customer_segmentation.services.runtime.settings import SHIPPED_DATA
from tests.support.commands import run

PEOPLE = SHIPPED_DATA.read_text().splitlines(keepends=True)
WRONG = PEOPLE[2].replace("2,31", "2,131", 1)

ALIASES: dict[str, Callable[[Path], Path]] = {
    "the same path": lambda path: path,
    "a relative path": lambda path: Path(os.path.relpath(path)),
    "a path with detours": lambda path: path.parent / "folder" / ".." / path.name,
    "a symbolic link": lambda path: linked(path, Path.symlink_to),
    "a hard link": lambda path: linked(path, Path.hardlink_to),
}

COMMANDS = {
    "export over the database": (("export", "--to", "csv", "-o", "OUT"), "bank.db"),
    "export over the settings": (("export", "--to", "csv", "-o", "OUT"), "settings.toml"),
    "score over the people": (("score", "people.csv", "-o", "OUT"), "people.csv"),
    "score over the mapping": (
        ("score", "people.csv", "--mapping", "mapping.toml", "--to", "csv", "-o", "OUT"),
        "mapping.toml",
    ),
    "rejects of score over the people": (
        ("score", "people.csv", "-o", "scored.csv", "--rejects", "OUT"),
        "people.csv",
    ),
    "rejects of score over its output": (
        ("score", "people.csv", "-o", "scored.csv", "--rejects", "OUT"),
        "scored.csv",
    ),
    "rejects over the file": (("import", "people.csv", "--rejects", "OUT"), "people.csv"),
    "rejects over the mapping": (
        ("import", "people.csv", "--mapping", "mapping.toml", "--rejects", "OUT"),
        "mapping.toml",
    ),
    "rejects over the transactions": (
        ("import", "people.csv", "--transactions", "moves.csv", "--rejects", "OUT"),
        "moves.csv",
    ),
    "demo over the database": (("demo", "10", "-o", "OUT"), "bank.db"),
    "record over the database": (("models", "record", "1", "-o", "OUT"), "bank.db"),
    "network over the database": (("models", "onnx", "-o", "OUT"), "bank.db"),
    "backup over the database": (("backup", "OUT"), "bank.db"),
}


def linked(path: Path, link: Callable[[Path, Path], None]) -> Path:
    other = path.parent / "folder" / f"other{path.suffix}"
    link(other, path)
    return other


@pytest.fixture(autouse=True)
def folder(loaded_sqlite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory to work in, with a database, settings, people, a mapping and transactions."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(loaded_sqlite, "bank.db")
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path / 'bank.db'}")
    monkeypatch.setenv("CUSTOMER_SEGMENTATION_CONFIG", str(tmp_path / "settings.toml"))
    Path("settings.toml").write_text("segments = 4\n")
    Path("people.csv").write_text("".join([*PEOPLE[:2], WRONG]))
    Path("mapping.toml").write_text(run("import", "--infer", "people.csv").stdout)
    Path("moves.csv").write_text("customer_id,amount,type\n1,5,debit\n")
    Path("scored.csv").write_text("before\n")
    Path("folder").mkdir()
    return tmp_path


@pytest.mark.parametrize("alias", ALIASES)
@pytest.mark.parametrize("command", COMMANDS)
def test_no_output_takes_the_place_of_what_is_needed(
    folder: Path, command: str, alias: str
) -> None:
    arguments, needed = COMMANDS[command]
    kept = folder / needed
    before = kept.read_bytes()
    output = ALIASES[alias](kept)

    result = run(*(str(output) if argument == "OUT" else argument for argument in arguments))

    assert result.exit_code in {1, 2}, result.output
    assert kept.read_bytes() == before
    assert output.exists()
    assert not list(folder.rglob("*.part"))


def test_rejects_are_not_written_over_the_rejects_that_are_imported(folder: Path) -> None:
    rejects = folder / "people.rejects.csv"
    text = f"line,column,reason,{PEOPLE[0]}3,age,x,{WRONG}"
    rejects.write_text(text)

    alone = run("import", "people.rejects.csv")
    together = run("import", "people.csv", "people.rejects.csv")

    assert rejects.read_text() == text
    assert alone.exit_code == 7
    assert "see people.rejects.rejects.csv" in alone.stderr
    assert together.exit_code == 2
    assert "people.rejects.csv would be overwritten" in together.stderr


def test_files_of_like_names_have_rejects_of_their_own(folder: Path) -> None:
    names = ["data.2026-01.csv", "data.2026-02.csv", "folder/data.2026-01.csv", "data", "data.csv"]
    for name in names:
        shutil.copy("people.csv", name)

    assert run("import", *names).exit_code == 7

    found = sorted(str(path.relative_to(folder)) for path in folder.rglob("*.rejects.csv"))
    assert found == [
        "data..rejects.csv",
        "data.2026-01.rejects.csv",
        "data.2026-02.rejects.csv",
        "data.rejects.csv",
        "folder/data.2026-01.rejects.csv",
    ]


def test_rejects_of_an_earlier_time_do_not_stay() -> None:
    assert run("import", "people.csv").exit_code == 7
    Path("people.csv").write_text("".join(PEOPLE[:3]))

    assert run("import", "people.csv").exit_code == 0

    assert not Path("people.rejects.csv").exists()


def test_rejects_replace_nothing_but_rejects() -> None:
    Path("precious.csv").write_text("1,2\n")

    result = run("import", "people.csv", "--rejects", "precious.csv")

    assert result.exit_code == 2
    assert "holds no refused rows" in result.stderr
    assert Path("precious.csv").read_text() == "1,2\n"


def test_rejects_of_several_files_do_not_replace_one_another() -> None:
    shutil.copy("people.csv", "more.csv")

    result = run("import", "people.csv", "more.csv", "--rejects", "all.csv")

    assert result.exit_code == 2
    assert "--rejects is for one file" in result.stderr


@pytest.mark.parametrize(
    "command",
    [
        ("export", "--segment", "2"),
        ("score", "people.csv"),
        ("demo", "10"),
        ("models", "record", "1"),
        ("models", "onnx"),
    ],
    ids=" ".join,
)
def test_a_hyphen_is_standard_output(command: tuple[str, ...]) -> None:
    result = run(*command, "-o", "-")

    assert result.exit_code in {0, 7}, result.stderr
    assert len(result.stdout_bytes) > 100
    assert not Path("-").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
@pytest.mark.parametrize("form", ["csv", "excel", "parquet", "arrow", "ndjson"])
def test_a_device_is_written_to_and_never_replaced(form: str) -> None:
    full = run("export", "--to", form, "-o", "/dev/full")
    null = run("export", "--to", form, "-o", "/dev/null", "--segment", "2")

    assert full.exit_code == 1
    assert "/dev/full cannot be written: No space left on device" in full.stderr
    assert null.exit_code == 0
    assert not Path("/dev/null").is_file()


def test_a_link_stays_one_and_what_it_names_is_written() -> None:
    Path("link.csv").symlink_to("folder/real.csv")

    run("export", "--segment", "2", "-o", "link.csv")

    assert Path("link.csv").is_symlink()
    with Path("folder/real.csv").open(newline="") as file:
        assert len(list(csv.reader(file))) > 1000


@pytest.mark.parametrize("form", ["csv", "excel"])
def test_who_reads_the_beginning_only_is_not_shown_a_trace(form: str) -> None:
    command = [sys.executable, "-m", "customer_segmentation", "export", "--to", form]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        stderr = process.stderr.read()

    assert "Traceback" not in stderr


@pytest.mark.parametrize("name", ["bank.csv", "bank.parquet", "bank.xlsx"])
def test_what_is_interrupted_half_way_leaves_nothing(folder: Path, name: str) -> None:
    before = set(folder.iterdir())
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, 1)

    result = run("demo", "30000000", "-o", name)

    assert result.exit_code == 130
    assert "Interrupted" in result.stderr
    assert set(folder.iterdir()) == before


def test_what_is_ended_half_way_leaves_nothing_either(folder: Path) -> None:
    before = set(folder.iterdir())
    threading.Timer(1, os.kill, (os.getpid(), signal.SIGTERM)).start()

    result = run("demo", "30000000", "-o", "bank.parquet")

    assert result.exit_code == ExitCode.TERMINATED
    assert "Ended by SIGTERM" in result.stderr
    assert set(folder.iterdir()) == before
