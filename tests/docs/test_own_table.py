"""`docs/your-own-table.md` is true: each command answers what the page shows, in its order."""

import re
import shutil
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.docs.pages import DOCS, check, examples
from tests.support.servers import Server

PAGE = (DOCS / "your-own-table.md").read_text(encoding="utf-8")
URL = "http://localhost:8000"


def test_a_table_becomes_a_campaign_list_as_the_page_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOGNAME", "ada")
    shutil.copy(DOCS / "examples" / "gym-members.csv", tmp_path)
    (schema, data) = re.findall(r"serve --schema (\S+) --data (\S+)", PAGE)[0]
    given = {
        "CUSTOMER_SEGMENTATION_SCHEMA_FILE": schema,
        "CUSTOMER_SEGMENTATION_DATA": data,
    }
    found = examples(PAGE)

    assert len(found) == 5
    with ExitStack() as stack:
        server = None
        for command, shown in found:
            if URL in command and server is None:
                server = Server(f"sqlite:///{tmp_path / 'gym.db'}", tmp_path, **given)
                stack.enter_context(server)
            check(command if server is None else command.replace(URL, server.url), shown)
        assert server is not None
        check("customer-segmentation import gym-members.csv --url " + server.url, "…")

    groups = (tmp_path / "campaign.csv").read_text(encoding="utf-8")
    assert groups.startswith("member,age,plan,")
    assert re.search(r"^G-\d{5},.*,treatment$", groups, re.MULTILINE)
    assert re.search(r",holdout$", groups, re.MULTILINE)


def test_the_example_is_what_its_script_makes(capsys: pytest.CaptureFixture[str]) -> None:
    from scripts.make_gym_members import main

    main()

    assert capsys.readouterr().out == (DOCS / "examples" / "gym-members.csv").read_text()
