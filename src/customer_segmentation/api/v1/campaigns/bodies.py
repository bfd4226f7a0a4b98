"""Campaigns in requests."""

from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, StrictBool, create_model

from customer_segmentation.api.http.fields import NUMBER, AttributeName, Line, Text
from customer_segmentation.api.http.ids import body_id
from customer_segmentation.domain.attributes import Id
from customer_segmentation.domain.campaigns import (
    MOST_ARMS,
    MOST_DAYS,
    Measure,
    OutcomeKind,
    Plan,
)
from customer_segmentation.domain.segments import ANY_CHANNEL
from customer_segmentation.services.campaigns.campaigns import Reported

MAX_ROWS = 10_000
"""Rows of outcomes in one request."""

ROW_BYTES = 400
_LONGEST_NAME, _LONGEST_TEXT = 200, 2_000

_Whole = Annotated[int, NUMBER]
_Name = Annotated[Line, Field(min_length=1, max_length=_LONGEST_NAME)]
_Money = Annotated[float, Field(allow_inf_nan=False), NUMBER]
_Cost = Annotated[float, Field(allow_inf_nan=False, ge=0), NUMBER]
_Positive = Annotated[float, Field(allow_inf_nan=False, gt=0), NUMBER]


class ArmBody(BaseModel):
    """What is done to some of the customers."""

    model_config = ConfigDict(extra="forbid")

    name: _Name = Field(description="What to call it.", examples=["Cashback by e-mail"])
    strategy: Annotated[Line, Field(max_length=500, description="What is done.")] = ""
    channel: Annotated[Line, Field(max_length=100, description="On which channel.")] = ANY_CHANNEL
    cost: _Cost = Field(default=0, description="Of each customer who is addressed, in money.")
    fixed_cost: _Cost = Field(default=0, description="Of the arm, whoever is addressed.")


class OutcomeBody(BaseModel):
    """What the campaign is to bring, of each customer."""

    model_config = ConfigDict(extra="forbid")

    what: _Name = Field(description="What to call it.", examples=["renewals"])
    kind: OutcomeKind = Field(
        default=OutcomeKind.REPORTED,
        description="`reported` by `/outcomes`; `transactions` since the start; how an `attribute` "
        "has changed; whether a `segment` was entered.",
    )
    measure: Measure = Field(
        default=Measure.ANY,
        description="Whether there is `any`, how many (`count`), or the `sum` of amounts.",
    )
    days: _Whole = Field(
        default=30, ge=1, le=MOST_DAYS, description="For how many after the start outcomes count."
    )
    unit: Annotated[Line, Field(max_length=20, description="Of a sum, such as EUR.")] = ""
    value: _Money | None = Field(
        default=None, description="What one is worth in money; of a sum, the margin of each unit."
    )
    transaction_kinds: Annotated[list[_Name], Field(max_length=100)] = Field(
        default=[], description="Only transactions of these kinds; all where there are none."
    )
    attribute: AttributeName | None = Field(default=None, description="Whose change it is.")
    segments: Annotated[list[_Whole], Field(max_length=20)] = Field(
        default=[], description="The numbers of those to be entered."
    )
    covariate: AttributeName | None = Field(
        default=None,
        description="An attribute whose value at the start explains part of the outcome, so that "
        "less noise is left (CUPED).",
    )


class PlanBody(BaseModel):
    """What is planned of a campaign."""

    model_config = ConfigDict(extra="forbid")

    arms: Annotated[list[ArmBody], Field(min_length=1, max_length=MOST_ARMS)] = Field(
        description="What is done, each to the same share of those who are not held out.",
        examples=[[{"name": "Cashback by e-mail", "channel": "e-mail", "cost": 0.1}]],
    )
    outcome: OutcomeBody = Field(
        description="What it is to bring.", examples=[{"what": "renewals", "value": 40}]
    )
    holdout_percent: Annotated[float, NUMBER] = Field(
        default=10, gt=0, lt=100, description="Of the customers, who are left out."
    )
    expected_rate: Annotated[float, NUMBER] = Field(
        default=0.1, gt=0, lt=1, description="The share with the outcome that is expected anyway."
    )
    expected_deviation: _Positive = Field(
        default=1, description="The standard deviation that is expected of counts and sums."
    )
    purpose: Annotated[
        Line,
        Field(
            max_length=100,
            description="For which customers must have agreed to be addressed; empty asks nobody.",
        ),
    ] = ""
    description: Annotated[Text, Field(max_length=_LONGEST_TEXT)] = Field(
        default="", description="What to say of it."
    )
    owner: Annotated[Line, Field(max_length=_LONGEST_NAME)] = Field(
        default="", description="Whose it is."
    )

    @property
    def plan(self) -> Plan:
        """The plan."""
        return Plan.of(self.model_dump(exclude={"name", "audience_id", "by"}))


class CampaignBody(PlanBody):
    """A campaign to plan."""

    name: _Name = Field(
        description="What to call it; it draws who is held out, as an export's `split` does.",
        examples=["spring"],
    )
    audience_id: _Whole = Field(ge=1, lt=2**31, description="Whom it is for.", examples=[1])
    by: Annotated[Line, Field(max_length=_LONGEST_NAME)] = Field(
        default="", description="Who plans it, where the API asks for no key."
    )


class ForecastBody(PlanBody):
    """A plan, to tell what it could show."""

    audience_id: _Whole = Field(ge=1, lt=2**31, description="Whom it is for.", examples=[1])


class _OutcomeRow(BaseModel):
    """What came of a customer."""

    model_config = ConfigDict(extra="forbid")

    outcome: Annotated[float, Field(allow_inf_nan=False), NUMBER] | None = Field(
        default=None, description="1 or 0 for yes or no, else how much; null says nothing of it."
    )
    addressed: StrictBool | None = Field(
        default=None, description="Whether the customer was addressed; null says nothing of it."
    )


def outcomes_body(id_: Id) -> Any:  # noqa: ANN401
    """Return the type of outcomes of customers whose ids are as a schema says."""
    told: Any = Field(description="Whose.", examples=[id_.example])
    row = create_model("OutcomeRow", __base__=_OutcomeRow, customer_id=(body_id(id_), told))
    rows: Any = Annotated[list[row], Field(min_length=1, max_length=MAX_ROWS)]
    by: Any = Annotated[Line, Field(max_length=_LONGEST_NAME, description="Who tells it.")]
    return create_model(
        "Outcomes",
        __doc__="What came of customers, and who was addressed.",
        __config__=ConfigDict(extra="forbid"),
        outcomes=(rows, Field(description="Of each customer.")),
        by=(by, ""),
    )


def reported(rows: Any, *, is_text: bool) -> Reported:  # noqa: ANN401
    """Return what rows of outcomes report."""
    ids = np.array([row.customer_id for row in rows], dtype=object if is_text else np.int64)
    told = [np.nan if row.outcome is None else row.outcome for row in rows]
    addressed = [-1 if row.addressed is None else int(row.addressed) for row in rows]
    return Reported(ids, np.array(told), np.array(addressed))
