"""The service that the dashboard shows, and what to tell where it does not answer."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import streamlit as st

from customer_segmentation.client import Client, ServiceError
from customer_segmentation.dashboard import parts

_FRESH_SECONDS = 5
"""How long an aggregate is shown without asking again."""

_WAIT_SECONDS = 0.3
"""The longest wait before a call is tried again, as somebody looks at an empty page meanwhile."""

ROLES = ("reader", "writer", "admin")

_ADVICE = {
    "not-signed-in": "The service asks for an API key. Make one with `customer-segmentation keys "
    "create dashboard --role admin` and start the dashboard with it as "
    "`CUSTOMER_SEGMENTATION_KEY`.",
    "not-allowed": "The dashboard's API key may not do this. Start it with a key of a greater "
    "role: `customer-segmentation keys create dashboard --role admin`.",
    "too-many-requests": "The dashboard's API key was used too often. Wait a moment and try again.",
    "not-ready": "There are no customers yet, and so no model. Begin with your own table on the "
    "page Data, or import it where the service runs: `customer-segmentation import "
    "customers.csv`. This trains the first model too. Then load this page again.",
    "database-unavailable": "The service is there, but its database does not answer. "
    "`customer-segmentation doctor` tells why; try again in a moment.",
    "approval-required": "Somebody other than who asked for the training must activate it.",
    "stale-customer": "Somebody else has changed this customer meanwhile. Load the page again.",
    "stale-audience": "Somebody else has changed this audience meanwhile. What you wrote is still "
    "in the form: show the current values to go on from them.",
    "stale-segment": "Somebody else has changed this segment meanwhile. Load the page again.",
}


def address() -> str:
    """Return where the service is."""
    return os.environ.get("CUSTOMER_SEGMENTATION_URL", "http://localhost:8000")


@st.cache_resource(on_release=Client.close)
def service() -> Client:
    """Return the client that every page and every visitor share."""
    key = os.environ.get("CUSTOMER_SEGMENTATION_KEY") or None
    return Client(address(), key, sleep=lambda seconds: time.sleep(min(seconds, _WAIT_SECONDS)))


@contextmanager
def refusals_told() -> Iterator[None]:
    """Tell in plain words why the service did not do what was asked, and what helps."""
    try:
        yield
    except ServiceError as refusal:
        st.error(parts.literal(str(refusal)), icon=":material/block:")
        for fault in refusal.problem.get("errors", []):
            st.write(f"**{parts.literal(fault['field'])}**: {parts.literal(fault['message'])}")
        kind = str(refusal.problem.get("type", "")).rpartition(":")[2]
        if kind in _ADVICE:
            st.info(_ADVICE[kind], icon=":material/lightbulb:")
    except httpx.TransportError:
        st.error(f"The service at {address()} does not answer.", icon=":material/power_off:")
        st.info(
            "Start it with `./run`, or name another one in `CUSTOMER_SEGMENTATION_URL`, "
            "and load this page again.",
            icon=":material/lightbulb:",
        )


@st.cache_data(ttl=_FRESH_SECONDS, show_spinner=False)
def read_access() -> dict[str, Any]:
    """Return whose the dashboard's key is, and its role."""
    return service().get_access()


def may(role: str) -> bool:
    """Return whether the dashboard's key has a role or a greater one; if not, say what helps."""
    ours = read_access()["role"]
    if ROLES.index(ours) >= ROLES.index(role):
        return True
    st.info(
        f"This needs a key of role {role}; the dashboard's is a {ours}. Make one with "
        f"`customer-segmentation keys create NAME --role {role}`.",
        icon=":material/lock:",
    )
    return False


@st.cache_data(ttl=_FRESH_SECONDS, show_spinner=False)
def read_segments() -> dict[str, Any]:
    """Return the segments with their profiles."""
    return service().list_segments()


@st.cache_data(ttl=_FRESH_SECONDS, show_spinner=False)
def read_models() -> list[dict[str, Any]]:
    """Return every model version, the newest first."""
    return list(service().list_models()["models"])


@st.cache_data(ttl=_FRESH_SECONDS, show_spinner=False)
def read_model(version: int) -> dict[str, Any]:
    """Return a model version whole."""
    return service().get_model(version)


@st.cache_data(ttl=_FRESH_SECONDS, show_spinner=False)
def read_drift() -> dict[str, Any]:
    """Return how far the customers have drifted."""
    return service().get_drift()


@st.cache_data(ttl=_FRESH_SECONDS, show_spinner=False)
def read_distributions() -> dict[str, dict[str, Any]]:
    """Return how the customers are spread over the values of each attribute, by its name."""
    return {one["attribute"]: one for one in service().get_distributions()["attributes"]}


@st.cache_data(ttl=_FRESH_SECONDS, show_spinner=False)
def read_disparity() -> dict[str, Any]:
    """Return how groups by protected attributes are spread over the segments."""
    return service().get_disparity()


@st.cache_data(ttl=60, show_spinner=False)
def read_growth(since: datetime) -> dict[int, int | None]:
    """Return by how many customers each segment has grown since a moment."""
    return {one["segment"]: one["net"] for one in service().get_growth(since)["segments"]}


@st.cache_data(ttl=60, show_spinner=False)
def read_sizes(weeks: int) -> list[dict[str, Any]]:
    """Return how large each segment was before each of the last weeks, and is now."""
    return list(service().get_segment_sizes(weeks)["sizes"])


@st.cache_data(ttl=60, show_spinner="Counting who moved…")
def read_transitions(weeks: int) -> list[dict[str, Any]]:
    """Return how many customers are in which segments now and were in which before some weeks."""
    until = datetime.now(UTC)
    found = service().get_transitions(until - timedelta(weeks=weeks), until)
    return list(found["transitions"])


@st.cache_data(ttl=60, show_spinner=False)
def read_audience_sizes(audience_id: int) -> list[dict[str, Any]]:
    """Return how many customers an audience had by day."""
    return list(service().get_audience_sizes(audience_id)["sizes"])


@st.cache_data(ttl=60, show_spinner="Drawing customers by chance…")
def read_map(size: int) -> dict[str, Any]:
    """Return some customers' places on a map."""
    return service().get_map(size)


@st.cache_data(ttl=60, max_entries=16, show_spinner="Comparing every customer under both…")
def read_impact(before: int, after: int) -> dict[str, Any]:
    """Return what changes for the customers between two versions."""
    return service().get_impact(after, before)


@st.cache_data(ttl=_FRESH_SECONDS, show_spinner=False)
def read_audiences() -> list[dict[str, Any]]:
    """Return every audience with its size, the oldest first."""
    return list(service().list_audiences()["audiences"])


@st.cache_data(ttl=_FRESH_SECONDS, show_spinner=False)
def read_campaigns() -> list[dict[str, Any]]:
    """Return every campaign, the oldest first."""
    return list(service().list_campaigns()["campaigns"])


@st.cache_data(ttl=_FRESH_SECONDS, max_entries=64, show_spinner=False)
def read_forecast(
    audience_id: int, arms: list[dict[str, Any]], outcome: dict[str, Any], plan: dict[str, Any]
) -> dict[str, Any]:
    """Return what a campaign could show."""
    return service().forecast_campaign(audience_id, arms, outcome, **plan)


@st.cache_data(ttl=_FRESH_SECONDS, max_entries=64, show_spinner="Counting…")
def read_count(rule: str) -> dict[str, Any]:
    """Return how many customers meet a rule."""
    return service().count_audience(rule)


def forget() -> None:
    """Ask the service anew, as something was changed."""
    st.cache_data.clear()
