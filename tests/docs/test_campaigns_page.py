"""`docs/campaigns.md` is true: its commands answer what the page shows, in their order."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import DOCS, check, examples

PAGE = (DOCS / "campaigns.md").read_text(encoding="utf-8")


def test_a_campaign_goes_from_audience_to_read_out_as_the_page_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOGNAME", "ada")
    before, code, after = re.split(r"```python\n(.*?)```", PAGE, maxsplit=1, flags=re.DOTALL)

    assert len(examples(before)) == 5
    assert len(examples(after)) == 2
    for command, shown in examples(before):
        check(command, shown)
    subprocess.run([sys.executable, "-c", code], check=True)
    for command, shown in examples(after):
        check(command, shown)
