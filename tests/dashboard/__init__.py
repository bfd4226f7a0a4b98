"""The dashboard, in a browser and by Streamlit's test runner."""
