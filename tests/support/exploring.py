"""Letting schemathesis call a server as its OpenAPI document says."""

import os
import subprocess
import sys
from pathlib import Path

from tests.support.servers import Server

FEW = 10
EXAMPLES = int(os.environ.get("EXAMPLES", FEW))

# schemathesis knows a deletion by its method only, and files as there from the beginning.
_UNKNOWN_TO_IT = (
    "/delete_customer_from_database",
    "/v1/customers:batch",
    "/v1/exports/{export_id}/file",
    "/v1/imports/{import_id}/rejects",
)
STATEFUL = ("--phases=stateful", *(f"--exclude-path={path}" for path in _UNKNOWN_TO_IT))
"""Options with which one call uses what another told."""

_HOOKS = {
    "SCHEMATHESIS_HOOKS": "tests.support.schemathesis_hooks",
    "PYTHONPATH": os.pathsep.join(sys.path),
}


def explore(server: Server, directory: Path, *options: str) -> None:
    """Let schemathesis call a server as its document says, and hold the answers to it."""
    found = subprocess.run(
        [
            str(Path(sys.executable).parent / "schemathesis"),
            f"--config-file={Path(__file__).parents[1] / 'schemathesis.toml'}",
            "run",
            f"{server.url}/openapi.json",
            "--checks=all",
            "--seed=1",
            "--request-timeout=60",
            # How fast an answer is, benchmarks tell.
            "--max-response-time=60",
            # How fast a body is drawn says more about the machine's other work.
            "--suppress-health-check=too_slow",
            "--exclude-path=/retrain_model_with_latest_data",
            "--no-color",
            *options,
        ],
        cwd=directory,
        env=os.environ | _HOOKS,
        capture_output=True,
        text=True,
        check=False,
    )

    assert found.returncode == 0, found.stdout[-8000:] + found.stderr[-2000:]
    assert "internal-error" not in server.log
