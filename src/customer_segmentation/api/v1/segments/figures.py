"""Segments in figures to plot, under `/v1/segments`: growth, distributions and a map."""

from collections.abc import Iterable, Sequence
from typing import Annotated

from fastapi import Query

from customer_segmentation.api.http.fields import Moment
from customer_segmentation.api.http.openapi import problem_responses
from customer_segmentation.api.http.problems import INVALID, NOT_READY, STORE_UNAVAILABLE
from customer_segmentation.api.http.roles import needs
from customer_segmentation.api.http.routers import Router
from customer_segmentation.api.middleware.authentication import MinGroupSize
from customer_segmentation.api.v1.disclosure import (
    suppress_distributions,
    suppress_growth,
    suppress_map,
    suppress_sizes,
)
from customer_segmentation.api.v1.segments.figure_answers import (
    AttributeDistribution,
    AxisAnswer,
    Distributions,
    GroupOfValues,
    GrowthAnswer,
    MapAnswer,
    Point,
    SegmentGrowth,
    SegmentSizes,
    SizesAnswer,
)
from customer_segmentation.domain.access import Role
from customer_segmentation.domain.arrays import FloatArray
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork
from customer_segmentation.services.segments.map import MAX_SIZE, MIN_SIZE, SegmentMap, draw_map
from customer_segmentation.services.segments.profiles import (
    AttributeSpread,
    get_spreads,
    list_segments,
    list_sizes,
    measure_growth,
)

MOST_WEEKS = 104


def segment_figures_router(units: UnitsOfWork) -> Router:
    """Return the routes of figures under `/v1/segments`."""
    router = Router("/v1/segments", "Segments")

    @router.get(
        "/growth",
        summary="How the segments have changed in number",
        operation_id="get_growth",
        responses=problem_responses(INVALID, NOT_READY, STORE_UNAVAILABLE),
    )
    @needs(Role.READER)
    def growth(
        least: MinGroupSize,
        since: Annotated[
            Moment,
            Query(
                description="The moment after which changes count.",
                openapi_examples={"a month": {"value": "2026-11-01T00:00:00Z"}},
            ),
        ],
    ) -> GrowthAnswer:
        """Count who entered and who left each segment after a moment, each time that one did."""
        found = measure_growth(units, since)
        segments = [
            SegmentGrowth(segment=n, entered=g.entered, left=g.left, net=g.entered - g.left)
            for n, g in found.items()
        ]
        return suppress_growth(GrowthAnswer(since=since, segments=segments), least)

    @router.get(
        "/sizes",
        summary="How large the segments were, by week",
        operation_id="get_segment_sizes",
        responses=problem_responses(INVALID, NOT_READY, STORE_UNAVAILABLE),
    )
    @needs(Role.READER)
    def sizes(
        least: MinGroupSize,
        weeks: Annotated[int, Query(ge=1, le=MOST_WEEKS, description="How many weeks back.")] = 12,
    ) -> SegmentSizes:
        """Count each segment's customers now and before each of the last weeks."""
        found = list_sizes(units, weeks)
        told = [SizesAnswer(at=at, customers=dict(counts)) for at, counts in found]
        return suppress_sizes(SegmentSizes(sizes=told), least)

    @router.get(
        "/distributions",
        summary="How the customers are spread over the values of each attribute",
        operation_id="get_distributions",
        responses=problem_responses(NOT_READY, STORE_UNAVAILABLE),
    )
    @needs(Role.READER)
    def distributions(least: MinGroupSize) -> Distributions:
        """Count each segment's customers by groups of values, as of now, to plot."""
        version, numbers, spreads = get_spreads(units)
        attributes = [_distribution_answer(numbers, found) for found in spreads]
        answer = Distributions(model_version=version, attributes=attributes)
        return suppress_distributions(answer, least)

    @router.get(
        "/map",
        summary="A map of customers, drawn by chance",
        operation_id="get_map",
        responses=problem_responses(INVALID, NOT_READY, STORE_UNAVAILABLE),
    )
    @needs(Role.READER)
    def draw(
        least: MinGroupSize,
        size: Annotated[
            int, Query(ge=MIN_SIZE, le=MAX_SIZE, description="How many customers, at most.")
        ] = 1_500,
    ) -> MapAnswer:
        """Show some customers as the model sees them, from where they differ most.

        A place tells a segment and two coordinates, and neither an id nor an attribute.
        """
        answer = _map_answer(draw_map(units, size))
        if least == 0:
            return answer
        sizes = {found.segment.number: found.profile.size for found in list_segments(units)[1]}
        return suppress_map(answer, sizes, least)

    return router


def _distribution_answer(numbers: Sequence[int], found: AttributeSpread) -> AttributeDistribution:
    attribute, spread = found.attribute, found.spread
    labels = attribute.labels if attribute.categories else {}
    return AttributeDistribution(
        attribute=spread.attribute,
        groups=[
            GroupOfValues(
                category=labels.get(place),
                least=None if labels else spread.ends[place],
                below=None if labels else spread.ends[place + 1],
                counts=dict(zip(numbers, counts, strict=True)),
            )
            for place, counts in enumerate(spread.counts.T.tolist())
        ],
        missing=dict(zip(numbers, spread.missing.tolist(), strict=True)),
    )


def _map_answer(found: SegmentMap) -> MapAnswer:
    if found.projection is None:
        return MapAnswer(model_version=found.model_version, axes=[], centroids=[], points=[])
    return MapAnswer(
        model_version=found.model_version,
        axes=[AxisAnswer.model_validate(axis) for axis in found.projection.axes],
        centroids=_points(found.numbers.tolist(), found.projection.centroids),
        points=_points(found.segments.tolist(), found.projection.points),
    )


def _points(segments: Iterable[int], places: FloatArray) -> list[Point]:
    rounded = places.round(3).tolist()
    return [Point(segment=n, x=x, y=y) for n, (x, y) in zip(segments, rounded, strict=True)]
