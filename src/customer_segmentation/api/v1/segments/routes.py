"""Segments as resources, under `/v1/segments`: profiles, words, predictions, transitions."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Path, Query
from starlette.concurrency import run_in_threadpool

from customer_segmentation.api.http.fields import Moment
from customer_segmentation.api.http.openapi import problem_responses
from customer_segmentation.api.http.preconditions import IfMatch, tags_of
from customer_segmentation.api.http.problems import (
    INVALID,
    NO_SEGMENT,
    NO_VERSION,
    NOT_COMPARABLE,
    NOT_READY,
    STALE_SEGMENT,
    STORE_UNAVAILABLE,
)
from customer_segmentation.api.http.requests import JsonRoute
from customer_segmentation.api.http.roles import needs
from customer_segmentation.api.http.routers import Router
from customer_segmentation.api.http.threads import Comparisons
from customer_segmentation.api.middleware.authentication import Actor, MinGroupSize
from customer_segmentation.api.v1.disclosure import (
    suppress_disparity,
    suppress_segments,
    suppress_transitions,
)
from customer_segmentation.api.v1.segments.answers import (
    AttributeProfileAnswer,
    DisparityAnswer,
    SegmentAnswer,
    SegmentEditAnswer,
    SegmentEditRequest,
    SegmentEdits,
    Segments,
    Transition,
    Transitions,
)
from customer_segmentation.api.v1.segments.words import SegmentWords
from customer_segmentation.domain.access import Role
from customer_segmentation.domain.attributes import Kind
from customer_segmentation.domain.errors import FieldError, InvalidInputError
from customer_segmentation.domain.segments import SegmentEdit, Strategy
from customer_segmentation.services.models.comparison import count_moves
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork
from customer_segmentation.services.segments.profiles import (
    ProfiledSegment,
    count_transitions,
    edit_segment,
    get_disparity,
    list_edits,
    list_segments,
)

SegmentNumber = Annotated[
    int, Path(ge=0, le=2**31 - 1, description="The segment's number.", examples=[0])
]
OneVersion = Annotated[
    int | None, Query(ge=1, le=2**31 - 1, description="A model version, in place of a moment.")
]

_FIGURES = (
    "mean",
    "trimmed_mean",
    "lower_quartile",
    "median",
    "upper_quartile",
    "difference",
    "deviations",
    "trimmed_deviations",
)
_SINCE, _UNTIL = "2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z"


def _example(moment: str) -> dict[str, Any]:
    return {"a month": {"value": moment}}


def segments_router(units: UnitsOfWork, comparisons: Comparisons) -> Router:
    """Return the routes under `/v1/segments`."""
    router = Router("/v1", "Segments", route_class=JsonRoute)

    @router.get(
        "/segments",
        summary="The segments and what their customers are like",
        operation_id="list_segments",
        responses=problem_responses(NOT_READY, STORE_UNAVAILABLE),
    )
    @needs(Role.READER)
    def read_segments(least: MinGroupSize) -> Segments:
        """Return each segment's size, share, profile and strategies, as of now."""
        version, profiled, is_complete = list_segments(units)
        answer = Segments(
            model_version=version,
            customers=sum(found.profile.size for found in profiled),
            complete=is_complete,
            segments=[_segment_answer(found) for found in profiled],
        )
        return suppress_segments(answer, least)

    @router.patch(
        "/segments/{number:int}",
        summary="Edit a segment's name, description or strategies",
        operation_id="edit_segment",
        responses=problem_responses(NO_SEGMENT, STALE_SEGMENT, INVALID, STORE_UNAVAILABLE),
    )
    @needs(Role.ADMIN)
    def edit(
        number: SegmentNumber, asked: SegmentEditRequest, actor: Actor, if_match: IfMatch = None
    ) -> SegmentWords:
        """Change a segment's words; they stay over every retrain, and each edit is on record.

        With `If-Match`, only if its `tag` is still one of those.
        """
        strategies = asked.strategies and tuple(
            Strategy(words.text, words.channel) for words in asked.strategies
        )
        segment = edit_segment(
            units,
            number,
            actor or asked.by,
            name=asked.name,
            description=asked.description,
            strategies=strategies or None,
            tags=tags_of(if_match),
        )
        return SegmentWords.model_validate(segment)

    @router.get(
        "/segments/{number:int}/edits",
        summary="What people made of a segment's words",
        operation_id="list_segment_edits",
        responses=problem_responses(NO_SEGMENT, INVALID, NOT_READY, STORE_UNAVAILABLE),
    )
    @needs(Role.READER)
    def edits(number: SegmentNumber) -> SegmentEdits:
        """List each edit of a segment's words: what they were after it, when, and by whom."""
        found = [_edit_answer(edit) for edit in list_edits(units, number)]
        return SegmentEdits(number=number, edits=found)

    @router.get(
        "/segments/transitions",
        summary="Who moved from where to where",
        operation_id="get_transitions",
        responses=problem_responses(INVALID, NO_VERSION, NOT_COMPARABLE, STORE_UNAVAILABLE),
    )
    @needs(Role.READER)
    async def transitions(
        least: MinGroupSize,
        since: Annotated[
            Moment | None,
            Query(description="The first moment.", openapi_examples=_example(_SINCE)),
        ] = None,
        until: Annotated[
            Moment | None,
            Query(description="The second moment.", openapi_examples=_example(_UNTIL)),
        ] = None,
        before: OneVersion = None,
        after: OneVersion = None,
    ) -> Transitions:
        """Count customers by the segments they were in at two moments, `since` and `until`.

        Given two versions, `before` and `after`, in place of moments: the current customers by the
        segments that the versions give them.
        """
        if before is None and after is None and since is not None and until is not None:
            moves = await run_in_threadpool(count_transitions, units, since, until)
        elif before is not None and after is not None and since is None and until is None:
            moves = count_moves(await comparisons.compare(before, after))
        else:
            message = "give since and until, or before and after"
            raise InvalidInputError([FieldError("since", message)])
        answer = Transitions(
            since=since,
            until=until,
            before=before,
            after=after,
            moved=sum(
                count
                for (left, entered), count in moves.items()
                if left is not None and entered is not None and left != entered
            ),
            transitions=[
                Transition(from_segment=left, to_segment=entered, customers=count)
                for (left, entered), count in sorted(moves.items(), key=_by_numbers)
            ],
        )
        return suppress_transitions(answer, least)

    @router.get(
        "/segments/disparity",
        summary="How protected groups are spread over the segments",
        operation_id="get_disparity",
        responses=problem_responses(NOT_READY, STORE_UNAVAILABLE),
    )
    @needs(Role.READER)
    def disparity(least: MinGroupSize) -> DisparityAnswer:
        """Return the shares of the segments by groups of each protected attribute, as of now."""
        return suppress_disparity(DisparityAnswer.model_validate(get_disparity(units)), least)

    return router


def _by_numbers(
    transition: tuple[tuple[int | None, int | None], int],
) -> tuple[int, int]:
    (left, entered), _ = transition
    return (-1 if left is None else left, -1 if entered is None else entered)


def _segment_answer(found: ProfiledSegment) -> SegmentAnswer:
    profile = found.profile
    return SegmentAnswer(
        **_words(found.segment),
        size=profile.size,
        share=profile.share,
        outliers=profile.outliers,
        summary=profile.summary,
        profile=_profile_answers(found),
    )


def _profile_answers(found: ProfiledSegment) -> list[AttributeProfileAnswer]:
    answers = []
    for one in found.profile.attributes:
        labels = one.declared.labels if one.declared.categories else {}
        has_figures = one.missing < 1.0 and one.declared.kind is not Kind.NOMINAL
        answer = AttributeProfileAnswer(
            attribute=one.attribute,
            **{name: getattr(one, name) if has_figures else None for name in _FIGURES},
            is_clear=one.is_clear,
            shares={labels.get(code, str(code)): share for code, share in one.shares.items()},
            missing=one.missing,
        )
        answers.append(answer)
    return answers


def _edit_answer(edit: SegmentEdit) -> SegmentEditAnswer:
    return SegmentEditAnswer(
        **_words(edit.segment), edited_at=edit.edited_at, edited_by=edit.edited_by
    )


def _words(segment: object) -> Mapping[str, Any]:
    return SegmentWords.model_validate(segment).model_dump()
