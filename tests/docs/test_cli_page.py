"""`docs/cli.md` and tutorials are true: commands answer what they show, and none is left out."""

import re
import shlex
import subprocess
import sys
from contextlib import nullcontext
from itertools import groupby
from pathlib import Path

import pytest

from customer_segmentation.cli.console.output import ExitCode
from tests.docs.pages import DOCS, check, examples
from tests.support.commands import COMMANDS
from tests.support.servers import Server

PAGE = (DOCS / "cli.md").read_text(encoding="utf-8")
TUTORIALS = sorted(DOCS.glob("tutorials/*.md"))


def test_every_command_answers_what_the_page_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOGNAME", "ada")
    server = Server(f"sqlite:///{tmp_path / 'customer-segmentation.db'}", tmp_path)

    for needs_service, group in groupby(examples(PAGE), lambda example: "--url" in example[0]):
        with server if needs_service else nullcontext():
            for command, shown in group:
                check(command.replace("http://localhost:8000", server.url), shown)
    check_python()


@pytest.mark.parametrize("tutorial", TUTORIALS, ids=lambda path: path.stem)
def test_every_command_of_a_tutorial_answers_what_it_shows(
    tutorial: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOGNAME", "ada")
    found = examples(tutorial.read_text(encoding="utf-8"))

    assert len(found) >= 5
    for command, shown in found:
        check(command, shown)


def check_python() -> None:
    """See that the page's Python prints what it says, with the file that a command has written."""
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    (shown,) = re.findall(r"  # (.+)$", code, re.MULTILINE)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == shown


def test_no_command_is_left_out() -> None:
    for path in COMMANDS:
        assert re.search(rf"^(\$ )?customer-segmentation {' '.join(path)}\b", PAGE, re.MULTILINE)


def test_commands_that_are_only_shown_are_well_formed() -> None:
    for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL):
        for line in re.findall(r"^customer-segmentation (.+)$", block, re.MULTILINE):
            words = shlex.split(line)
            path = tuple(words[:1]) if tuple(words[:1]) in COMMANDS else tuple(words[:2])
            COMMANDS[path].make_context(line, words[len(path) :])


def test_the_page_lists_every_exit_code() -> None:
    for code in ExitCode:
        assert f"| {code:d} | {code.meaning} |" in PAGE
