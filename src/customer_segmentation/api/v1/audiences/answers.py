"""Audiences in requests and answers."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StrictBool

from customer_segmentation.api.http.fields import Line, Text
from customer_segmentation.api.v1.disclosure import (
    suppress_count,
    suppress_counts,
    suppress_steps,
)
from customer_segmentation.domain.rules import LONGEST_RULE
from customer_segmentation.services.audiences.audiences import (
    AttributeFigures,
    Audience,
    Count,
    Profile,
)

RULE = "segment = 2"
_LONGEST_NAME, _LONGEST_DESCRIPTION = 200, 2_000
_EPOCH = date(1970, 1, 1)

Name = Annotated[
    Line, Field(min_length=1, max_length=_LONGEST_NAME, description="What to call it.")
]
Description = Annotated[
    Text, Field(max_length=_LONGEST_DESCRIPTION, description="What to say of it.")
]
Owner = Annotated[Line, Field(max_length=_LONGEST_NAME, description="Whose it is.")]
RuleText = Annotated[
    Text,
    Field(
        min_length=1,
        max_length=LONGEST_RULE,
        description="Who is in it: a condition as in SQL's WHERE, such as "
        "`segment IN (1, 2) AND days_in_segment >= 30`.",
        examples=[RULE],
    ),
]


class RuleBody(BaseModel):
    """A rule."""

    model_config = ConfigDict(extra="forbid")

    rule: RuleText


class AudienceBody(RuleBody):
    """An audience to save."""

    name: Name = Field(examples=["Regulars"])
    description: Description = ""
    owner: Owner = ""
    frozen: StrictBool = Field(
        default=False,
        description="Whether it stays a list of who meets the rule now; else it is always current.",
    )
    by: Owner = Field(default="", description="Who saves it, where the API asks for no key.")


class AudienceChanges(BaseModel):
    """What to change of an audience; what is not given stays."""

    model_config = ConfigDict(extra="forbid")

    name: Name | None = Field(default=None, description="What to call it.")
    description: Description | None = Field(default=None, description="What to say of it.")
    owner: Owner | None = Field(default=None, description="Whose it is.")
    rule: RuleText | None = Field(default=None, description="Who is to be in it.")
    by: Owner = Field(default="", description="Who changes it, where the API asks for no key.")

    @property
    def given(self) -> dict[str, str]:
        """What is to be changed."""
        return self.model_dump(exclude={"by"}, exclude_none=True)


class AudienceAnswer(BaseModel):
    """A saved audience."""

    model_config = ConfigDict(from_attributes=True)

    id: int = Field(description="Never given again.")
    name: str = Field(description="What people call it.")
    description: str = Field(description="What people say of it.")
    owner: str = Field(description="Whose it is.")
    rule: str = Field(description="By which customers are in it, or were when it was frozen.")
    is_frozen: bool = Field(description="Whether it is a list of a moment, or always current.")
    created_at: datetime = Field(description="When it was saved, in UTC.")
    created_by: str = Field(description="By whom; empty if unknown.")
    size: int | None = Field(description="How many customers are in it; null where hidden.")
    fault: str = Field(description="Why the rule does not fit the schema any more; else empty.")
    tag: str = Field(description="Changes with the audience; for `If-Match`.")


class Audiences(BaseModel):
    """All audiences, the oldest first."""

    audiences: list[AudienceAnswer]


class SegmentCount(BaseModel):
    """How many of some customers are in a segment."""

    segment: int = Field(description="Its number.")
    customers: int | None = Field(description="How many; null where hidden.")


class CountAnswer(BaseModel):
    """How many customers meet a rule."""

    customers: int | None = Field(description="How many do; null where hidden.")
    of: int = Field(description="How many customers there are.")
    share: float | None = Field(description="The share who do, from 0 to 1; null where hidden.")
    segments: list[SegmentCount] = Field(description="Those who do, by segment.")


class AttributeAnswer(BaseModel):
    """What an attribute is like among an audience's customers, beside all customers."""

    attribute: str = Field(description="Its name.")
    mean: float | None = Field(description="Of those who have it; null for categories.")
    mean_of_all: float | None = Field(description="The same of all customers.")
    shares: dict[str, float] = Field(description="By category or code, the share who have it.")
    shares_of_all: dict[str, float] = Field(description="The same of all customers.")
    known: int = Field(description="How many have the attribute.")


class ProfileAnswer(BaseModel):
    """What an audience's customers are like now; no attributes where they are too few."""

    count: CountAnswer
    attributes: list[AttributeAnswer]


class Overlap(BaseModel):
    """How many customers two audiences share."""

    audience: int = Field(description="The other audience's id.")
    name: str = Field(description="Its name.")
    customers: int | None = Field(description="How many are in both; null where hidden.")
    share: float | None = Field(description="Of the customers of the first; null where hidden.")


class Overlaps(BaseModel):
    """How many customers an audience shares with each other one."""

    overlaps: list[Overlap]


class Size(BaseModel):
    """How large an audience was on a day."""

    day: date = Field(description="In UTC.")
    customers: int | None = Field(description="How many were in it; null where hidden.")


class Sizes(BaseModel):
    """How large an audience was, the oldest day first; the last is today."""

    sizes: list[Size]


def show_audience(audience: Audience, least: int) -> AudienceAnswer:
    """Return an audience as it is shown."""
    answer = AudienceAnswer.model_validate(audience)
    return answer.model_copy(update={"size": suppress_count(audience.size, least)})


def show_count(count: Count, least: int) -> CountAnswer:
    """Return a count as it is shown: small groups are hidden."""
    customers = suppress_count(count.customers, least)
    # How many do not meet the rule follows from the two.
    if suppress_count(count.of - count.customers, least) is None:
        customers = None
    return CountAnswer(
        customers=customers,
        of=count.of,
        share=None if customers is None or count.of == 0 else customers / count.of,
        segments=_segments(count.segments, least, is_hidden=customers is None),
    )


def _segments(segments: Mapping[int, int], least: int, *, is_hidden: bool) -> list[SegmentCount]:
    told = dict.fromkeys(segments) if is_hidden else suppress_counts(segments, least)
    return [SegmentCount(segment=number, customers=count) for number, count in told.items()]


def show_profile(profile: Profile, least: int) -> ProfileAnswer:
    """Return a profile as it is shown: nothing of few customers."""
    count = show_count(profile.count, least)
    if count.customers is None or profile.count.customers == 0:
        return ProfileAnswer(count=count, attributes=[])
    found = [one for one in profile.attributes if suppress_count(one.known, least)]
    return ProfileAnswer(count=count, attributes=[_attribute(one, least) for one in found])


def _attribute(found: AttributeFigures, least: int) -> AttributeAnswer:
    few = any(0 < share * found.known < least for share in found.shares.values())
    return AttributeAnswer(
        attribute=found.attribute.name,
        mean=None if few else found.mean,
        mean_of_all=found.mean_of_all,
        shares={} if few else dict(found.shares),
        shares_of_all=dict(found.shares_of_all),
        known=found.known,
    )


def show_overlaps(found: Sequence[tuple[Audience, int]], size: int, least: int) -> Overlaps:
    """Return overlaps as they are shown: small ones are hidden, and all but few too."""
    overlaps = []
    for other, count in found:
        both = suppress_count(count, least)
        if (
            suppress_count(size - count, least) is None
            or suppress_count(other.size - count, least) is None
        ):
            both = None
        share = None if both is None or size == 0 else both / size
        overlaps.append(Overlap(audience=other.id, name=other.name, customers=both, share=share))
    return Overlaps(overlaps=overlaps)


def show_sizes(found: Sequence[tuple[int, int]], least: int) -> Sizes:
    """Return sizes as they are shown: small ones are hidden, and steps of few customers."""
    told = suppress_steps([suppress_count(size, least) for _, size in found], least)
    return Sizes(
        sizes=[
            Size(day=_EPOCH + timedelta(days=day), customers=size)
            for (day, _), size in zip(found, told, strict=True)
        ]
    )
