"""Commands on models: list, show, activate, compare, record, sql, onnx; and drift."""

import json
from pathlib import Path
from typing import Annotated

import typer

from customer_segmentation.cli.console.options import (
    AsJson,
    By,
    Key,
    Reason,
    Url,
    check_dialect,
    complete_dialects,
    complete_versions,
)
from customer_segmentation.cli.console.output import (
    amount,
    moment,
    percent,
    print_json,
    print_table,
    say,
    this_person,
)
from customer_segmentation.cli.console.service import Json, open_service
from customer_segmentation.cli.files.outputs import STANDARD, check_outputs, open_output
from customer_segmentation.domain.paging import LARGEST_VERSION
from customer_segmentation.domain.plurals import counted

_STILL_THERE = ("kept", "new")
_NOBODY = "\N{EN DASH}"
"""Stands for the size of a segment that a version does not have."""

models = typer.Typer(no_args_is_help=True, help="List model versions and activate one.")

_Version = Annotated[
    int,
    typer.Argument(
        help="The version.", min=1, max=LARGEST_VERSION, autocompletion=complete_versions
    ),
]


@models.command("list")
def list_models(url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """List the model versions, the newest first.

    Example: customer-segmentation models list
    """
    with open_service(url, key) as service:
        found = service.list_models()
    if as_json:
        print_json(found)
        return
    columns = ("version", "trained", "because of", "customers", "silhouette", "stability", "state")
    rows = [
        (
            str(model["version"]),
            moment(model["created_at"]),
            model["trigger"],
            amount(model["customers"]),
            f"{model['quality']['silhouette']:.2f}",
            f"{model['quality']['stability']:.2f}",
            _state(model),
        )
        for model in found["models"]
    ]
    print_table(columns, rows)


@models.command("show")
def show_model(
    version: _Version, url: Url = None, key: Key = None, as_json: AsJson = False
) -> None:
    """Tell what a version's segments are like, how it was trained and when it served.

    Example: customer-segmentation models show 1
    """
    with open_service(url, key) as service:
        found = service.get_model(version)
    if as_json:
        print_json(found)
        return
    parameters = found["parameters"]
    facts = [
        ("state", _state(found)),
        ("trained", f"{moment(found['created_at'])} because of: {found['trigger']}"),
        ("by", found["created_by"]),
        ("reason", found["reason"]),
        ("customers", amount(found["customers"])),
        ("seed", str(parameters["seed"])),
        ("left out", ", ".join(parameters["excluded"])),
        ("silhouette", f"{found['quality']['silhouette']:.2f}"),
        ("stability", f"{found['quality']['stability']:.2f}"),
    ]
    facts += [("served from", moment(past["activated_at"])) for past in found["activations"]]
    print_table(("what", "value"), facts)
    sizes = found["quality"]["sizes"]
    rows = [
        (str(s["number"]), s["name"], amount(sizes[str(s["number"])])) for s in found["segments"]
    ]
    print_table(("segment", "name", "customers at training"), rows)


@models.command("activate")
def activate_model(
    version: _Version,
    by: By = None,
    reason: Reason = "",
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Make a version serve, a candidate or an older one; running servers notice it by themselves.

    Every customer is segmented by it at once; the history tells it as "retrained" for a newer
    version and as "rolled back" for an older one.

    Example: customer-segmentation models activate 1 --reason "the new one was too coarse"
    """
    with open_service(url, key) as service:
        found = service.activate_model(version, this_person() if by is None else by, reason)
    if as_json:
        print_json(found)
    else:
        say(f"Model version {version} is now active")


@models.command("compare")
def compare_models(
    before: _Version, after: _Version, url: Url = None, key: Key = None, as_json: AsJson = False
) -> None:
    """Tell which customers would move if one version served in place of another.

    Example: customer-segmentation models compare 1 2
    """
    with open_service(url, key) as service:
        found = service.get_impact(after, before)
    if as_json:
        print_json(found)
        return
    say(
        f"{amount(found['moved'])} of {counted(found['customers'], 'customer')} would move "
        f"({percent(found['moved_share'])})"
    )
    rows = [
        (
            str(segment["number"]),
            segment["name"],
            segment["fate"],
            _NOBODY if segment["fate"] == "new" else amount(segment["size_before"]),
            amount(segment["size_after"]) if segment["fate"] in _STILL_THERE else _NOBODY,
        )
        for segment in found["segments"]
    ]
    print_table(("segment", "name", "what becomes of it", "before", "after"), rows)


@models.command("record")
def write_record(
    version: _Version,
    to: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="File; - is standard output.",
            dir_okay=False,
            show_default="standard output",
        ),
    ] = None,
    url: Url = None,
    key: Key = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of Markdown.")] = False,
) -> None:
    """Write the document on a version for the model-risk file.

    Example: customer-segmentation models record 1 -o model-1.md
    """
    from customer_segmentation.services.models.record import record_markdown

    check_outputs([to])
    with open_service(url, key) as service:
        record = service.get_record(version)
    text = json.dumps(record, indent=2) + "\n" if as_json else record_markdown(record)
    with open_output(to) as file:
        file.write(text.encode())


@models.command("sql")
def write_rule(
    dialect: Annotated[
        str,
        typer.Option(
            help="Of SQL: postgres, duckdb, snowflake, bigquery, spark, sqlserver, …",
            autocompletion=complete_dialects,
            callback=check_dialect,
        ),
    ] = "postgres",
    table: Annotated[
        str, typer.Option(help="With columns by the attributes' names, and customer_id.")
    ] = "customers",
    view: Annotated[
        str | None, typer.Option(help="Create a view of this name, in place of a query.")
    ] = None,
    url: Url = None,
    key: Key = None,
) -> None:
    """Print the rule of the active model as SQL, to assign customers inside a warehouse.

    Example: customer-segmentation models sql --dialect snowflake --view customer_segments
    """
    with open_service(url, key) as service:
        typer.echo(service.get_sql(dialect, table, view)["sql"] + ";")


@models.command("onnx")
def write_network(
    to: Annotated[
        Path,
        typer.Option("--output", "-o", help="File; - is standard output.", dir_okay=False),
    ],
    url: Url = None,
    key: Key = None,
) -> None:
    """Write the rule of the active model as ONNX, to assign customers in other runtimes.

    Its input are the attributes, (n, 14), as float64 in the order that the file's metadata tell;
    its output the numbers of the segments, (n,), as int64. It needs the extra onnx.

    Example: customer-segmentation models onnx -o segments.onnx
    """
    check_outputs([to])
    with open_service(url, key) as service, open_output(to) as file:
        rule = service.get_onnx()
        file.write(rule)
    if to != STANDARD:
        say(f"{to}: {counted(len(rule), 'byte')}")


def drift(url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Tell how far the customers have drifted from those that the active model was trained on.

    Example: customer-segmentation drift
    """
    with open_service(url, key) as service:
        found = service.get_drift()
    if as_json:
        print_json(found)
        return
    rows = [
        (
            attribute["attribute"],
            f"{attribute['psi']:.4f}",
            attribute["level"],
            f"{attribute['p_value']:.3f}",
        )
        for attribute in found["attributes"]
    ]
    rows.append(("segments", f"{found['segments_psi']:.4f}", "", ""))
    version, level, psi = found["model_version"], found["level"], found["psi"]
    say(f"Model version {version}: drift is {level} ({psi:.4f})")
    print_table(("attribute", "stability index", "meaning", "p-value"), rows)


def _state(model: Json) -> str:
    if model["is_active"]:
        return "active"
    if model["has_served"]:
        return "previously active; roll back to it" if model["is_previous"] else "previously active"
    return f"held back: {' '.join(model['held_back'])}" if model["held_back"] else ""
