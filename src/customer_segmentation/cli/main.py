"""The command `customer-segmentation`."""

from typing import Annotated

import typer

from customer_segmentation import __version__
from customer_segmentation.cli.audit import audit
from customer_segmentation.cli.console import ExitCode
from customer_segmentation.cli.customers import customers
from customer_segmentation.cli.dashboard import dashboard
from customer_segmentation.cli.demo import demo
from customer_segmentation.cli.exporting import export
from customer_segmentation.cli.importing import import_files
from customer_segmentation.cli.jobs import jobs
from customer_segmentation.cli.keys import keys
from customer_segmentation.cli.models import drift, models
from customer_segmentation.cli.operation import backup, config, doctor, restore
from customer_segmentation.cli.scoring import score
from customer_segmentation.cli.segments import segments
from customer_segmentation.cli.serve import serve
from customer_segmentation.cli.study import study
from customer_segmentation.cli.training import train

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    epilog="Exit codes: " + "; ".join(f"{code:d} {code.meaning}" for code in ExitCode) + ".",
)
for command in (serve, dashboard, export, score, train, drift, backup, restore, doctor, demo):
    app.command()(command)
app.command()(study)
app.command("import")(import_files)
app.add_typer(models, name="models")
app.add_typer(segments, name="segments")
app.add_typer(customers, name="customers")
app.add_typer(jobs, name="jobs")
app.add_typer(keys, name="keys")
app.add_typer(audit, name="audit")
app.add_typer(config, name="config")


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
    """Real-time customer segmentation: which segment, why, and what to do about it.

    Commands that take --url work on the local database, or on the service at that address.
    """
