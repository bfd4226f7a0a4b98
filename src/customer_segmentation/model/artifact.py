"""The model as data: what a training yields, and its one file format.

An artifact is a JSON document with a schema version and a checksum. Loading it runs no code.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from customer_segmentation.domain.arrays import FloatArray, IntArray
from customer_segmentation.domain.errors import ArtifactError
from customer_segmentation.domain.features import FEATURE_NAMES
from customer_segmentation.domain.segments import Segment
from customer_segmentation.model.prepare import Preparation

SCHEMA_VERSION = 1


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
        weights: replaces the feature table's weights, by attribute name.
        excluded: names of attributes that the model must not use.
        thresholds: what still counts as the same segment.
    """

    k: int = 4
    seed: int = 20_000
    restarts: int = 10
    weights: dict[str, float] = field(default_factory=dict)
    excluded: tuple[str, ...] = ()
    thresholds: Thresholds = Thresholds()


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
        sha256: of their ids and attributes in the order of the ids.
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
        centroids: (k, d), in prepared coordinates, d being the whole feature table.
        segments: the k segments, in the order of the centroids.
        quality: how good and how stable it is.
        matching: how its clusters were matched to the segments that served; empty for the first.
        fingerprint: of the training data.
        libraries: versions of Python and of the libraries that fitted it.
    """

    parameters: Parameters
    preparation: Preparation
    centroids: FloatArray
    segments: tuple[Segment, ...]
    quality: Quality
    matching: tuple[Match, ...]
    fingerprint: Fingerprint
    libraries: dict[str, str]

    @property
    def numbers(self) -> IntArray:
        """The segment number of each centroid, (k,)."""
        return np.array([segment.number for segment in self.segments], dtype=np.int64)


def to_json(model: Model) -> str:
    """Write a model as an artifact."""
    content = {
        "features": list(FEATURE_NAMES),
        "parameters": asdict(model.parameters),
        "preparation": {
            "center": model.preparation.center.tolist(),
            "spread": model.preparation.spread.tolist(),
            "scale": model.preparation.scale.tolist(),
        },
        "centroids": model.centroids.tolist(),
        "segments": [asdict(segment) for segment in model.segments],
        "quality": asdict(model.quality)
        | {"sizes": {str(number): size for number, size in model.quality.sizes.items()}},
        "matching": [asdict(match) for match in model.matching],
        "fingerprint": asdict(model.fingerprint),
        "libraries": model.libraries,
    }
    return json.dumps(
        {"schema_version": SCHEMA_VERSION, "sha256": _checksum(content), "model": content},
        allow_nan=False,
    )


def from_json(text: str) -> Model:
    """Read a model from an artifact.

    Raises:
        ArtifactError: the text is cut, changed, of another schema version, or made for another
            feature table.
    """
    try:
        document = json.loads(text)
        version, checksum, content = (
            document["schema_version"],
            document["sha256"],
            document["model"],
        )
    except (ValueError, KeyError, TypeError) as damage:
        raise ArtifactError("The model artifact is damaged: it is not a whole document") from damage
    if version != SCHEMA_VERSION:
        raise ArtifactError(
            f"The model artifact has schema version {version}, this release reads {SCHEMA_VERSION}"
        )
    if checksum != _checksum(content):
        raise ArtifactError("The model artifact is damaged: its checksum does not match")
    if content["features"] != list(FEATURE_NAMES):
        raise ArtifactError("The model artifact was made for another feature table; train again")
    return _read(content)


def _checksum(content: dict[str, Any]) -> str:
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _read(content: dict[str, Any]) -> Model:
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
            **{name: np.array(values) for name, values in content["preparation"].items()}
        ),
        centroids=np.array(content["centroids"]),
        segments=tuple(Segment(**segment) for segment in content["segments"]),
        quality=Quality(
            **quality | {"sizes": {int(n): size for n, size in quality["sizes"].items()}}
        ),
        matching=tuple(Match(**match) for match in content["matching"]),
        fingerprint=Fingerprint(
            **fingerprint
            | {"attributes": {n: Summary(**s) for n, s in fingerprint["attributes"].items()}}
        ),
        libraries=content["libraries"],
    )
