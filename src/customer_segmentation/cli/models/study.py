"""The command that studies how many segments suit the customers."""

from typing import Annotated

import typer

from customer_segmentation.cli.console.options import AsJson, By, Key, Reason, Url
from customer_segmentation.cli.console.output import (
    ExitCode,
    complain,
    percent,
    print_json,
    print_table,
    say,
    this_person,
)
from customer_segmentation.cli.console.service import open_service
from customer_segmentation.cli.models.training import follow
from customer_segmentation.domain.jobs import JobState
from customer_segmentation.domain.segments import MAX_SEGMENTS, MIN_SEGMENTS

_FIGURES = ("silhouette", "stability", "calinski_harabasz", "davies_bouldin")


def study(
    segments: Annotated[
        list[int] | None,
        typer.Option(
            help="Number of segments to try; repeatable.",
            min=MIN_SEGMENTS,
            max=MAX_SEGMENTS,
            show_default=f"{MIN_SEGMENTS} to {MAX_SEGMENTS}",
        ),
    ] = None,
    by: By = None,
    reason: Reason = "",
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Study how many segments and which preparation suit the customers; nothing else changes.

    Example: customer-segmentation study --segments 3 --segments 4 --segments 5
    """
    ks = segments or list(range(MIN_SEGMENTS, MAX_SEGMENTS + 1))
    with open_service(url, key) as service:
        who = this_person() if by is None else by
        job = follow(service, lambda: service.begin_study(ks=ks, by=who, reason=reason))
        found = service.get_study(job["id"])
    if found["state"] != JobState.SUCCEEDED:
        complain(f"The study is {found['state']}: {found['error']}")
        raise typer.Exit(ExitCode.FAILED)
    if as_json:
        print_json(found)
        return
    result = found["result"]
    rows = [
        (
            str(trial["k"]),
            trial["weighting"],
            *(f"{trial[figure]:.3f}" for figure in _FIGURES),
            percent(trial["least_share"]),
            "yes" if trial["passes"] else f"no: {', '.join(trial['fails'])}",
        )
        for trial in result["trials"]
    ]
    names = [figure.replace("_", "-") for figure in _FIGURES]
    print_table(("segments", "weights", *names, "smallest", "passes"), rows)
    say(result["reason"])
