"""How far customers have drifted from the training data, attribute by attribute."""

import streamlit as st

from customer_segmentation.dashboard import parts
from customer_segmentation.dashboard.schema import declared
from customer_segmentation.dashboard.service import read_drift, read_segments
from customer_segmentation.dashboard.style import label_of, share_of, titles_of
from customer_segmentation.dashboard.words import DRIFT, Grade

_MODERATE, _LARGE = 0.1, 0.25
_COLOURS = {Grade.GOOD: "#009E73", Grade.FAIR: "#E69F00", Grade.POOR: "#D55E00"}


def show_drift() -> None:
    """Show each attribute's index, and the segments' shares then and now."""
    found = read_drift()
    meaning = DRIFT[found["level"]]
    parts.tiles(
        [
            parts.Tile(
                "Drift",
                meaning.short,
                f"Since the training of version {found['model_version']}.",
                meaning,
            ),
            parts.Tile(
                "Largest index", f"{found['psi']:.3f}", "Below 0.1 is stable, from 0.25 large."
            ),
            parts.Tile(
                "Shares of segments", f"{found['segments_psi']:.3f}", "Index of the shares."
            ),
        ]
    )
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader("By attribute")
        st.caption("Population stability index; the dashed lines are at 0.1 and 0.25.")
        parts.bars(
            [
                parts.Bar(
                    label_of(attribute),
                    a["psi"],
                    f"{a['psi']:.4f} {DRIFT[a['level']].grade.sign}",
                    _COLOURS[DRIFT[a["level"]].grade],
                )
                for attribute, a in declared(sorted(found["attributes"], key=lambda a: -a["psi"]))
            ],
            limits=[_MODERATE, _LARGE],
            most=_LARGE * 1.1,
        )
    with right:
        st.subheader("By segment")
        st.caption("Shares of all customers, at training and now.")
        titles = titles_of(read_segments()["segments"])
        parts.table(
            [
                {
                    "segment": titles.get(int(number), number),
                    "at training": share_of(share),
                    "now": share_of(found["current_shares"].get(number)),
                }
                for number, share in found["trained_shares"].items()
            ]
        )
