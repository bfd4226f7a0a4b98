"""Model versions, trainings, drift and the study over the number of segments."""

import time
from typing import Any

import plotly.graph_objects as go
import streamlit as st

from customer_segmentation.dashboard.service import (
    forget,
    read_drift,
    read_models,
    read_segments,
    refusals_told,
    service,
)
from customer_segmentation.dashboard.style import (
    LEVELS,
    bars,
    colour_of,
    label_of,
    number_of,
    plain,
)

_LEVEL_COLOURS = {"stable": "#009E73", "moderate": "#E69F00", "large": "#D55E00"}
_FOLLOW_SECONDS = 0.5
_MORE = 4
_MOST = 12


def page() -> None:
    """Show versions, and let the right key train, activate and roll back."""
    st.title("Model")
    with refusals_told():
        models = read_models()
        versions, train, compare, drift, study = st.tabs(
            ["Versions", "Train", "Compare", "Drift", "Study"]
        )
        with versions:
            _show_versions(models)
        with train:
            _train()
        with compare:
            _compare(models)
        with drift:
            _show_drift()
        with study:
            _study()


def _show_versions(models: list[dict[str, Any]]) -> None:
    st.dataframe(
        [
            {
                "version": model["version"],
                "serves": "yes" if model["is_active"] else "",
                "trained (UTC)": model["created_at"][:19].replace("T", " "),
                "by": model["created_by"],
                "customers": number_of(model["customers"]),
                "silhouette": round(model["quality"]["silhouette"], 3),
                "stability": round(model["quality"]["stability"], 3),
                "held back because": "; ".join(model["held_back"]),
            }
            for model in models
        ],
        hide_index=True,
    )
    others = [model["version"] for model in models if not model["is_active"]]
    if not others:
        st.info("There is one version yet. Train another on the tab *Train*.")
        return
    chosen = st.selectbox("Let another version serve", others)
    sure = st.checkbox("Every customer is to be segmented by it at once")
    if st.button("Activate", type="primary", disabled=not sure):
        service().activate_model(chosen, reason="from the dashboard")
        forget()
        st.rerun()


def _train() -> None:
    st.write("Train a new model on the customers of now. Segments keep their numbers and names.")
    running = next((j for j in service().list_jobs()["jobs"] if j["state"] == "running"), None)
    if running is not None:
        _follow(running["id"])
    elif st.button("Retrain", type="primary"):
        service().begin_training(reason="from the dashboard")
        st.rerun()


def _follow(job_id: str) -> None:
    """Show how far a job is until it has ended."""
    bar = st.progress(0.0, "starting")
    if st.button("Cancel"):
        service().cancel_job(job_id)
        st.warning("The training is cancelled; the model that served goes on.")
        return
    while True:
        job = service().get_job(job_id)
        if job["state"] != "running":
            break
        share = job["done"] / job["total"] if job["total"] else 0.0
        bar.progress(min(share, 1.0), f"{job['phase']}: {job['done']:,} of {job['total']:,}")
        time.sleep(_FOLLOW_SECONDS)
    forget()
    bar.empty()
    if job["state"] == "succeeded":
        st.success(f"Model version {job['model_version']} serves.")
    else:
        st.warning(f"{job['state'].replace('_', ' ').capitalize()}. {job['error'] or ''}")


def _compare(models: list[dict[str, Any]]) -> None:
    if len(models) < 2:
        st.info("There is one version yet, and nothing to compare it with.")
        return
    numbers = [model["version"] for model in models]
    left, right = st.columns(2)
    before = left.selectbox("From version", numbers, index=1)
    after = right.selectbox("To version", numbers, index=0)
    if before == after:
        st.info("Choose two versions.")
        return
    found = service().get_impact(after, before)
    left, middle, right = st.columns(3)
    left.metric("Customers", number_of(found["customers"]))
    middle.metric("Would move", number_of(found["moved"]))
    right.metric("Agreement", f"{found['agreement']:.3f}", help="Adjusted Rand index; 1 is full.")
    names = {s["number"]: s["name"] for s in found["segments"]}
    st.plotly_chart(_sankey(found["matrix"], names), key="sankey")


def _sankey(matrix: dict[str, dict[str, int | None]], names: dict[int, str]) -> go.Figure:
    befores = [int(number) for number in matrix]
    afters = sorted({int(number) for row in matrix.values() for number in row})
    flows = [
        (befores.index(int(b)), len(befores) + afters.index(int(a)), count, int(b))
        for b, row in matrix.items()
        for a, count in row.items()
        if count
    ]
    figure = go.Figure(
        go.Sankey(
            node={
                "label": [names.get(number, str(number)) for number in [*befores, *afters]],
                "color": [colour_of(number) for number in [*befores, *afters]],
            },
            link={
                "source": [flow[0] for flow in flows],
                "target": [flow[1] for flow in flows],
                "value": [flow[2] for flow in flows],
                "color": ["rgba(128,128,128,0.35)"] * len(flows),
            },
        )
    )
    return plain(figure, 420)


def _show_drift() -> None:
    found = read_drift()
    st.write(f"Since the training of version {found['model_version']}: {LEVELS[found['level']]}.")
    strongest = sorted(found["attributes"], key=lambda a: -a["psi"])
    st.plotly_chart(
        bars(
            [label_of(a["attribute"]) for a in strongest],
            [a["psi"] for a in strongest],
            [_LEVEL_COLOURS[a["level"]] for a in strongest],
            [f"{a['psi']:.4f}" for a in strongest],
        ),
        key="drift",
    )
    st.write("Population stability index: below 0.1 stable, from 0.25 large.")


def _study() -> None:
    most = min(len(read_segments()["segments"]) + _MORE, _MOST)
    st.write("How many segments suit the customers? A study tries several numbers.")
    if st.button(f"Study 2 to {most} segments"):
        job = service().begin_study(ks=list(range(2, most + 1)))
        _follow(job["id"])
        st.session_state["study"] = job["id"]
    done = st.session_state.get("study")
    if done:
        result = service().get_study(done).get("result")
        if result:
            st.info(result["reason"])
            _show_trials(result["trials"])


def _show_trials(trials: list[dict[str, Any]]) -> None:
    """Plot each number of segments' figures, for the weights that trainings use."""
    shown = [trial for trial in trials if trial["weighting"] == trials[0]["weighting"]]
    figure = go.Figure()
    for place, name in enumerate(("silhouette", "stability")):
        figure.add_trace(
            go.Scatter(
                x=[trial["k"] for trial in shown],
                y=[trial[name] for trial in shown],
                name=name,
                mode="lines+markers",
                line={"color": colour_of(place)},
            )
        )
    figure.update_xaxes(title="number of segments", dtick=1)
    st.plotly_chart(plain(figure, 360), key="study-plot")
    st.dataframe(
        [
            {
                "segments": trial["k"],
                "preparation": trial["weighting"],
                "silhouette": round(trial["silhouette"], 3),
                "stability": round(trial["stability"], 3),
                "smallest": "hidden"
                if trial["least_share"] is None
                else f"{trial['least_share']:.1%}",
                "passes the gates": "yes" if trial["passes"] else "no",
            }
            for trial in trials
        ],
        hide_index=True,
    )
