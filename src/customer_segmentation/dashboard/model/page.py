"""Model versions, trainings, drift and the study over the number of segments."""

import streamlit as st

from customer_segmentation.dashboard.model.compare import show_comparison
from customer_segmentation.dashboard.model.drift import show_drift
from customer_segmentation.dashboard.model.study import show_study
from customer_segmentation.dashboard.model.train import show_training
from customer_segmentation.dashboard.model.versions import show_versions
from customer_segmentation.dashboard.service import read_models, refusals_told


def page() -> None:
    """Show versions, and let the right key train, activate and roll back."""
    st.title("Model")
    with refusals_told():
        models = read_models()
        versions, train, compare, drift, study = st.tabs(
            ["Versions", "Train", "Compare", "Drift", "Study"], key="model-view", on_change="rerun"
        )
        if versions.open:
            with versions:
                show_versions(models)
        if train.open:
            with train:
                show_training(models)
        if compare.open:
            with compare, refusals_told():
                show_comparison(models)
        if drift.open:
            with drift, refusals_told():
                show_drift()
        if study.open:
            with study:
                show_study()
