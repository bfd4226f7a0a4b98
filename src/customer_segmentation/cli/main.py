"""The command `customer-segmentation`."""

import os
import tempfile
from pathlib import Path
from typing import Annotated

import typer
import uvicorn
from uvicorn.supervisors import Multiprocess

from customer_segmentation import __version__
from customer_segmentation.cli.audit import audit
from customer_segmentation.cli.console import errors, errors_told, read_settings
from customer_segmentation.cli.dashboard import dashboard
from customer_segmentation.cli.exporting import export
from customer_segmentation.cli.importing import import_files
from customer_segmentation.cli.keys import keys
from customer_segmentation.cli.models import drift, jobs, models, train
from customer_segmentation.cli.operation import backup, config, doctor, restore
from customer_segmentation.cli.scoring import score
from customer_segmentation.services.logs import configure_logs
from customer_segmentation.services.startup import begin_start, check_exposure, finish_start

app = typer.Typer(no_args_is_help=True, pretty_exceptions_show_locals=False)
app.add_typer(models, name="models")
app.add_typer(jobs, name="jobs")
app.add_typer(keys, name="keys")
app.add_typer(config, name="config")
app.add_typer(audit, name="audit")
app.command("import")(import_files)
app.command()(export)
app.command()(score)
app.command()(dashboard)
app.command()(backup)
app.command()(restore)
app.command()(doctor)
app.command()(train)
app.command()(drift)


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
    host: Annotated[str | None, typer.Option(help="Address to listen on (127.0.0.1).")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on (8000).")] = None,
    workers: Annotated[int | None, typer.Option(help="Server processes (1).")] = None,
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
    settings = read_settings()
    configure_logs(settings.log_format)
    server = uvicorn.Config(
        "customer_segmentation.api.app:create_app",
        factory=True,
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        access_log=False,
        server_header=False,
        log_config=None,
        # Longer than clients and proxies keep a connection, so that they close it and none of
        # their requests meets one that is being closed.
        timeout_keep_alive=75,
        timeout_graceful_shutdown=30,
    )
    with errors_told():
        check_exposure(settings)
        loading = begin_start(settings)
        if loading is not None:
            errors.print(f"Loading {settings.data} and training the first model", markup=False)
            server.load()  # Importing the application takes as long as part of the training.
            finish_start(settings, loading)
        elif data is not None:
            errors.print(f"The database has its first data already: {data} is not loaded.")
    errors.print(f"API: http://{settings.host}:{settings.port}/docs (Ctrl+C stops)", markup=False)
    if settings.workers > 1:
        # Read when prometheus-client is imported, by each server process.
        os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", tempfile.mkdtemp(prefix="metrics-"))
        Multiprocess(server, sockets=[server.bind_socket()]).run()
    else:
        uvicorn.Server(server).run()
