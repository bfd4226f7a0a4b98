"""The page on how campaigns are measured: its example prints what it shows."""

import contextlib
import io
import re

from tests.docs.pages import DOCS


def test_the_example_prints_what_the_page_shows() -> None:
    page = (DOCS / "explanation" / "measuring-campaigns.md").read_text()
    blocks = re.search(r"```python\n(.*?)```\s+```text\n(.*?)```", page, re.DOTALL)
    assert blocks is not None
    printed = io.StringIO()

    with contextlib.redirect_stdout(printed):
        exec(blocks[1], {})  # noqa: S102 The page is our own.

    assert printed.getvalue() == blocks[2]
