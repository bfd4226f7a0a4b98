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
from tests.support.commands import COMMANDS, run
from tests.support.servers import Server

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "cli.md").read_text(encoding="utf-8")
TUTORIALS = sorted(DOCS.glob("tutorials/*.md"))
EXITS = {"999999": ExitCode.NOT_FOUND, "train --segments 5": ExitCode.HELD_BACK}
"""How a command ends that has these words; every other one is done."""
PASSING = [
    r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?( UTC|Z)",
    r"cs_[0-9a-f]{12}_[0-9a-f]{64}",
    r"\b([0-9a-f]{64}|[0-9a-f]{32}|[0-9a-f]{12})\b",
    r"[\d,]+ bytes",
    r"[\d.]+ GB free",
    r"\b0\d{3}\b",
]
"""Times, keys, ids, sizes, migrations: what is another one each time."""


def examples(page: str) -> list[tuple[str, str]]:
    """Return the commands of a page in their order, each with the output that it shows."""
    found = []
    for block in re.findall(r"```console\n(.*?)```", page, re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, shown = part.partition("\n")
            found.append((command, shown))
    return found


def settled(text: str) -> list[str]:
    """Return the lines of an output without what passes, and without what only aligns it."""
    for pattern in PASSING:
        text = re.sub(pattern, "*", text)
    return [re.sub(r"([ ━─])+", r"\1", line).rstrip() for line in text.splitlines() if line]


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


def check(command: str, shown: str) -> None:
    """See that a command answers what is shown, as far as it is: `…` stands for the rest."""
    answer = run(*shlex.split(command)[1:], env={"DATABASE_URL": None, "COLUMNS": None})

    expected, answered = settled(shown), settled(answer.stdout)
    if "…" in expected:
        expected = expected[: expected.index("…")]
        answered = answered[: len(expected)]
    assert answered == expected, (command, answer.stderr)
    (code,) = [code for words, code in EXITS.items() if words in command] or [ExitCode.DONE]
    assert answer.exit_code == code


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
