"""Two versions side by side: who would move, and how good each is."""

from typing import Any

import streamlit as st

from customer_segmentation.dashboard import parts, plots
from customer_segmentation.dashboard.service import read_impact
from customer_segmentation.dashboard.style import number_of, share_of

_FATES = {
    "kept": "continues",
    "new": "is new",
    "split": "is split",
    "merged": "is merged into another",
    "retired": "is removed",
}


def show_comparison(models: list[dict[str, Any]]) -> None:
    """Show what changes for the customers from one version to another."""
    if len(models) < 2:
        st.info("There is one version yet, and nothing to compare it with. Train another first.")
        return
    numbers = [model["version"] for model in models]
    left, right = st.columns(2)
    before = left.selectbox("From", numbers, index=1, format_func=_version)
    after = right.selectbox("To", numbers, index=0, format_func=_version)
    if before == after:
        st.info("Choose two versions.")
        return
    found = read_impact(before, after)
    moved = share_of(found["moved_share"])
    parts.tiles(
        [
            parts.Tile("Customers compared", number_of(found["customers"])),
            parts.Tile("Would move", number_of(found["moved"]), f"{moved} of all"),
            parts.Tile("Agreement", f"{found['agreement']:.3f}", "adjusted Rand index, 1 is full"),
            _quality_tile("Stability", "stability", found),
            _quality_tile("Separation", "silhouette", found),
        ]
    )
    titles = {s["number"]: f"{s['number']}: {s['name']}" for s in found["segments"]}
    st.subheader("Who moves where")
    st.caption(f"Left by version {before}, right by version {after}; over the current customers.")
    figure = plots.sankey(found["matrix"], titles)
    what = f"Customers' moves from version {before} to version {after}"
    plots.show(figure, "sankey", 420, what)
    st.subheader("What becomes of each segment")
    parts.table(
        [
            {
                "segment": titles[segment["number"]],
                "what": _FATES[segment["fate"]],
                f"customers, version {before}": _size(segment["size_before"], segment, "new"),
                f"customers, version {after}": _size(segment["size_after"], segment, "retired"),
            }
            for segment in found["segments"]
        ]
    )


def _version(number: int) -> str:
    return f"version {number}"


def _size(size: int | None, segment: dict[str, Any], absent: str) -> str:
    gone = ("split", "merged", "retired")
    is_absent = segment["fate"] == "new" if absent == "new" else segment["fate"] in gone
    return "\N{EN DASH}" if size is None and is_absent else number_of(size)


def _quality_tile(label: str, name: str, found: dict[str, Any]) -> parts.Tile:
    before, after = found["quality_before"][name], found["quality_after"][name]
    return parts.Tile(label, f"{after:.2f}", f"before {before:.2f}")
