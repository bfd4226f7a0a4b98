"""Every command explains itself, with an example that is one, and its exit codes."""

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from customer_segmentation.cli.console.output import ExitCode
from customer_segmentation.cli.main import app
from tests.support.commands import COMMANDS, run


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_help_has_an_example_of_the_very_command(path: tuple[str, ...]) -> None:
    shown = run(*path, "--help")
    (example,) = re.findall(r"Example: (.+)$", COMMANDS[path].help, re.DOTALL)
    words = shlex.split(example)

    assert shown.exit_code == 0
    assert f"Example: customer-segmentation {' '.join(path)}" in shown.stdout
    assert tuple(words[: len(path) + 1]) == ("customer-segmentation", *path)
    COMMANDS[path].make_context(" ".join(path), words[len(path) + 1 :])


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_each_option_and_argument_is_explained(path: tuple[str, ...]) -> None:
    for parameter in COMMANDS[path].params:
        assert parameter.help, parameter.name


def test_help_tells_every_exit_code() -> None:
    told = " ".join(run("--help").stdout.split())

    for code in ExitCode:
        assert f"{code:d} {code.meaning}" in told


def test_a_command_that_is_not_there_is_wrong_usage() -> None:
    assert run("fly").exit_code == ExitCode.USAGE
    assert run("models", "list", "--purple").exit_code == ExitCode.USAGE


def test_a_table_is_cut_for_a_terminal_only() -> None:
    """A pipe is as wide as it takes; `COLUMNS` says otherwise."""
    result = CliRunner().invoke(app, ["config", "check"], env={"COLUMNS": None})
    narrow = CliRunner().invoke(app, ["config", "check"], env={"COLUMNS": "40"})

    assert "…" not in result.stdout
    assert max(map(len, narrow.stdout.splitlines())) <= 40


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_help_is_shown_in_every_encoding(path: tuple[str, ...], encoding: str) -> None:
    shown = CliRunner(charset=encoding).invoke(app, [*path, "--help"])

    assert shown.exit_code == 0
    assert "Example: customer-segmentation" in shown.stdout


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_an_option_that_is_not_repeatable_is_taken_once(path: tuple[str, ...]) -> None:
    for option in options_of(path):
        if not option.multiple:
            once = [option.opts[0]] if option.is_flag else [option.opts[0], "1"]
            refused = run(*path, *once, *once)

            assert refused.exit_code == ExitCode.USAGE
            assert f"{option.opts[0]} is given more than once" in plain(refused.stderr)


@pytest.mark.parametrize(
    "words",
    [
        "models activate 0_1",
        "export --segment 0_1",
        "demo 1_000",
        "study --segments 1_0",
    ],
)
def test_a_number_is_read_in_one_way(words: str) -> None:
    refused = run(*words.split())

    assert refused.exit_code == ExitCode.USAGE
    assert "must be a number, without a `_` in it" in plain(refused.stderr)


@pytest.mark.parametrize(
    "words", [("score", "x", "--engine", "spark", "-o", "y"), ("train", "--engine", "spark")]
)
def test_a_part_of_sparks_configuration_is_given_once(words: tuple[str, ...]) -> None:
    refused = run(*words, "--spark-conf", "a=1", "--spark-conf", "a=2")

    assert refused.exit_code == ExitCode.USAGE
    assert "a is given more than once" in plain(refused.stderr)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("serve --data x.csv --demo", "--demo is not for --data"),
        ("serve --data x.csv --no-demo", "--demo is not for --data"),
        ("demo 5 -o - --json", "--json: is not for --output -"),
        ("export --holdout 10", "--split: must name the campaign"),
        ("import x.csv --infer --mode replace", "--mode is not for --infer"),
        ("import x.csv --infer --json", "--json is not for --infer"),
        ("import x.csv y.csv --rejects r.csv", "--rejects is for one file"),
        ("import x.csv --from sqlite:///x.db --sheet a", "--sheet is for files, not for --from"),
        ("score x --engine spark -o y --rejects r.csv", "--rejects is not for --engine spark"),
        ("train --engine spark --from x --url http://x", "--url is not for --engine spark"),
        ("segments transitions --until 2026-01-01", "give --since, or --before and --after"),
        ("segments transitions --before 1", "give --since, or --before and --after"),
        (
            "segments transitions --since 2026-01-01 --before 1 --after 2",
            "give --since, or --before and --after",
        ),
        ("export --min age=1 --min age=2", "--min: age is bounded more than once"),
    ],
)
def test_what_would_have_no_effect_beside_another_is_refused(
    words: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("x", "x.csv", "y.csv"):
        (tmp_path / name).touch()

    refused = run(*words.split())

    assert refused.exit_code == ExitCode.USAGE
    assert told in plain(refused.stderr)


ONLY_WITH = {
    "--key": "--url",
    "--from": "--engine",
    "--table": "--engine",
    "--spark-master": "--engine",
    "--spark-conf": "--engine",
    "--split": "--holdout",
    "--since": "--transactions",
    "--until": "--transactions",
}
VALUES = {"--spark-conf": "a=b", "--since": "2026-01-01", "--until": "2026-01-01"}
ARGUMENTS = {
    ("publish",): ["nats://localhost", "--topic", "sales"],
    ("consume",): ["nats://localhost", "--topic", "sales"],
    ("campaigns", "plan"): ["1", "--audience", "1", "--arm", "x", "--outcome", "y"],
    ("consents", "set"): ["1", "marketing", "e-mail", "granted"],
    ("score",): ["x.csv"],
    ("import",): ["x.csv"],
    ("models", "onnx"): ["-o", "x"],
}


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_an_option_without_the_one_that_it_needs_is_refused(path: tuple[str, ...]) -> None:
    names = {name for option in options_of(path) for name in option.opts}
    needed = [p.name for p in COMMANDS[path].params if p.param_type_name == "argument"]
    arguments = ARGUMENTS.get(path, ["1"] * len(needed))
    for name, other in ONLY_WITH.items():
        if {name, other} <= names:
            refused = run(*path, *arguments, name, VALUES.get(name, "x"))

            assert refused.exit_code == ExitCode.USAGE
            assert f"{name} is for {other}" in plain(refused.stderr)


def options_of(path: tuple[str, ...]) -> list[Any]:
    return [p for p in COMMANDS[path].params if p.param_type_name == "option"]


def plain(told: str) -> str:
    """Return what is told without the frame around it."""
    return " ".join(told.replace("│", " ").split())


LIBRARIES = (
    *("adbc_driver_manager", "charset_normalizer", "fastapi", "httpx", "numpy", "pyarrow"),
    *("pydantic_settings", "sklearn", "sqlalchemy", "sqlglot", "structlog", "uvicorn"),
)
"""What takes longer to import than help may take; Typer itself reads options with Pydantic."""

SHOW_EACH = f"""
import io, sys
from contextlib import redirect_stdout
from customer_segmentation.cli.main import app

for line in sys.stdin.read().splitlines():
    with redirect_stdout(io.StringIO()) as shown:
        app([*line.split(), "--help"], standalone_mode=False)
    loaded = [name for name in {LIBRARIES} if name in sys.modules]
    print(line, "Usage:" in shown.getvalue(), *loaded, sep=";")
"""


def test_help_comes_at_once_as_it_imports_no_library_of_the_services() -> None:
    asked = ["", *map(" ".join, COMMANDS)]
    answered = subprocess.run(
        [sys.executable, "-c", SHOW_EACH],
        input="\n".join(asked),
        capture_output=True,
        text=True,
        check=True,
    )

    assert answered.stdout.splitlines() == [f"{line};True" for line in asked]
