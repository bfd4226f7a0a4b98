"""Commands of the documents' pages, run to see whether they answer what is shown."""

import re
import shlex
from pathlib import Path

from customer_segmentation.cli.console.output import ExitCode
from tests.support.commands import run

DOCS = Path(__file__).parents[2] / "docs"
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
