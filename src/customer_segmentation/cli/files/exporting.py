"""The command that writes customers to files."""

import os
from dataclasses import replace
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from customer_segmentation.cli.console.commands import refuse_given
from customer_segmentation.cli.console.options import Key, Url
from customer_segmentation.cli.console.output import (
    errors,
    open_database,
    read_settings,
    this_person,
)
from customer_segmentation.cli.console.service import open_service
from customer_segmentation.cli.files.outputs import (
    OutputFormatOption,
    OutputOption,
    check_outputs,
    output_format,
    output_target,
)
from customer_segmentation.domain.numbers import Number, read_number
from customer_segmentation.domain.plurals import counted

if TYPE_CHECKING:
    from customer_segmentation.client import Client
    from customer_segmentation.files.formats import Format

Json = dict[str, Any]

_SALT = "CUSTOMER_SEGMENTATION_AUDIENCE_SALT"


def export(
    context: typer.Context,
    output: OutputOption = None,
    to: OutputFormatOption = None,
    segment: Annotated[int | None, typer.Option(help="Only customers of this segment.")] = None,
    audience: Annotated[
        str | None, typer.Option(help="Only customers of this audience, by its name or its id.")
    ] = None,
    campaign: Annotated[
        str | None,
        typer.Option(
            help="Only customers drawn into this campaign, with their arms; its name, or its id."
        ),
    ] = None,
    changes: Annotated[
        bool,
        typer.Option(
            "--changes",
            help="Only who came into the audience and who left it since this was done last.",
        ),
    ] = False,
    consent: Annotated[
        str | None,
        typer.Option(
            metavar="PURPOSE@CHANNEL",
            help="Only customers who have agreed to be addressed so, such as marketing@e-mail.",
        ),
    ] = None,
    least: Annotated[
        list[str] | None,
        typer.Option("--min", metavar="NAME=NUMBER", help="Only from this value on; repeatable."),
    ] = None,
    most: Annotated[
        list[str] | None,
        typer.Option("--max", metavar="NAME=NUMBER", help="Only up to this value; repeatable."),
    ] = None,
    holdout: Annotated[
        float | None,
        typer.Option(help="Percent of the customers to hold out of a campaign.", min=0, max=100),
    ] = None,
    split: Annotated[
        str, typer.Option(help="Name of the campaign, which draws who is held out.")
    ] = "",
    audience_salt: Annotated[
        str | None,
        typer.Option(
            help="Write an audience file: hashed ids only, without who is held out.",
            envvar=_SALT,
        ),
    ] = None,
    url: Url = None,
    key: Key = None,
) -> None:
    """Write customers with segment, confidence and strategy to a file or standard output.

    Example: customer-segmentation export --segment 2 --holdout 10 --split spring -o spring.csv
    """
    if campaign is not None:
        refuse_given(context, "is not for --campaign, which has drawn already", "holdout", "split")
    if changes and audience is None:
        raise typer.BadParameter("is for --audience", param_hint="--changes")
    if changes:
        refuse_given(context, "is not for --changes", "holdout", "split", "campaign")
    if holdout is None:
        refuse_given(context, "is for --holdout", "split")
    elif not split.strip():
        raise typer.BadParameter(
            "must name the campaign that --holdout is for", param_hint="--split"
        )
    purpose, channel = _consent(consent)
    told: Json = {
        "segment": segment,
        "purpose": purpose,
        "channel": channel,
        "holdout": holdout,
        "split": split,
        "changes": changes,
    }
    bounds = _bounds("--min", least), _bounds("--max", most)
    form = output_format(output, to)
    check_outputs([output])
    if url is not None:
        refuse_given(
            context, "is not for --url: the service has a salt of its own", "audience_salt"
        )
        with open_service(url, key) as service:
            rows, left_out = _export_at(service, output, (audience, campaign), bounds, form, told)
    else:
        salt = _checked_salt(audience_salt)
        rows, left_out = _export_here(output, (audience, campaign), bounds, form, salt, told)
    errors.print(f"{counted(rows, 'customer')} written")
    if purpose:
        errors.print(f"{counted(left_out, 'customer')} left out, who have not agreed")


_Names = tuple[str | None, str | None]
"""Of an audience and of a campaign."""

_Bounds = tuple[dict[str, Number], dict[str, Number]]
"""The least and the greatest values, by attribute."""


def _export_at(
    service: "Client",
    output: Path | None,
    names: _Names,
    bounds: _Bounds,
    form: "Format",
    told: Json,
) -> tuple[int, int]:
    """Have a service export; return how many customers were written, and how many left out."""
    from customer_segmentation.cli.audiences import find_audience
    from customer_segmentation.cli.campaigns import find_campaign
    from customer_segmentation.cli.files.remote import export_at

    audience, campaign = names
    result = export_at(
        service,
        output,
        format=form,
        audience_id=None if audience is None else find_audience(service, audience)["id"],
        campaign_id=None if campaign is None else find_campaign(service, campaign)["id"],
        min=bounds[0],
        max=bounds[1],
        by=this_person(),
        **told,
    )
    return int(result["customers"]), int(result["left_out"])


def _export_here(
    output: Path | None,
    names: _Names,
    bounds: _Bounds,
    form: "Format",
    salt: str | None,
    told: Json,
) -> tuple[int, int]:
    """Export from the local database; return as `_export_at`."""
    from customer_segmentation.files.write.tables import open_writer
    from customer_segmentation.services.audiences.audiences import find_audience_id
    from customer_segmentation.services.campaigns.campaigns import find_campaign_id
    from customer_segmentation.services.transfer.audience_changes import write_changes
    from customer_segmentation.services.transfer.exporting import count_left_out, export_customers
    from customer_segmentation.services.transfer.exports import ExportRequest

    audience, campaign = names
    rows = 0
    with open_database() as units:
        asked = ExportRequest(
            form,
            audience_id=None if audience is None else find_audience_id(units, audience),
            campaign_id=None if campaign is None else find_campaign_id(units, campaign),
            least=bounds[0],
            most=bounds[1],
            **told,
        )
        wanted = replace(asked.export(read_settings(), units.schema), salt=salt)
        left_out = count_left_out(units, wanted.selection)
        columns, target = wanted.columns(units.schema), output_target(output)
        if wanted.is_of_changes:
            with units.write() as work, open_writer(target, columns, form) as writer:
                return write_changes(work, wanted, writer.write), left_out
        batches = export_customers(units, wanted)
        with open_writer(target, columns, form) as writer:
            for batch in batches:
                writer.write(batch)
                rows += batch.num_rows
    return rows, left_out


def _checked_salt(salt: str | None) -> str | None:
    if salt is None:
        salt = os.environ.get(_SALT)  # The command line takes an empty one for none.
    if salt is not None and not salt.strip():
        raise typer.BadParameter("the salt is empty, and must be a secret", param_hint=_SALT)
    return salt


def _consent(text: str | None) -> tuple[str, str]:
    """Return the purpose and the channel that are asked for; empty where nothing is."""
    if text is None:
        return "", ""
    purpose, _, channel = text.partition("@")
    if not purpose.strip() or not channel.strip():
        raise typer.BadParameter("must be PURPOSE@CHANNEL", param_hint="--consent")
    return purpose, channel


def _bounds(option: str, given: list[str] | None) -> dict[str, Number]:
    """Read the bounds of an option, such as age=18."""
    bounds: dict[str, Number] = {}
    for text in given or []:
        name, _, number = text.partition("=")
        if not name.strip():
            raise typer.BadParameter("must be NAME=NUMBER", param_hint=option)
        if name in bounds:
            message = f"{name} is bounded more than once"
            raise typer.BadParameter(message, param_hint=option)
        try:
            bounds[name] = read_number(number)
            if not isfinite(bounds[name]):
                raise ValueError
        except ValueError as unreadable:
            message = f"{name} must be compared with a number"
            raise typer.BadParameter(message, param_hint=option) from unreadable
    return bounds
