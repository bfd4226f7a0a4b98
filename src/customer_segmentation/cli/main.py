"""The command `customer-segmentation`."""

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated

import typer
import uvicorn
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table
from uvicorn.supervisors import Multiprocess

from customer_segmentation import __version__
from customer_segmentation.domain.errors import SegmentationError
from customer_segmentation.services.logs import configure_logs
from customer_segmentation.services.settings import Settings
from customer_segmentation.services.startup import begin_start, finish_start, open_units
from customer_segmentation.services.unit_of_work import UnitsOfWork
from customer_segmentation.services.versions import activate_version, list_versions

app = typer.Typer(no_args_is_help=True, pretty_exceptions_show_locals=False)
models = typer.Typer(no_args_is_help=True, help="List model versions, and choose which one serves.")
app.add_typer(models, name="models")
console = Console(stderr=True, highlight=False, soft_wrap=True)

_BAD_SETTINGS = 2


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Real-time customer segmentation: which segment, why, and what to do about it."""


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on [127.0.0.1].")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on [8000].")] = None,
    workers: Annotated[int | None, typer.Option(help="Server processes [1].")] = None,
    data: Annotated[
        Path | None, typer.Option(help="CSV file for the first start to load.", dir_okay=False)
    ] = None,
) -> None:
    """Serve the HTTP API; on a first start, load the data and train the model.

    Every option, and more, can be given as an environment variable; an option given here wins.
    """
    given = {"HOST": host, "PORT": port, "WORKERS": workers, "DATA": data}
    for name, value in given.items():
        if value is not None:
            # Server processes read their settings from the environment too.
            os.environ[f"CUSTOMER_SEGMENTATION_{name}"] = str(value)
    settings = _read_settings()
    configure_logs()
    server = uvicorn.Config(
        "customer_segmentation.api.app:create_app",
        factory=True,
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        access_log=False,
        server_header=False,
        log_config=None,
        timeout_graceful_shutdown=30,
    )
    try:
        loading = begin_start(settings)
        if loading is not None:
            console.print(f"Loading {settings.data} and training the first model", markup=False)
            server.load()  # Importing the application takes as long as part of the training.
            finish_start(settings, loading)
        elif data is not None:
            console.print(f"The database has its first data already: {data} is not loaded.")
    except SegmentationError as error:
        console.print(f"customer-segmentation: {error}", style="red", markup=False)
        raise typer.Exit(1) from error
    console.print(f"API: http://{settings.host}:{settings.port}/docs (Ctrl+C stops)", markup=False)
    if settings.workers > 1:
        Multiprocess(server, sockets=[server.bind_socket()]).run()
    else:
        uvicorn.Server(server).run()


@models.command("list")
def list_models() -> None:
    """List the model versions, the newest first."""
    table = Table("version", "trained", "customers", "silhouette", "stability", "state")
    with _units() as units:
        for version in list_versions(units):
            state = "active" if version.is_active else ""
            if version.held_back and not version.is_active:
                state = f"held back: {' '.join(version.held_back)}"
            table.add_row(
                str(version.number),
                f"{version.created_at:%Y-%m-%d %H:%M:%S} UTC",
                f"{version.customers:,}",
                f"{version.quality.silhouette:.2f}",
                f"{version.quality.stability:.2f}",
                state,
            )
    Console().print(table)


@models.command("activate")
def activate_model(
    version: Annotated[int, typer.Argument(help="The version that is to serve.")],
) -> None:
    """Make a version serve, a candidate or an older one; running servers notice it by themselves.

    Every customer is segmented by it at once; the history tells it as "retrained" for a newer
    version and as "rolled back" for an older one.
    """
    with _units() as units:
        activate_version(units, version)
    typer.echo(f"Model version {version} serves")


@contextmanager
def _units() -> Iterator[UnitsOfWork]:
    """Open the database of the settings; tell an expected error and exit."""
    try:
        with closing(open_units(_read_settings())) as units:
            yield units
    except SegmentationError as error:
        console.print(f"customer-segmentation: {error}", style="red", markup=False)
        raise typer.Exit(1) from error


def _read_settings() -> Settings:
    try:
        return Settings()
    except ValidationError as invalid:
        for error in invalid.errors():
            name = ".".join(str(part) for part in error["loc"])
            console.print(f"customer-segmentation: setting {name}: {error['msg']}", markup=False)
        raise typer.Exit(_BAD_SETTINGS) from invalid
