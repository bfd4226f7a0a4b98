"""The model as data: what a training yields, and its one file format.

An artifact is a JSON document with a schema version and a checksum. Loading it runs no code.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from math import isfinite
from typing import Any

import numpy as np

from customer_segmentation.domain.arrays import FloatArray, IntArray
from customer_segmentation.domain.attributes import Attribute
from customer_segmentation.domain.errors import ArtifactError
from customer_segmentation.domain.schema import attribute_content, make_attribute
from customer_segmentation.domain.segments import Segment, Strategy
from customer_segmentation.model.monitoring.distribution import Bins, Distribution, split_sums
from customer_segmentation.model.prepare import Preparation

SCHEMA_VERSION = 3

_WITHOUT_ATTRIBUTES = 2
"""The schema version of artifacts that name their attributes, and do not hold them."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """How far a cluster may be from a segment and still continue it.

    Attributes:
        distance: the largest `Match.distance`.
        overlap: the least `Match.overlap`.
    """

    distance: float = 0.5
    overlap: float = 0.3


@dataclass(frozen=True, slots=True)
class Parameters:
    """How a model is trained.

    Attributes:
        k: the number of segments.
        seed: of every random choice.
        restarts: how many random starts K-means tries.
        weights: replaces the attributes' own weights, by name.
        excluded: names of attributes that the model must not use.
        thresholds: what still counts as the same segment.
        hysteresis: how much nearer, as a share of its distance, another segment must be before a
            customer leaves the one it is in; 0 is always the nearest.
    """

    k: int = 4
    seed: int = 20_000
    restarts: int = 10
    weights: dict[str, float] = field(default_factory=dict)
    excluded: tuple[str, ...] = ()
    thresholds: Thresholds = Thresholds()
    hysteresis: float = 0.0


@dataclass(frozen=True, slots=True)
class Quality:
    """The quality figures of a model.

    Attributes:
        inertia: sum of squared distances to the nearest centroid, in prepared coordinates.
        silhouette: mean silhouette of a sample, from -1 to 1.
        stability: mean adjusted Rand index between the model and refits on bootstraps with other
            seeds; 1 is the same segments every time, 0 is chance.
        sizes: the number of customers by segment number.
    """

    inertia: float
    silhouette: float
    stability: float
    sizes: dict[int, int]


@dataclass(frozen=True, slots=True)
class Match:
    """One cluster of a new model and the serving segment it continues.

    Attributes:
        cluster: the row of the new centroids.
        number: the serving segment's number; None for a cluster that continues none.
        distance: between the two centroids, as a share of the distance from the serving centroid
            to its nearest neighbour: 0 is unmoved, 0.5 is half way to another segment.
        overlap: the customers in both as a share of those in either (Jaccard index).
    """

    cluster: int
    number: int | None
    distance: float
    overlap: float


@dataclass(frozen=True, slots=True)
class Summary:
    """One attribute of the training data, in users' units."""

    mean: float
    deviation: float
    minimum: float
    maximum: float


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Which data a model was trained on.

    Attributes:
        customers: how many.
        sha256: of their ids and attributes, see `model/monitoring/fingerprint.py`.
        attributes: a summary by attribute name.
    """

    customers: int
    sha256: str
    attributes: dict[str, Summary]


@dataclass(frozen=True, eq=False, slots=True)
class Model:
    """A trained model.

    Attributes:
        parameters: how it was trained.
        preparation: how attributes become coordinates.
        centroids: (k, c), in prepared coordinates, of all columns.
        segments: the k segments, in the order of the centroids.
        quality: how good and how stable it is.
        matching: how its clusters were matched to those of the active model; empty for the first.
        fingerprint: of the training data.
        bins: where attributes' values are cut to count customers.
        distribution: of the training data over those bins, by segment.
        outlier_distance: a customer farther than this from every centroid is an outlier.
        libraries: versions of Python and of the libraries that fitted it.
    """

    parameters: Parameters
    preparation: Preparation
    centroids: FloatArray
    segments: tuple[Segment, ...]
    quality: Quality
    matching: tuple[Match, ...]
    fingerprint: Fingerprint
    bins: Bins
    distribution: Distribution
    outlier_distance: float
    libraries: dict[str, str]

    @property
    def attributes(self) -> tuple[Attribute, ...]:
        """The d attributes that it was trained on, in the order of columns."""
        return self.preparation.attributes

    @property
    def names(self) -> list[str]:
        """Their names."""
        return [attribute.name for attribute in self.preparation.attributes]

    @property
    def numbers(self) -> IntArray:
        """The segment number of each centroid, (k,)."""
        return np.array([segment.number for segment in self.segments], dtype=np.int64)

    @property
    def next_number(self) -> int:
        """The least number above those of all its segments."""
        return int(self.numbers.max()) + 1

    def with_words(self, words: dict[int, Segment]) -> "Model":
        """Return the model with what people made of its segments' names and strategies since."""
        segments = tuple(words.get(segment.number, segment) for segment in self.segments)
        return replace(self, segments=segments)


def to_json(model: Model) -> str:
    """Write a model as an artifact."""
    content = {
        "attributes": [attribute_content(attribute) for attribute in model.attributes],
        "parameters": asdict(model.parameters),
        "preparation": {
            "center": model.preparation.center.tolist(),
            "spread": model.preparation.spread.tolist(),
            "scale": model.preparation.scale.tolist(),
        },
        "centroids": model.centroids.tolist(),
        "segments": [segment_content(segment) for segment in model.segments],
        "quality": asdict(model.quality)
        | {"sizes": {str(number): size for number, size in model.quality.sizes.items()}},
        "matching": [asdict(match) for match in model.matching],
        "fingerprint": asdict(model.fingerprint),
        "bins": [cuts.tolist() for cuts in model.bins.cuts],
        "distribution": distribution_content(model.distribution),
        "outlier_distance": model.outlier_distance,
        "libraries": model.libraries,
    }
    return json.dumps(
        {"schema_version": SCHEMA_VERSION, "sha256": _checksum(content), "model": content},
        allow_nan=False,
    )


def from_json(text: str, undeclared: Sequence[Attribute] = ()) -> Model:
    """Read a model from an artifact.

    Args:
        text: the artifact.
        undeclared: the attributes of an artifact of schema version 2, which names and does not
            declare them.

    Raises:
        ArtifactError: the text is cut, changed, of another schema version, of schema version 2 and
            made for other attributes, or its numbers make no model.
    """
    try:
        document = json.loads(text, parse_constant=_refuse_constant)
        version, checksum, content = (
            document["schema_version"],
            document["sha256"],
            document["model"],
        )
    except (ValueError, KeyError, TypeError) as damage:
        raise ArtifactError("The model artifact is damaged: it is not a whole document") from damage
    if version not in {_WITHOUT_ATTRIBUTES, SCHEMA_VERSION}:
        raise ArtifactError(
            f"The model artifact has schema version {version}, this release reads "
            f"{_WITHOUT_ATTRIBUTES} and {SCHEMA_VERSION}"
        )
    if checksum != _checksum(content):
        raise ArtifactError("The model artifact is damaged: its checksum does not match")
    try:
        if version == SCHEMA_VERSION:
            attributes = tuple(map(make_attribute, content["attributes"]))
        elif content["features"] == [attribute.name for attribute in undeclared]:
            attributes = tuple(undeclared)
        else:
            raise ArtifactError("The model artifact was made for other attributes; train again")
        model = _read(content, attributes)
        faults = [told for told, is_right in _soundness(model) if not is_right]
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError) as damage:
        raise ArtifactError("The model artifact is damaged: a part of it is not sound") from damage
    if faults:
        raise ArtifactError(f"The model artifact is damaged: {faults[0]} are not sound")
    return model


def _refuse_constant(constant: str) -> float:
    raise ValueError(f"{constant} is no number")


def _soundness(model: Model) -> Iterator[tuple[str, bool]]:
    """Yield what a model consists of, and whether it is as whoever answers by it relies on."""
    d, c = len(model.attributes), model.preparation.columns[-1].stop
    k, numbers = len(model.segments), model.numbers.tolist()
    preparation, counted, quality = model.preparation, model.distribution, model.quality
    yield "attributes", all(map(_is_typed, model.attributes))
    yield "segments' numbers", k > 0 and len(set(numbers)) == k and min(numbers) >= 0
    for name in ("center", "spread", "scale"):
        part = getattr(preparation, name)
        yield f"{name} values", part.shape == (c,) and bool(np.isfinite(part).all())
    yield "scales", bool((preparation.scale >= 0.0).all() and preparation.scale.any())
    yield "spreads", bool((preparation.spread >= 0.0).all())
    yield "centroids", model.centroids.shape == (k, c) and bool(np.isfinite(model.centroids).all())
    cuts = model.bins.cuts
    yield "bins", len(cuts) == d and all(c.ndim == 1 and (np.diff(c) > 0).all() for c in cuts)
    shapes = (counted.counts.shape, counted.sums.shape, counted.outliers.shape)
    yield "counts", shapes == ((k, int(model.bins.offsets[-1])), (k, d), (k,))
    yield "sums", bool(np.isfinite(counted.digits).all())
    yield "counts", bool((counted.counts >= 0).all() and (counted.outliers >= 0).all())
    yield "sizes", set(quality.sizes) == set(numbers) and min(quality.sizes.values()) >= 0
    figures = (quality.inertia, quality.silhouette, quality.stability, model.outlier_distance)
    yield "quality figures", all(isfinite(figure) for figure in figures)
    yield (
        "outlier distance and hysteresis",
        (model.outlier_distance >= 0.0 and 0.0 <= model.parameters.hysteresis < 1.0),
    )
    known = model.fingerprint.attributes
    yield (
        "summaries",
        set(known) == set(model.names)
        and all(
            summary.deviation >= 0.0 and summary.minimum <= summary.maximum
            for summary in known.values()
        ),
    )


def _is_typed(attribute: Attribute) -> bool:
    """Tell whether an attribute has texts, flags and a weight where answers need them."""
    texts = (attribute.name, attribute.record_name, attribute.title, attribute.description)
    words = (*texts, attribute.unit, *attribute.categories, *attribute.codes.values())
    flags = (attribute.used, attribute.protected, attribute.changeable)
    return (
        all(isinstance(word, str) for word in words)
        and all(isinstance(flag, bool) for flag in flags)
        and isinstance(attribute.weight, int | float)
        and isfinite(attribute.weight)
    )


def distribution_content(distribution: Distribution) -> dict[str, Any]:
    """Return a distribution as JSON has it."""
    return {
        "counts": distribution.counts.tolist(),
        "sums": distribution.digits.tolist(),
        "outliers": distribution.outliers.tolist(),
    }


def read_distribution(content: dict[str, Any]) -> Distribution:
    """Return the distribution that `distribution_content` gave."""
    sums = np.array(content["sums"], dtype=np.float64)
    return Distribution(
        counts=np.array(content["counts"], dtype=np.int64),
        # Earlier artifacts tell sums as one number each.
        digits=sums if sums.ndim == 3 else split_sums(sums),
        outliers=np.array(content["outliers"], dtype=np.int64),
    )


def segment_content(segment: Segment) -> dict[str, Any]:
    """Return a segment as JSON has it."""
    return asdict(segment)


def read_segment(content: dict[str, Any]) -> Segment:
    """Return the segment that `segment_content` gave."""
    strategies = tuple(Strategy(s["text"], s["channel"]) for s in content["strategies"])
    return Segment(**content | {"strategies": strategies})


def _checksum(content: dict[str, Any]) -> str:
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _read(content: dict[str, Any], attributes: tuple[Attribute, ...]) -> Model:
    parameters = content["parameters"]
    quality = content["quality"]
    fingerprint = content["fingerprint"]
    return Model(
        parameters=Parameters(
            **parameters
            | {
                "excluded": tuple(parameters["excluded"]),
                "thresholds": Thresholds(**parameters["thresholds"]),
            }
        ),
        preparation=Preparation(
            attributes,
            **{name: np.array(values) for name, values in content["preparation"].items()},
        ),
        centroids=np.array(content["centroids"]),
        segments=tuple(read_segment(segment) for segment in content["segments"]),
        quality=Quality(
            **quality | {"sizes": {int(n): size for n, size in quality["sizes"].items()}}
        ),
        matching=tuple(Match(**match) for match in content["matching"]),
        fingerprint=Fingerprint(
            **fingerprint
            | {"attributes": {n: Summary(**s) for n, s in fingerprint["attributes"].items()}}
        ),
        bins=Bins(attributes, tuple(np.array(cuts, dtype=np.float64) for cuts in content["bins"])),
        distribution=read_distribution(content["distribution"]),
        outlier_distance=content["outlier_distance"],
        libraries=content["libraries"],
    )
