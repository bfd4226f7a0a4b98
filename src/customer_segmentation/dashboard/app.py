"""The dashboard's frame: its pages and how to get from one to the next."""

from collections.abc import Callable
from html import escape
from pathlib import Path

import httpx
import streamlit as st
from streamlit.navigation.page import StreamlitPage

from customer_segmentation.client import ServiceError
from customer_segmentation.dashboard import guide, overview, parts, trends, what_if
from customer_segmentation.dashboard.audiences import page as audiences
from customer_segmentation.dashboard.campaigns import page as campaigns
from customer_segmentation.dashboard.customer import page as customer
from customer_segmentation.dashboard.data import page as data
from customer_segmentation.dashboard.model import page as model
from customer_segmentation.dashboard.segments import page as segments
from customer_segmentation.dashboard.service import address, read_access
from customer_segmentation.dashboard.style import colour_of

_STYLE = Path(__file__).with_name("style.css")
_ICON = "".join(
    f'<rect x="{x}" y="{y}" width="15" height="15" rx="4" fill="{colour_of(place)}"/>'
    for place, (x, y) in enumerate([(0, 0), (17, 0), (0, 17), (17, 17)])
)
_LOGO = f'<svg xmlns="http://www.w3.org/2000/svg" width="32" height="32">{_ICON}</svg>'


def main() -> None:
    """Show the page that is asked for."""
    # Before the pages, whose icons browsers would else fetch from elsewhere to show in the tab.
    st.set_page_config(page_icon=_LOGO, layout="wide")
    st.html(_STYLE)
    st.logo(_LOGO, size="large")
    pages = [
        _page(overview.page, "Overview", "home", default=True),
        _page(segments.page, "Segments", "groups"),
        _page(audiences.page, "Audiences", "ads_click"),
        _page(campaigns.page, "Campaigns", "campaign"),
        _page(trends.page, "Trends", "trending_up"),
        _page(customer.page, "Customer", "badge"),
        _page(what_if.page, "What if", "tune"),
        _page(model.page, "Model", "model_training"),
        _page(data.page, "Data", "database"),
    ]
    parts.pages().update({page.title: page for page in pages})
    shown = st.navigation(pages)
    st.set_page_config(page_title=f"{shown.title} · Customer Segmentation", page_icon=_LOGO)
    with st.sidebar:
        st.html(f'<p class="connection soft">{_connection()}</p>')
    shown.run()


def _connection() -> str:
    """Return what the dashboard is connected to, and what it may do there, as HTML."""
    try:
        access = read_access()
    except (ServiceError, httpx.TransportError):
        # The page tells why, and what helps.
        return f"Not connected to {escape(address())}"
    name = f"{access['name']}, " if access["name"] else ""
    told = f"{escape(address())}<br>{escape(name)}{access['role']}"
    link = guide.address_for(st.context.url, address())
    if link is not None and guide.is_built(address()):
        told += f'<br><a href="{escape(link)}" target="_blank">Guide</a>'
    return told


def _page(
    show: Callable[[], None], title: str, icon: str, *, default: bool = False
) -> StreamlitPage:
    path = title.lower().replace(" ", "-")
    return st.Page(show, title=title, icon=f":material/{icon}:", url_path=path, default=default)
