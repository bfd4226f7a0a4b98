"""The command that writes customers to files."""

import os
from math import isfinite
from typing import Annotated

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
from customer_segmentation.domain.paging import Selection
from customer_segmentation.domain.plurals import counted

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
    from customer_segmentation.domain.control_groups import ControlGroup
    from customer_segmentation.files.write.tables import open_writer
    from customer_segmentation.services.audiences.audiences import find_audience_id
    from customer_segmentation.services.campaigns.campaigns import find_campaign_id
    from customer_segmentation.services.customers.consents import agreement
    from customer_segmentation.services.transfer.exporting import (
        Export,
        count_left_out,
        export_customers,
    )

    if campaign is not None:
        refuse_given(context, "is not for --campaign, which has drawn already", "holdout", "split")
    purpose, channel = _consent(consent)
    if holdout is None:
        refuse_given(context, "is for --holdout", "split")
    elif not split.strip():
        raise typer.BadParameter(
            "must name the campaign that --holdout is for", param_hint="--split"
        )
    if url is not None:
        refuse_given(
            context, "is not for --url: the service has a salt of its own", "audience_salt"
        )
        check_outputs([output])
        from customer_segmentation.cli.audiences import find_audience
        from customer_segmentation.cli.campaigns import find_campaign
        from customer_segmentation.cli.files.remote import export_at

        with open_service(url, key) as service:
            chosen = None if audience is None else find_audience(service, audience)["id"]
            drawn = None if campaign is None else find_campaign(service, campaign)["id"]
            rows = export_at(
                service,
                output,
                format=output_format(output, to),
                segment=segment,
                audience_id=chosen,
                campaign_id=drawn,
                purpose=purpose,
                channel=channel,
                min=_bounds("--min", least),
                max=_bounds("--max", most),
                holdout=holdout,
                split=split,
                by=this_person(),
            )
        errors.print(f"{counted(rows, 'customer')} written")
        return
    if audience_salt is None:
        audience_salt = os.environ.get(_SALT)  # The command line takes an empty one for none.
    if audience_salt is not None and not audience_salt.strip():
        raise typer.BadParameter("the salt is empty, and must be a secret", param_hint=_SALT)
    lower, upper = _bounds("--min", least), _bounds("--max", most)
    control = None if holdout is None else ControlGroup(split, holdout)
    form = output_format(output, to)
    check_outputs([output])
    rows = 0
    with open_database() as units:
        chosen = None if audience is None else find_audience_id(units, audience)
        drawn = None if campaign is None else find_campaign_id(units, campaign)
        asked = agreement(read_settings(), purpose, [channel]) if purpose else None
        selection = Selection(segment, chosen, drawn, asked, lower, upper)
        wanted = Export(selection, control, audience_salt)
        left_out = count_left_out(units, selection)
        batches = export_customers(units, wanted)
        with open_writer(output_target(output), wanted.columns(units.schema), form) as writer:
            for batch in batches:
                writer.write(batch)
                rows += batch.num_rows
    errors.print(f"{counted(rows, 'customer')} written")
    if purpose:
        errors.print(f"{counted(left_out, 'customer')} left out, who have not agreed")


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
