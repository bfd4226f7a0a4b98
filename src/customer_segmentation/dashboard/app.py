"""The dashboard's frame: its pages and how to get from one to the next."""

from collections.abc import Callable

import numpy as np
import streamlit as st
from PIL import Image
from streamlit.navigation.page import StreamlitPage

from customer_segmentation.dashboard import customer, data, model, overview, segments, what_if
from customer_segmentation.dashboard.style import colour_of

_ICON_SEGMENTS = 4
_ICON_SIZE = 32


def main() -> None:
    """Show the page that is asked for."""
    st.set_page_config(page_title="Customer Segmentation", page_icon=_icon(), layout="wide")
    pages = [
        _page(overview.page, "Overview", "home", default=True),
        _page(segments.page, "Segments", "groups"),
        _page(customer.page, "Customer", "badge"),
        _page(what_if.page, "What if", "tune"),
        _page(model.page, "Model", "model_training"),
        _page(data.page, "Data", "database"),
    ]
    st.navigation(pages).run()


def _icon() -> Image.Image:
    """Return the browser tab's icon, four segments; a named one would come from the internet."""
    colours = [
        [int(colour_of(n)[at : at + 2], 16) for at in (1, 3, 5)] for n in range(_ICON_SEGMENTS)
    ]
    squares = np.array(colours, dtype=np.uint8).reshape(2, 2, 3)
    size = (_ICON_SIZE, _ICON_SIZE)
    return Image.fromarray(squares).resize(size, Image.Resampling.NEAREST)


def _page(
    show: Callable[[], None], title: str, icon: str, *, default: bool = False
) -> StreamlitPage:
    path = title.lower().replace(" ", "-")
    return st.Page(show, title=title, icon=f":material/{icon}:", url_path=path, default=default)
