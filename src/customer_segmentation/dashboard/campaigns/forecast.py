"""What a campaign could show, before it starts."""

from typing import Any

import streamlit as st

from customer_segmentation.dashboard import parts
from customer_segmentation.dashboard.style import number_of
from customer_segmentation.domain.plurals import counted


def show_forecast(told: dict[str, Any], outcome: dict[str, Any]) -> None:
    """Show how many are addressed and held out, and the smallest effect that would show."""
    held_out = parts.Tile("Held out", number_of(told["held_out"]), "to be compared with")
    parts.tiles([parts.Tile("Customers", number_of(told["customers"])), held_out])
    st.markdown("**Smallest effect that would show**")
    parts.table(
        [
            {
                "arm": one["name"],
                "customers": number_of(one["customers"]),
                "smallest lift": lift_of(one["smallest_lift"], outcome),
            }
            for one in told["arms"]
        ]
    )
    st.caption(
        "An arm that brings so much shows it in 80 of 100 such campaigns. For less, hold out more, "
        "address more customers, or leave an arm out."
    )
    for one in told["overlaps"]:
        st.warning(
            f"{counted(one['customers'], 'customer')} of them are in the running campaign "
            f"{parts.literal(one['campaign'])}, which blurs what either brings.",
            icon=":material/join_inner:",
        )


def lift_of(lift: float | None, outcome: dict[str, Any]) -> str:
    """Return a lift for people: of a rate in percentage points."""
    if lift is None:
        return "none would"
    if outcome["measure"] == "any":
        return f"{lift * 100:.2g} points"
    return f"{lift:.3g} {outcome['unit']}".strip()
