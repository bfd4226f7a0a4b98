"""What contests have in common: figures with their spread, tables, the page they write to."""

import os
import platform
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

ROUNDS = int(os.environ.get("BENCHMARK_ROUNDS", "3"))
PAGE = Path(__file__).parent.parent / "docs" / "performance.md"


def spread(values: Sequence[float], form: str = "{:,.0f}", unit: str = "") -> str:
    """Return the median and, in brackets, the least and the most."""
    low, high = form.format(min(values)), form.format(max(values))
    return f"{form.format(median(values))}{unit} ({low} to {high})"


def ratios(ours: Sequence[float], theirs: Sequence[float], form: str = "{:.2f}") -> str:
    """Return ours divided by theirs, round by round: the median, the least and the most."""
    return spread([one / other for one, other in zip(ours, theirs, strict=True)], form)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def blocks() -> set[str]:
    """Return the names of the contests that the page has a place for."""
    return set(re.findall(r"<!-- measured: (\w+) -->", PAGE.read_text()))


def put(contest: str, found: str) -> None:
    """Write what a contest found to its place in the page, between two comments."""
    begin, end = f"<!-- measured: {contest} -->", "<!-- end -->"
    before, _, rest = PAGE.read_text().partition(begin)
    after = rest.partition(end)[2]
    PAGE.write_text(f"{before}{begin}\n{found}\n\n{_where()}\n{end}{after}")


def _where() -> str:
    names = re.findall(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    day = datetime.now(UTC).date().isoformat()
    return (
        f"*{day}, {os.cpu_count()} processors, {names[0] if names else platform.machine()}, "
        f"Python {platform.python_version()}.*"
    )
