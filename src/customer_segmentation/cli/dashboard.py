"""The command that serves the dashboard."""

import importlib.util
import json
import os
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from customer_segmentation.cli.console.options import check_address
from customer_segmentation.cli.console.output import errors_told
from customer_segmentation.domain.errors import ExtraMissingError

_PAGES = Path(__file__).parents[1] / "dashboard" / "__main__.py"
_CONFIG = _PAGES.with_name("config.toml")


def dashboard(
    url: Annotated[
        str,
        typer.Option(
            help="The service's address.",
            envvar="CUSTOMER_SEGMENTATION_URL",
            callback=check_address,
        ),
    ] = "http://localhost:8000",
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8501,
) -> None:
    """Serve the dashboard of a running service.

    Where the service asks for keys, put one of role admin into CUSTOMER_SEGMENTATION_KEY: what the
    dashboard may do, its visitors may.

    Example: customer-segmentation dashboard --url http://localhost:8000
    """
    with errors_told():
        if importlib.util.find_spec("streamlit") is None:
            raise ExtraMissingError("dashboard", "the dashboard")
    options = {**_read_options(), "server.address": host, "server.port": str(port)}
    command = [sys.executable, "-m", "streamlit", "run", str(_PAGES)]
    command += [f"--{name}={value}" for name, value in options.items()]
    # In this very process, so that a signal that is to end it meets no one in between.
    os.execve(sys.executable, command, os.environ | {"CUSTOMER_SEGMENTATION_URL": url})  # noqa: S606


def _read_options() -> dict[str, str]:
    """Return the options of `config.toml`, as Streamlit's command line takes them."""
    return dict(_flat("", tomllib.loads(_CONFIG.read_text())))


def _flat(prefix: str, table: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(f"{prefix}{name}.", value)
        else:
            yield f"{prefix}{name}", value if isinstance(value, str) else json.dumps(value)
