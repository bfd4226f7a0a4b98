"""Every command explains itself, with an example that is one, and its exit codes."""

import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
import typer.main
from typer.testing import CliRunner

from customer_segmentation.cli.console import ExitCode
from customer_segmentation.cli.main import app
from tests.commands import run


def commands_of(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:  # noqa: ANN401
    """Yield each command with the words that call it."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands_of(command, (*path, name))
        else:
            yield (*path, name), command


COMMANDS = dict(commands_of(typer.main.get_command(app)))


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
