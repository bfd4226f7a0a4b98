"""The command that serves the HTTP API."""

import os
import tempfile
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
import uvicorn
from uvicorn.supervisors import Multiprocess

from customer_segmentation.cli.connections import Connection
from customer_segmentation.cli.console import errors, errors_told, read_settings
from customer_segmentation.services.logs import configure_logs
from customer_segmentation.services.startup import begin_start, check_exposure, finish_start


def serve(
    host: Annotated[
        str | None, typer.Option(help="Address to listen on.", show_default="127.0.0.1")
    ] = None,
    port: Annotated[
        int | None, typer.Option(help="Port to listen on.", show_default="8000")
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Server processes.", show_default="1")] = None,
    data: Annotated[
        Path | None, typer.Option(help="CSV file for the first start to load.", dir_okay=False)
    ] = None,
) -> None:
    """Serve the HTTP API; on a first start, load the data and train the model.

    Every option, and more, can be given as an environment variable; an option given here wins.

    Example: customer-segmentation serve --port 8080 --workers 4
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
        http=partial(Connection, settings.body_seconds),  # type: ignore[arg-type]
        ws="none",
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
