"""The card of an audience: who is in it, and what can be done with it."""

from functools import partial
from html import escape
from typing import Any

import streamlit as st

from customer_segmentation.dashboard import parts
from customer_segmentation.dashboard.address_bar import follow, said, say
from customer_segmentation.dashboard.audiences.changing import change, delete
from customer_segmentation.dashboard.audiences.figures import (
    show_overlaps,
    show_profile,
    show_sizes,
)
from customer_segmentation.dashboard.data.exporting import FORMATS, export
from customer_segmentation.dashboard.style import moment_of, number_of, share_of, titles_of

_CHOSEN = "audience"
_TABS = ["Profile", "Overlap", "Size", "Export", "Change", "Delete"]
_MOST_HELD_OUT = 100.0


def show_card(audiences: list[dict[str, Any]], found: dict[str, Any]) -> None:
    """Show the audience that is chosen.

    Args:
        audiences: all of them.
        found: the segments with their profiles.
    """
    if not audiences:
        st.info("There is no audience yet. Build one on the tab *Build*.")
        return
    by_id = {str(audience["id"]): audience for audience in audiences}
    first = next(iter(by_id))
    follow("audience", _CHOSEN, lambda asked: asked if asked in by_id else None if asked else first)
    chosen = st.selectbox(
        "Which audience",
        list(by_id),
        format_func=lambda one: str(by_id[one]["name"]),
        placeholder="Choose an audience",
        width=420,
        key=_CHOSEN,
    )
    if chosen is None:
        st.info("There is no such audience. Choose one of these.", icon=":material/campaign:")
        return
    # The first one is shown where the address names none.
    if chosen != first or said("audience"):
        say("audience", chosen)
    audience, titles = by_id[chosen], titles_of(found["segments"])
    _show_head(audience, found["customers"])
    profile, overlap, size, away, edit, remove = st.tabs(
        _TABS, key=f"audience-{chosen}-view", on_change="rerun"
    )
    if profile.open:
        with profile:
            show_profile(audience, titles)
    if overlap.open:
        with overlap:
            show_overlaps(audience)
    if size.open:
        with size:
            show_sizes(audience)
    if away.open:
        with away:
            _export(audience)
    if edit.open:
        with edit:
            change(audience["id"])
    if remove.open:
        with remove:
            delete(audience)


def kind_of(audience: dict[str, Any]) -> str:
    """Return whether an audience is always current or a list of a moment."""
    return "frozen" if audience["is_frozen"] else "current"


def _show_head(audience: dict[str, Any], customers: int) -> None:
    size, moment = audience["size"], moment_of(audience["created_at"], st.context.timezone)
    by = f", by {audience['created_by']}" if audience["created_by"] else ""
    parts.tiles(
        [
            parts.Tile("Customers", number_of(size)),
            parts.Tile(
                "Share",
                share_of(None if size is None or not customers else size / customers),
                "of all customers",
            ),
            parts.Tile("Kind", kind_of(audience), f"saved {moment}{by}"),
            parts.Tile("Owner", audience["owner"] or "nobody"),
        ]
    )
    if audience["description"]:
        # Markdown would make links of the addresses in it.
        st.html(f"<p>{escape(audience['description'])}</p>")
    if audience["fault"]:
        st.warning(
            f"{audience['fault'].capitalize()}: nobody comes or goes until the rule is changed.",
            icon=":material/rule:",
        )
    st.code(audience["rule"], language=None, wrap_lines=True)
    st.button(
        "Build another from this rule",
        icon=":material/tune:",
        on_click=st.query_params.from_dict,
        args=[{"view": "build", "rule": audience["rule"]}],
    )


def _export(audience: dict[str, Any]) -> None:
    """Ask for a format and who is held out, and fetch the file."""
    left, middle, right = st.columns(3)
    chosen = left.selectbox("Format", list(FORMATS))
    share = middle.number_input(
        "Hold out, in percent",
        min_value=0.0,
        max_value=_MOST_HELD_OUT,
        value=0.0,
        step=5.0,
        help="Of these customers, drawn by chance, who are not to be addressed: the file says who, "
        "so that one sees later what the campaign brought.",
    )
    campaign = right.text_input(
        "Campaign",
        max_chars=200,
        placeholder="its name",
        disabled=not share,
        help="Draws who is held out: the same name holds out the same customers.",
    )
    form, ending = FORMATS[chosen]
    if share and not campaign.strip():
        st.info("Name the campaign, so that the same customers are held out again.")
        return
    asked: dict[str, object] = {"audience_id": audience["id"]}
    if share:
        asked |= {"holdout": share, "split": campaign}
    st.caption("Each customer with segment, confidence and strategy.")
    st.download_button(
        f"Export {parts.label(audience['name'])} as {chosen}",
        data=partial(export, {}, form, **asked),
        file_name=f"audience-{audience['id']}.{ending}",
        on_click="ignore",
        icon=":material/download:",
        type="primary",
    )
