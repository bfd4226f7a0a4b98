"""The service that the dashboard shows, and what to tell where it does not answer."""

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import streamlit as st

from customer_segmentation.client import Client, ServiceError

_FRESH_SECONDS = 5
"""How long an aggregate is shown without asking again."""

PAGE = 1000
"""Customers a call, the most that the service gives."""

_ADVICE = {
    401: "The service asks for an API key. Make one with `customer-segmentation keys create "
    "dashboard --role admin` and start the dashboard with it as `CUSTOMER_SEGMENTATION_KEY`.",
    403: "The dashboard's API key may not do this. Start it with a key of a greater role.",
    429: "The dashboard's API key was used too often. Wait a moment and try again.",
    503: "The service is there but not ready: it has no model yet, or its database does not "
    "answer. Try again in a moment.",
}


def address() -> str:
    """Return where the service is."""
    return os.environ.get("CUSTOMER_SEGMENTATION_URL", "http://localhost:8000")


@st.cache_resource
def service() -> Client:
    """Return the client that every page and every visitor share."""
    return Client(address(), os.environ.get("CUSTOMER_SEGMENTATION_KEY") or None)


@contextmanager
def refusals_told() -> Iterator[None]:
    """Tell in plain words why the service did not do what was asked, and what helps."""
    try:
        yield
    except ServiceError as refusal:
        st.error(f"{refusal}", icon=":material/block:")
        for fault in refusal.problem.get("errors", []):
            st.write(f"**{fault['field']}**: {fault['message']}")
        if refusal.status in _ADVICE:
            st.info(_ADVICE[refusal.status])
    except httpx.TransportError:
        st.error(f"The service at {address()} does not answer.", icon=":material/power_off:")
        st.info(
            "Start it with `./run`, or name another one in `CUSTOMER_SEGMENTATION_URL`, "
            "and load this page again."
        )


@st.cache_data(ttl=_FRESH_SECONDS, show_spinner=False)
def read_segments() -> dict[str, Any]:
    """Return the segments with their profiles."""
    return service().list_segments()


@st.cache_data(ttl=_FRESH_SECONDS, show_spinner=False)
def read_models() -> list[dict[str, Any]]:
    """Return every model version, the newest first."""
    return list(service().list_models()["models"])


@st.cache_data(ttl=_FRESH_SECONDS, show_spinner=False)
def read_drift() -> dict[str, Any]:
    """Return how far the customers have drifted."""
    return service().get_drift()


@st.cache_data(ttl=60, show_spinner=False)
def read_sizes(moment: datetime) -> dict[int, int]:
    """Return how many customers each segment had at a moment; empty where nobody was there yet."""
    sizes: Counter[int] = Counter()
    for transition in service().get_transitions(moment, datetime.now(UTC))["transitions"]:
        if transition["from_segment"] is not None:
            sizes[transition["from_segment"]] += transition["customers"] or 0
    return dict(sizes)


@st.cache_data(ttl=60, show_spinner=False)
def read_sample(limit: int) -> list[dict[str, Any]]:
    """Return some customers, for a map."""
    return list(service().list_customers(limit=limit)["customers"])


def forget() -> None:
    """Ask the service anew, as something was changed."""
    st.cache_data.clear()
