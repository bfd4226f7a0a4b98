"""The command `customer-segmentation`."""

from typing import Annotated

import typer

from customer_segmentation import __version__
from customer_segmentation.cli.audiences import audiences
from customer_segmentation.cli.campaigns import campaigns
from customer_segmentation.cli.consents import consents
from customer_segmentation.cli.console.commands import Command, Commands
from customer_segmentation.cli.console.output import ExitCode
from customer_segmentation.cli.customers import customers
from customer_segmentation.cli.dashboard import dashboard
from customer_segmentation.cli.files.demo import demo
from customer_segmentation.cli.files.exporting import export
from customer_segmentation.cli.files.importing import import_files
from customer_segmentation.cli.files.init import init
from customer_segmentation.cli.files.scoring import score
from customer_segmentation.cli.models.jobs import jobs
from customer_segmentation.cli.models.study import study
from customer_segmentation.cli.models.training import train
from customer_segmentation.cli.models.versions import drift, models
from customer_segmentation.cli.operation.audit import audit
from customer_segmentation.cli.operation.keys import keys
from customer_segmentation.cli.operation.maintenance import backup, config, doctor, restore
from customer_segmentation.cli.operation.schema import schema
from customer_segmentation.cli.segments import segments
from customer_segmentation.cli.serve import serve
from customer_segmentation.cli.streams import consume, publish
from customer_segmentation.cli.transactions import transactions

app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    epilog="Exit codes: " + "; ".join(f"{code:d} {code.meaning}" for code in ExitCode) + ".",
)
for command in (serve, init, dashboard, export, score, train, drift, backup, restore, doctor, demo):
    app.command()(command)
app.command()(study)
app.command()(consume)
app.command()(publish)
app.command("import")(import_files)
app.add_typer(models, name="models")
app.add_typer(segments, name="segments")
app.add_typer(audiences, name="audiences")
app.add_typer(campaigns, name="campaigns")
app.add_typer(consents, name="consents")
app.add_typer(customers, name="customers")
app.add_typer(transactions, name="transactions")
app.add_typer(jobs, name="jobs")
app.add_typer(schema, name="schema")
app.add_typer(keys, name="keys")
app.add_typer(audit, name="audit")
app.add_typer(config, name="config")
for group in (app, *(found.typer_instance for found in app.registered_groups)):
    for found in group.registered_commands if group else ():
        found.cls = Command


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
