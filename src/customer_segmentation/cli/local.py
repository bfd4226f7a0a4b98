"""The local database, answering what the API of a service over it would answer an admin."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from pydantic_core import to_jsonable_python

from customer_segmentation.client import Json
from customer_segmentation.domain.history import as_matrix
from customer_segmentation.domain.jobs import Job, Origin, Trigger
from customer_segmentation.domain.segments import Channel, Segment, Strategy
from customer_segmentation.services.customers.commands import get_customer, get_history
from customer_segmentation.services.customers.explanation import explain_customer
from customer_segmentation.services.jobs.lifecycle import cancel_job, follow_job, get_job, list_jobs
from customer_segmentation.services.models.comparison import compare_versions, count_moves
from customer_segmentation.services.models.record import get_record
from customer_segmentation.services.models.registry import (
    Version,
    activate_and_rescore,
    get_active_version,
    get_version,
    list_versions,
)
from customer_segmentation.services.monitoring.distribution import get_drift
from customer_segmentation.services.runtime.audit import list_entries
from customer_segmentation.services.runtime.serving import assess
from customer_segmentation.services.runtime.settings import Settings
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork
from customer_segmentation.services.segments.profiles import (
    count_transitions,
    edit_segment,
    list_segments,
)
from customer_segmentation.services.training.external import ExternalTable
from customer_segmentation.services.training.start import Overrides, begin_training
from customer_segmentation.services.training.study import begin_study, get_study

_JOB = (
    *("id", "kind", "state", "phase", "done", "total", "created_at", "finished_at", "trigger"),
    *("requested_by", "reason", "model_version", "error"),
)
_PROFILE = (
    *("attribute", "mean", "trimmed_mean", "lower_quartile", "median", "upper_quartile"),
    *("difference", "deviations", "trimmed_deviations", "is_clear", "shares"),
)
_DRIFT = ("attribute", "psi", "level", "statistic", "freedom", "p_value")
_QUALITY = ("inertia", "silhouette", "stability", "sizes")
_ENTRY = ("id", "at", "actor", "kind", "subject", "action")
_EXPLANATION = ("segment", "other", "distances", "confidence", "is_outlier")
_CONTRIBUTION = ("attribute", "value", "typical", "typical_other", "pull")
_NEEDED = ("segment", "attribute", "value", "needed")
_CHANGE = ("changed_at", "cause", "from_segment", "to_segment", "model_version")
_ACTIVATION = ("previous", "cause", "activated_at", "activated_by", "reason")


class LocalBank:
    """Answers over the services; errors are the services'."""

    def __init__(self, units: UnitsOfWork, settings: Settings) -> None:
        """Read nothing yet."""
        self._units = units
        self._settings = settings

    def get_customer(self, customer_id: int) -> Json:
        """Return a customer, its segment and its next best action."""
        found = get_customer(self._units, customer_id)
        attributes = found.customer.attributes
        action = found.segment.next_best_action(attributes)
        assessment = assess([found])
        return {
            "customer_id": customer_id,
            **attributes,
            "segment": found.segment.number,
            "segment_name": found.segment.name,
            "raw_segment": int(assessment.segments[0]),
            "is_outlier": bool(assessment.outliers[0]),
            "next_best_action": {"text": action.text, "channel": action.channel.value},
            "model_version": found.model_version,
        }

    def get_history(self, customer_id: int) -> Json:
        """Return a customer's changes of segment, the oldest first."""
        changes = [_chosen(change, _CHANGE) for change in get_history(self._units, customer_id)]
        return _plain({"customer_id": customer_id, "changes": changes})

    def explain_customer(self, customer_id: int) -> Json:
        """Tell why a customer is in its segment, and what would lead to another."""
        found = explain_customer(self._units, customer_id)
        why = found.explanation
        return _plain(
            {
                "model_version": found.model_version,
                "segment": _words(found.segment),
                "raw_segment": why.segment,
                "next_best_action": _chosen(found.action, ("text", "channel")),
                "is_outlier": why.is_outlier,
                "explanation": {
                    **_chosen(why, _EXPLANATION),
                    "contributions": [_chosen(c, _CONTRIBUTION) for c in why.contributions],
                    "changes": [_chosen(change, _NEEDED) for change in why.changes],
                },
            }
        )

    def list_segments(self) -> Json:
        """Return the segments and what their customers are like now."""
        version, profiled, is_complete = list_segments(self._units)
        segments = [
            {
                **_words(found.segment),
                **_chosen(found.profile, ("size", "share", "outliers", "summary")),
                "profile": [_chosen(a, _PROFILE) for a in found.profile.attributes],
            }
            for found in profiled
        ]
        return _plain(
            {
                "model_version": version,
                "customers": sum(found.profile.size for found in profiled),
                "complete": is_complete,
                "segments": segments,
            }
        )

    def edit_segment(
        self,
        number: int,
        *,
        name: str | None,
        description: str | None,
        strategies: list[Json] | None,
        by: str,
    ) -> Json:
        """Change a segment's words, None staying as it is; a strategy has `text` and `channel`."""
        actions = strategies and tuple(
            Strategy(s["text"], Channel(s["channel"])) for s in strategies
        )
        return _plain(
            _words(
                edit_segment(
                    self._units,
                    number,
                    by,
                    name=name,
                    description=description,
                    strategies=actions or None,
                )
            )
        )

    def get_transitions(self, since: datetime, until: datetime) -> Json:
        """Count who moved from where to where between two moments."""
        since, until = sorted((since, until))
        moves = count_transitions(self._units, since, until)
        return _transitions(moves, since=since, until=until)

    def get_moves(self, before: int, after: int) -> Json:
        """Count who is where by one model version and where by another."""
        moves = count_moves(compare_versions(self._units, self._settings, before, after))
        return _transitions(moves, before=before, after=after)

    def begin_training(
        self,
        *,
        k: int | None,
        seed: int | None,
        exclude: list[str] | None,
        by: str,
        reason: str,
        external: ExternalTable | None = None,
    ) -> Json:
        """Start a training, on a table that is not stored where one is given.

        None is as the settings say.
        """
        origin = Origin(Trigger.REQUEST, by, reason)
        excluded = tuple(exclude) if exclude else None
        overrides = Overrides(k, seed, excluded=excluded, external=external)
        return _job(begin_training(self._units, self._settings, origin, overrides))

    def begin_study(self, *, ks: list[int], by: str, reason: str) -> Json:
        """Start a study over numbers of segments."""
        origin = Origin(Trigger.REQUEST, by, reason)
        return _job(begin_study(self._units, self._settings, origin, ks))

    def get_study(self, job_id: str) -> Json:
        """Return how far a study is, and what it found."""
        job = get_study(self._units, job_id)
        return _plain({**_job(job), "result": job.result})

    def list_jobs(self) -> Json:
        """Return the newest hundred jobs."""
        return {"jobs": [_job(job) for job in list_jobs(self._units)]}

    def get_job(self, job_id: str) -> Json:
        """Return how far a job is, and how it ended."""
        return _job(get_job(self._units, job_id))

    def follow_job(self, job_id: str) -> Iterator[Json]:
        """Yield a job as it is, again and again, until it has ended."""
        return map(_job, follow_job(self._units, job_id))

    def cancel_job(self, job_id: str, by: str = "") -> Json:
        """Cancel a running job."""
        return _job(cancel_job(self._units, job_id, by))

    def list_models(self) -> Json:
        """Return every model version that is kept, in brief."""
        return _plain({"models": [_summary(version) for version in list_versions(self._units)]})

    def get_model(self, version: int) -> Json:
        """Return a model version whole."""
        found = get_version(self._units, version)
        model = found.model
        parameters = _chosen(model.parameters, ("k", "seed", "restarts", "excluded", "hysteresis"))
        return _plain(
            {
                **_summary(found),
                "parameters": {**parameters, "weights": found.weights},
                "segments": [_words(segment) for segment in model.segments],
                "centroids": found.centroids,
                "matching": [_chosen(m, ("number", "distance", "overlap")) for m in model.matching],
                "fingerprint": _chosen(model.fingerprint, ("customers", "sha256", "attributes")),
                "outlier_distance": model.outlier_distance,
                "libraries": model.libraries,
                "activations": [_chosen(past, _ACTIVATION) for past in found.activations],
            }
        )

    def activate_model(self, version: int, by: str = "", reason: str = "") -> Json:
        """Let a version serve: promote, approve, or roll back; return once all are re-scored."""
        activate_and_rescore(self._units, self._settings, version, by, reason)
        return self.get_model(version)

    def get_impact(self, version: int, against: int | None = None) -> Json:
        """Tell what a version would change for the customers, against another."""
        before = get_active_version(self._units) if against is None else against
        impact = compare_versions(self._units, self._settings, before, version)
        answer: Json = {"before": before, "after": version, **impact}
        for name, number in (("before", before), ("after", version)):
            found = get_version(self._units, number)
            answer[f"centroids_{name}"] = found.centroids
            answer[f"quality_{name}"] = _chosen(found.model.quality, _QUALITY)
        return _plain(answer)

    def get_record(self, version: int) -> Json:
        """Return a version's record for the model-risk file."""
        return _plain(get_record(self._units, self._settings, version))

    def get_drift(self) -> Json:
        """Return how far the customers have drifted from the active model's training data."""
        version, found = get_drift(self._units)
        told = ("psi", "level", "segments_psi", "trained_shares", "current_shares")
        return _plain(
            {
                "model_version": version,
                **_chosen(found, told),
                "attributes": [_chosen(attribute, _DRIFT) for attribute in found.attributes],
            }
        )

    def list_audit_entries(
        self, before: int | None, *, limit: int, kind: str | None, subject: str | None
    ) -> Json:
        """Return who did what, the newest first."""
        database = self._units.database
        found = list_entries(database, before=before, limit=limit, kind=kind, subject=subject)
        entries = [{**_chosen(entry, _ENTRY), "values": values} for entry, values in found]
        after = found[-1][0].id if len(found) == limit else None
        return _plain({"entries": entries, "next_before": after})


def _transitions(moves: dict[tuple[int | None, int | None], int], **between: object) -> Json:
    pairs = sorted(moves, key=lambda pair: [-1 if n is None else n for n in pair])
    moved = sum(moves[a, b] for a, b in pairs if a is not None and b is not None and a != b)
    transitions = [
        {"from_segment": left, "to_segment": entered, "customers": moves[left, entered]}
        for left, entered in pairs
    ]
    asked = dict.fromkeys(("since", "until", "before", "after")) | between
    answer = {**asked, "moved": moved, "transitions": transitions, "matrix": as_matrix(moves)}
    return _plain(answer)


def _job(job: Job) -> Json:
    return _plain(_chosen(job, _JOB))


def _summary(version: Version) -> dict[str, object]:
    return {
        "version": version.number,
        "created_at": version.created_at,
        "trigger": version.origin.trigger,
        "created_by": version.origin.by,
        "reason": version.origin.reason,
        "is_active": version.is_active,
        "is_previous": version.is_previous,
        "has_served": bool(version.activations),
        "held_back": version.held_back,
        "customers": version.model.fingerprint.customers,
        "quality": _chosen(version.model.quality, _QUALITY),
    }


def _words(segment: Segment) -> dict[str, object]:
    return _chosen(segment, ("number", "name", "description", "strategies", "tag"))


def _chosen(found: object, names: tuple[str, ...]) -> dict[str, object]:
    return {name: getattr(found, name) for name in names}


def _plain(answer: dict[str, Any]) -> Json:
    """Return an answer as it looks after a way over HTTP."""
    return dict(to_jsonable_python(answer))
