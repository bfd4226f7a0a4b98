"""Running the command line in the tests' own process."""

import json
from collections.abc import Mapping
from typing import Any

from typer.testing import CliRunner, Result

from customer_segmentation.cli.main import app

WIDE = {"COLUMNS": "200", "TERM": "dumb"}


def run(*arguments: str, env: Mapping[str, str | None] | None = None) -> Result:
    """Run a command; how it ended is in the result."""
    given = {"CUSTOMER_SEGMENTATION_URL": None, "CUSTOMER_SEGMENTATION_KEY": None}
    result = CliRunner().invoke(app, arguments, env={**WIDE, **given, **(env or {})})
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def run_json(*arguments: str, env: Mapping[str, str | None] | None = None) -> Any:  # noqa: ANN401
    """Run a command with `--json`; return what it answers."""
    result = run(*arguments, "--json", env=env)
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)
