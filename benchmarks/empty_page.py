"""An empty Streamlit page, served by `python -m benchmarks.empty_page --port 8501`."""

import os
import sys
from pathlib import Path

_PAGE = 'import streamlit as st\n\nst.title("Overview")\n'

if __name__ == "__main__":
    script = Path("empty.py")
    script.write_text(_PAGE)
    options = [f"--server.port={sys.argv[-1]}", "--server.headless=true"]
    command = [sys.executable, "-m", "streamlit", "run", str(script), *options]
    os.execv(sys.executable, [*command, "--browser.gatherUsageStats=false"])  # noqa: S606
