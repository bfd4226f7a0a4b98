"""The command that serves the HTTP API."""

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from customer_segmentation.cli.console.commands import refuse_given
from customer_segmentation.cli.console.output import errors, read_settings, visible, warn
from customer_segmentation.domain.errors import AddressError

if TYPE_CHECKING:
    from customer_segmentation.services.runtime.settings import Settings

_WAITING = 2048
"""Connections that may wait to be accepted, as uvicorn has it."""


def serve(
    context: typer.Context,
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
    schema: Annotated[
        Path | None,
        typer.Option(
            help="Schema file that says what a customer is made of, for a database that is new.",
            dir_okay=False,
        ),
    ] = None,
    demo: Annotated[
        bool | None,
        typer.Option(
            "--demo/--no-demo",
            help="Whether a first start without --data loads the shipped data set, as a "
            "demonstration; if not, import your own customers.",
            show_default="demo",
        ),
    ] = None,
) -> None:
    """Serve the HTTP API; on a first start, load the data and train the model.

    Every option, and more, can be given as an environment variable; an option given here wins.

    Example: customer-segmentation serve --port 8080 --workers 4
    """
    import logging

    import uvicorn
    from uvicorn.supervisors import Multiprocess

    from customer_segmentation.services.operation.startup import (
        begin_start,
        check_exposure,
        finish_start,
        is_open_to_all,
    )
    from customer_segmentation.services.runtime.logs import configure_logs

    if data is not None:
        refuse_given(context, "is not for --data, which is loaded in its place", "demo")
    # The server ends its requests first, and then itself.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    given = {
        "HOST": host,
        "PORT": port,
        "WORKERS": workers,
        "DATA": data,
        "DEMO": demo,
        "SCHEMA_FILE": schema,
    }
    for name, value in given.items():
        if value is not None:
            # Server processes read their settings from the environment too.
            os.environ[f"CUSTOMER_SEGMENTATION_{name}"] = str(value)
    settings = read_settings()
    configure_logs(settings.log_format)
    server = uvicorn.Config(
        "customer_segmentation.api.app:create_service",
        factory=True,
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        root_path=settings.root_path,
        http="customer_segmentation.api.http.connections:new_connection",
        ws="none",
        access_log=False,
        server_header=False,
        log_config=None,
        # Longer than clients and proxies keep a connection, so that they close it and none of
        # their requests meets one that is being closed.
        timeout_keep_alive=75,
        timeout_graceful_shutdown=30,
        # A busy machine may take long to start a process, which is not to be ended for that.
        timeout_worker_healthcheck=60,
    )
    with closing(_bind(settings.host, settings.port)) as address:
        check_exposure(settings)
        loading = begin_start(settings)
        if loading is not None:
            told = f"Loading {settings.data} and training the first model"
            errors.print(visible(told), markup=False)
            if settings.workers == 1:
                # Importing the application takes as long as part of the training. Several server
                # processes each import it, as it cannot be handed to them.
                server.load()
            finish_start(settings, loading)
        elif not settings.loads_data:
            errors.print(
                "Where the database is empty, the API answers 503 until customers are imported: "
                "customer-segmentation import FILE"
            )
        elif data is not None:
            warn(f"The database has its first data already: {data} is not loaded")
        _listen(address, settings)
        port = address.getsockname()[1]
        errors.print(f"API: http://{settings.host}:{port}/docs (Ctrl+C stops)", markup=False)
        if is_open_to_all(settings):
            logging.getLogger(__name__).warning(
                "Whoever reaches %s:%s may read, change and delete every customer, as no API key "
                "is asked for. Let only this machine reach the port (docker run -p "
                "127.0.0.1:8000:8000), or set CUSTOMER_SEGMENTATION_AUTH=keys",
                settings.host,
                port,
            )
        if settings.workers > 1:
            with TemporaryDirectory(prefix="metrics-") as folder:
                # Read when prometheus-client is imported, by each server process.
                os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", folder)
                Multiprocess(server, sockets=[address]).run()
        else:
            uvicorn.Server(server).run(sockets=[address])


def _bind(host: str, port: int) -> socket.socket:
    """Take the address, before anything else is begun.

    Raises:
        AddressError: it cannot be had.
    """
    address = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    address.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    address.set_inheritable(True)
    try:
        with _address_told(host, port):
            host.encode("idna")  # As a name is sent; what cannot be is no name.
            address.bind((host, port))
    except AddressError:
        address.close()
        raise
    return address


def _listen(address: socket.socket, settings: "Settings") -> None:
    with _address_told(settings.host, settings.port):
        address.listen(_WAITING)


@contextmanager
def _address_told(host: str, port: int) -> Iterator[None]:
    try:
        yield
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "this is no host's name"
        raise AddressError(
            f"{host}:{port} cannot be listened on: {reason}; name another with --host and --port"
        ) from error
