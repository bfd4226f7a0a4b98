"""The dashboard: Streamlit pages over the HTTP API, which show what the service says."""
