"""The types of customers in requests, made from the feature table, and their examples.

The OpenAPI document is made from these types. Requests are read by the rules of the feature table
itself, which name every fault.
"""
# mypy: allow-subclassing-any

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from msgspec import UNSET, Meta, UnsetType, defstruct

from customer_segmentation.domain.attributes import Column
from customer_segmentation.domain.features import CUSTOMER_ID, FEATURES
from customer_segmentation.domain.numbers import LARGEST_INTEGER, Number

NEW_CUSTOMER = {f.name: f.example for f in (CUSTOMER_ID, *FEATURES)}
"""The documented customer to add."""

CHANGES = {"customer_id": 7287, "total_deposit_amount": 9876, "transaction_count": 3}
"""The documented update."""

ATTRIBUTES: dict[str, Number] = {
    "age": 34,
    "gender": 1,
    "monthly_income": 9763,
    "account_balance": 26514,
    "loyalty_score": 45,
    "education_level": 2,
    "facebook_interaction": 1,
    "twitter_interaction": 0,
    "email_interaction": 0,
    "instagram_interaction": 0,
    "total_withdrawal_amount": 926,
    "total_deposit_amount": 0,
    "transaction_count": 1,
    "has_loan": 1,
}
"""The documented prediction."""


def meta_of(feature: Column) -> Meta:
    """Return what the document says of an attribute's values."""
    codes = ", ".join(f"{code} = {label}" for code, label in feature.codes.items())
    description = (
        f"{feature.description}{f': {codes}' if codes else ''}. Allowed: {feature.allowed}"
    )
    if feature.unit:
        description += f". Unit: {feature.unit}"
    least, most = feature.minimum, feature.maximum
    if feature.is_integer:
        # Whole numbers end at 2^53 either way; amounts with a fraction may be larger.
        least = -LARGEST_INTEGER if least is None else least
        most = LARGEST_INTEGER if most is None else most
    return Meta(
        title=feature.record_name,
        description=f"{description}.",
        examples=[feature.example],
        ge=least,
        le=most,
    )


def structure_of(
    required: Iterable[Column],
    optional: Iterable[Column] = (),
    rename: Mapping[str, str] | None = None,
) -> Any:  # noqa: ANN401
    """Return a structure of attributes, to derive one from that has a name and a docstring.

    Args:
        required: the attributes that must be given, in the order of the fields.
        optional: those after them that may be left out.
        rename: the names in JSON, by request name.
    """
    fields: list[tuple[str, Any] | tuple[str, Any, Any]] = [
        *((feature.name, _type_of(feature)) for feature in required),
        *((feature.name, _type_of(feature) | UnsetType, UNSET) for feature in optional),
    ]
    return defstruct("_Structure", fields, rename=rename, forbid_unknown_fields=True)


def _type_of(feature: Column) -> Any:  # noqa: ANN401
    return Annotated[int if feature.is_integer else float, meta_of(feature)]


_All: Any = structure_of(FEATURES)
_Identified: Any = structure_of((CUSTOMER_ID, *FEATURES))
_Some: Any = structure_of((), FEATURES)
_IdentifiedSome: Any = structure_of([CUSTOMER_ID], FEATURES)


class CustomerAttributes(_All):
    """Everything the model looks at, without an id: someone to segment without storing."""


class NewCustomer(_Identified):
    """A customer to add: an id that is free, and every attribute."""


class AttributeChanges(_Some):
    """At least one attribute; those not given stay as they are."""


class CustomerChanges(_IdentifiedSome):
    """The customer to change and at least one attribute; those not given stay as they are."""
