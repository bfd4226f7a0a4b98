"""Running the command line, in the tests' own process or in one of its own."""

import json
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import typer.main
from typer.testing import CliRunner, Result

from customer_segmentation.cli.main import app
from tests.support.forked import ForkedCommand

WIDE = {"COLUMNS": "200", "TERM": "dumb"}


def run(
    *arguments: str, env: Mapping[str, str | None] | None = None, given: bytes | None = None
) -> Result:
    """Run a command, given something on standard input; how it ended is in the result."""
    unset = {"CUSTOMER_SEGMENTATION_URL": None, "CUSTOMER_SEGMENTATION_KEY": None}
    environment = {**WIDE, **unset, **(env or {})}
    result = CliRunner().invoke(app, arguments, env=environment, input=given)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def run_json(*arguments: str, env: Mapping[str, str | None] | None = None) -> Any:  # noqa: ANN401
    """Run a command with `--json`; return what it answers."""
    result = run(*arguments, "--json", env=env)
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def command(url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a process of its own, on a database."""
    return run_apart(arguments, os.environ | {"DATABASE_URL": url, "COLUMNS": "200"}, Path.cwd())


def run_apart(
    arguments: Sequence[str], environment: Mapping[str, str], directory: Path
) -> subprocess.CompletedProcess[str]:
    """Run a command in a process of its own, with nothing else in its environment."""
    with TemporaryDirectory() as folder:
        output, errors = Path(folder, "output"), Path(folder, "errors")
        process = ForkedCommand(arguments, directory, environment, output, errors)
        status = process.wait(timeout=250)
        return subprocess.CompletedProcess(
            arguments, status, output.read_text(), errors.read_text()
        )


def commands_of(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:  # noqa: ANN401
    """Yield each command with the words that call it."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands_of(command, (*path, name))
        else:
            yield (*path, name), command


COMMANDS = dict(commands_of(typer.main.get_command(app)))
