"""The use case of a model's record for the model-risk file.

The headings follow what supervisors ask of a model's documentation (Board of Governors of the
Federal Reserve System, SR 26-2, which replaced SR 11-7). Every figure was measured by a training,
or is measured when the record is made; what is not known is said not to be.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

from customer_segmentation.domain.attributes import Attribute, Missing
from customer_segmentation.domain.numbers import readable
from customer_segmentation.domain.plurals import counted
from customer_segmentation.model.describing.profile import (
    GroupShares,
    group_shares,
    profile_segments,
)
from customer_segmentation.services.models.registry import Version, get_version, list_versions
from customer_segmentation.services.monitoring.distribution import drift_of, read_current
from customer_segmentation.services.runtime.clock import now
from customer_segmentation.services.runtime.settings import Settings
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork

_PURPOSE = (
    "Tells which segment a customer is in, so that marketing offers each segment what suits "
    "it. It must not be used for credit, pricing or eligibility decisions."
)
_RATING = (
    "How much depends on the model, and so how material it is, its owner must say: it is not kept "
    "here."
)
_METHOD = (
    "K-means (Lloyd 1982) with k-means++ starts (Arthur and Vassilvitskii 2007) over prepared "
    "attributes: skewed amounts and counts by sign(x) ln(1 + |x|); amounts, counts and scores in "
    "standard deviations; coded attributes by step of their code; each times its weight. A "
    "customer is in the segment of the nearest centroid. Clusters of a new training continue the "
    "active segments by an optimal assignment (Kuhn 1955) over centroid distance and shared "
    "customers, both within thresholds."
)
_ASSUMPTIONS = (
    "Attributes are measured alike for all customers and over time.",
    "Distances in prepared coordinates stand for how alike customers are; the weights say how "
    "much each attribute matters, and are a choice, not an estimate.",
)
_LIMITS = (
    "Segments overlap: near a border a small change of one attribute moves a customer. The "
    "confidence of an answer tells how near.",
    "K-means finds k groups in any data, also where there are none: see stability.",
    "It describes what customers are like and predicts nothing they will do.",
)


def get_record(units: UnitsOfWork, settings: Settings, number: int) -> dict[str, Any]:
    """Return the record of a model version.

    Raises:
        VersionNotFoundError: there is no such version.
    """
    version = get_version(units, number)
    model = version.model
    groups = {
        name: [asdict(group) for group in found]
        for name, found in group_shares(model, model.distribution).items()
    }
    return {
        "model": {
            "name": "Customer segmentation",
            "version": number,
            "trained_at": version.created_at.isoformat(),
            "is_active": version.is_active,
            "record_made_at": now().isoformat(),
        },
        "purpose": _PURPOSE,
        "materiality": {
            "customers": model.fingerprint.customers,
            "segments": len(model.segments),
            "strategies": sum(len(segment.strategies) for segment in model.segments),
            "rating": _RATING,
        },
        "data": {
            "customers": model.fingerprint.customers,
            "sha256": model.fingerprint.sha256,
            "attributes": [
                {
                    "attribute": feature.name,
                    "meaning": feature.description,
                    "weight": version.weights[feature.name],
                    **asdict(model.fingerprint.attributes[feature.name]),
                }
                for feature in model.attributes
            ],
        },
        "assumptions": [*_ASSUMPTIONS, *_assumed_of(model.attributes)],
        "method": {
            "description": _METHOD,
            "parameters": asdict(model.parameters),
            "libraries": model.libraries,
        },
        "limits": list(_LIMITS),
        "segments": [
            {
                "number": segment.number,
                "name": segment.name,
                "strategies": [asdict(strategy) for strategy in segment.strategies],
                "size": profile.size,
                "share": profile.share,
                "summary": profile.summary,
            }
            for segment, profile in zip(
                model.segments, profile_segments(model, model.distribution), strict=True
            )
        ],
        "stability": {
            "inertia": model.quality.inertia,
            "silhouette": model.quality.silhouette,
            "adjusted_rand_index_over_bootstraps": model.quality.stability,
            "gates": asdict(settings.gates),
            "held_back": list(version.held_back),
            "matching": [asdict(match) for match in model.matching],
        },
        "drift": _drift(units, version),
        "monitoring": {
            "retrain_schedule": settings.retrain_schedule or "never",
            "retrain_after_changes": settings.retrain_after_changes or "never",
            "retrain_on_drift": settings.retrain_on_drift or "never",
        },
        "fairness": {
            "excluded": list(model.parameters.excluded),
            "groups": groups,
            "genders": groups.get("gender", []),
            "age_bands": groups.get("age", []),
        },
        "approvals": {
            "proposed_by": version.origin.by,
            "trigger": version.origin.trigger,
            "reason": version.origin.reason,
            "second_person_required": settings.require_approval,
            "activations": [
                {
                    "activated_at": past.activated_at.isoformat(),
                    "activated_by": past.activated_by,
                    "cause": past.cause,
                    "reason": past.reason,
                    "previous": past.previous,
                }
                for past in version.activations
            ],
        },
        "change_log": [
            {
                "version": other.number,
                "trained_at": other.created_at.isoformat(),
                "trigger": other.origin.trigger,
                "by": other.origin.by,
                "customers": other.model.fingerprint.customers,
                "silhouette": other.model.quality.silhouette,
                "stability": other.model.quality.stability,
                "served": bool(other.activations),
            }
            for other in list_versions(units)
            if other.number <= number
        ],
    }


def record_markdown(record: dict[str, Any]) -> str:
    """Write a record, by `get_record`, as Markdown."""
    model, data, approvals = record["model"], record["data"], record["approvals"]
    stability, method = record["stability"], record["method"]
    materiality, monitoring = record["materiality"], record["monitoring"]
    lines = [
        f"# Model record: {model['name']}, version {model['version']}",
        f"Trained {model['trained_at']}, record made {model['record_made_at']}. "
        f"{'It serves.' if model['is_active'] else 'It does not serve.'}",
        "## Purpose",
        record["purpose"],
        "## Materiality",
        f"Exposure: {counted(materiality['customers'], 'customer')} in "
        f"{counted(materiality['segments'], 'segment')}, "
        f"with {counted(materiality['strategies'], 'strategy', 'strategies')}. "
        f"{materiality['rating']}",
        "## Data",
        f"{counted(data['customers'], 'customer')}, SHA-256 `{data['sha256']}`.",
        _table(
            data["attributes"], ("attribute", "weight", "mean", "deviation", "minimum", "maximum")
        ),
        "## Assumptions",
        _list(record["assumptions"]),
        "## Method",
        method["description"],
        _list(f"{name}: {value}" for name, value in method["parameters"].items()),
        "Fitted with " + ", ".join(f"{n} {v}" for n, v in method["libraries"].items()) + ".",
        "## Limits",
        _list(record["limits"]),
        "## Segments",
        _table(record["segments"], ("number", "name", "size", "share", "summary")),
        "## Stability",
        _list(
            [
                f"silhouette (sampled): {stability['silhouette']:.3f}",
                "mean adjusted Rand index over reseeded bootstraps: "
                f"{stability['adjusted_rand_index_over_bootstraps']:.3f}",
                f"inertia: {stability['inertia']:,.0f}",
                *(f"gate now, {n.replace('_', ' ')}: {v}" for n, v in stability["gates"].items()),
                f"held back: {'; '.join(stability['held_back']) or 'no'}",
            ]
        ),
        _table(stability["matching"], ("number", "distance", "overlap"))
        if stability["matching"]
        else "The first model: nothing to match.",
        "## Drift",
        _drift_markdown(record["drift"]),
        "## Ongoing monitoring",
        "Sizes, profiles and drift follow each change of a customer. A training that is not asked "
        "for starts, as set now:",
        _list(f"{name.replace('_', ' ')}: {value}" for name, value in monitoring.items()),
        "## Fairness by protected attribute",
        f"Left out of the model: {', '.join(record['fairness']['excluded']) or 'nothing'}. Each "
        "figure is the share of the group that is in the segment, at training.",
        *_fairness_markdown(record["fairness"]["groups"]),
        "## Approvals",
        _list(
            [
                f"trained because of: {approvals['trigger']}; "
                f"by: {approvals['proposed_by'] or 'not known'}; "
                f"reason: {approvals['reason'] or 'none given'}",
                "second person required now: "
                f"{'yes' if approvals['second_person_required'] else 'no'}",
                *(
                    f"activated {past['activated_at']} by {past['activated_by'] or 'not known'} "
                    f"({past['cause']}): {past['reason'] or 'no reason given'}"
                    for past in approvals["activations"]
                ),
            ]
        ),
        "## Change log",
        _table(
            record["change_log"],
            (
                "version",
                "trained_at",
                "trigger",
                "by",
                "customers",
                "silhouette",
                "stability",
                "served",
            ),
        ),
    ]
    return "\n\n".join(lines) + "\n"


def _drift(units: UnitsOfWork, version: Version) -> dict[str, Any] | None:
    """Return how far customers have drifted; it is counted for the active version only."""
    if not version.is_active:
        return None
    current = read_current(units)
    return asdict(drift_of(current))


def _drift_markdown(drift: dict[str, Any] | None) -> str:
    if drift is None:
        return "Measured for the active version only."
    return (
        f"The largest population stability index is {drift['psi']:.3f} ({drift['level']}).\n\n"
        + _table(drift["attributes"], ("attribute", "psi", "level", "p_value"))
    )


def _assumed_of(attributes: Sequence[Attribute]) -> Iterator[str]:
    for attribute in attributes:
        if attribute.unscored is not None:
            yield (
                f"A value of {attribute.unscored} of {attribute.title} means that it is not known "
                "yet, and counts as typical."
            )
    if any(attribute.missing is Missing.ALLOWED for attribute in attributes):
        yield "What is not known of a customer speaks neither for a segment nor against it."


def _fairness_markdown(groups: dict[str, list[dict[str, Any]]]) -> Iterator[str]:
    for name, found in groups.items():
        yield f"By {name.replace('_', ' ')}:"
        yield _shares_table(found)
    if not groups:
        yield "The schema protects no attribute."


def _shares_table(groups: list[dict[str, Any]]) -> str:
    numbers = list(GroupShares(**groups[0]).shares) if groups else []
    rows = [
        {"group": group["group"], "customers": group["size"]}
        | {f"segment {number}": group["shares"][number] for number in numbers}
        for group in groups
    ]
    return _table(rows, tuple(rows[0]) if rows else ("group",))


def _table(rows: list[dict[str, Any]], columns: tuple[str, ...]) -> str:
    lines = [columns, tuple("---" for _ in columns)]
    lines += [tuple(_cell(row[column]) for column in columns) for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return readable(value)
    return str(value).replace("|", "\\|").replace("\n", " ")


def _list(items: Iterable[str]) -> str:
    return "\n".join(f"- {item}" for item in items)
