"""The link to the guide, for visitors whose browsers can follow it."""

from urllib.parse import urlsplit

import httpx
import streamlit as st

_WAIT_SECONDS = 2.0
"""The longest wait for the guide, as the whole page waits with it."""


@st.cache_data(ttl=60, show_spinner=False)
def is_built(service: str) -> bool:
    """Return whether the service at an address has the guide."""
    try:
        return httpx.get(f"{service.rstrip('/')}/guide/", timeout=_WAIT_SECONDS).is_success
    except httpx.HTTPError:
        return False


def address_for(visited: str | None, service: str) -> str | None:
    """Return the guide's address for a visitor's browser; None where it leads nowhere from there.

    A service on the dashboard's own machine is known by that address only there, and one by a name
    without a dot, such as a container's, only to the dashboard.

    Args:
        visited: the dashboard's address in the browser, where it is known.
        service: the service's address, as the dashboard calls it.
    """
    host = urlsplit(service).hostname or ""
    if _is_own(host):
        leads_there = _is_own(urlsplit(visited or "").hostname or "")
    else:
        leads_there = "." in host or ":" in host
    return f"{service.rstrip('/')}/guide/" if leads_there else None


def _is_own(host: str) -> bool:
    return host in ("localhost", "::1") or host.startswith("127.")
