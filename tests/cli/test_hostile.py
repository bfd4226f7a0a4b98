"""Whatever a command is given, it ends with a documented code and a short error, and no trace.

Commands, arguments and options are those of the command line itself: a new one is tried as well.
What an option does that is given twice is in `test_cli_help.py`.
"""

import os
import shutil
import stat
import traceback
from collections.abc import Iterator
from contextlib import chdir
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, get_args
from unittest.mock import patch

import pytest
import typer.main
import uvicorn
from typer.testing import CliRunner
from uvicorn.supervisors import Multiprocess

from customer_segmentation.cli.console.output import ExitCode
from customer_segmentation.cli.main import app
from customer_segmentation.domain.jobs import JobKind, Origin, Trigger
from customer_segmentation.domain.printable import escape_controls
from customer_segmentation.services.jobs.lifecycle import start_job
from customer_segmentation.services.runtime.clock import now
from customer_segmentation.services.runtime.unit_of_work import units_over
from customer_segmentation.store.queries import jobs
from tests.support.commands import COMMANDS, WIDE, run

COMMAND = typer.main.get_command(app)
LONGEST = 3_500
"""Characters of what is told: the usage, a frame of the terminal's width, an error in it."""

TEXTS = ["", " ", "%s {0} [red]", "'\"; --", "\x1b[2Jx", "a\nb", "\udcff", "İ", "x" * 5_000]
"""A template; quotes; what a terminal obeys; a byte that is no UTF-8, as Python reads it. No
argument of a process can hold NUL."""
NUMBERS = ["", "-1", "0", "nan", "1e400", "9" * 20, "9" * 5_000, "0x10", "\x1b[2J"]
PATHS = [
    *("", ".", "-", "folder", "none/none.csv", "none.parquet", "people.csv/x", "empty.csv"),
    *("/dev/full", "/dev/null", "/proc/none.csv", "locked.csv", "locked/none.csv"),
    *("\x1b[2J.csv", "a\nb.csv", "\udcff.csv", "x" * 300 + ".csv", "x/" * 3_000),
]
BY_TYPE: dict[type, list[str]] = {
    int: NUMBERS,
    float: NUMBERS,
    Path: PATHS,
    datetime: [*TEXTS, "0001-01-01", "9999-12-31", "2026-02-30"],
}
BY_NAME = {
    "url": ["http://", "http://[", "http://a:99999", "http://a b", "http://xn--a", "http://a?b"],
    "broker": [
        "nats://",
        "amqp://[",
        "redis://a:99999",
        "mqtt://a:b",
        "http://a",
        "nats://\x1b[2J",
    ],
    "query_of": ["sqlite://", "sqlite:///none.db", "klingon://x", "postgresql://127.0.0.1:1/x"],
    "least": ["age", "age=", "age=1e400", "age=nan", "=1"],
    "strategy": ["@", "x@", "x@nowhere"],
    "encoding": ["utf-8\n", "rot13", "hex"],
    "host": ["256.0.0.1", "::", "a b"],
    "port": ["65536", "1"],
    "table": ['x"y', "a.b.c.d.e", "select", "x; drop"],
    "view": ['x"y'],
    "file": PATHS,
    "output": PATHS,
    "job_id": ["../x", "%2e%2e"],
}
"""What is hostile to an option or argument beside what is to all of its type."""
NEEDED = {
    "broker": "redis://127.0.0.1:1",
    "topic": "sales",
    "files": "people.csv",
    "file": "people.csv",
    "customers": "5",
    "target": "copy.db",
    "source": "backup.db",
    "name": "crm",
    "job_id": "0" * 32,
    "number": "0",
    "version": "1",
    "before": "1",
    "after": "1",
    "customer_id": "1",
    "rule": "age >= 60",
    "audience": "crm",
    "arm": "Letter",
    "what": "visits",
    "purpose": "marketing",
    "channel": "e-mail",
    "state": "granted",
    "to": "segments.onnx",
}
"""A value for each argument that a command cannot do without."""
BESIDE = [
    ("key", "--url", "http://127.0.0.1:1"),
    ("since", "--transactions", "tx.csv"),
    ("until", "--transactions", "tx.csv"),
    ("until", "--since", "2026-01-01"),
    ("split", "--holdout", "10"),
    ("holdout", "--split", "spring"),
    ("by", "--name", "Quiet"),
]
"""What goes with a parameter where a command has the option, as it would be refused unread."""

ALIKE = {"key", "url"}
"""The same options of many commands; calls of a service that is not there take long to give up."""


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a small bank, in which a training and a study run: no other begins."""
    folder = tmp_path_factory.mktemp("hostile")
    with chdir(folder), patch.dict(os.environ, {"DATABASE_URL": "sqlite:///bank.db"}):
        assert run("demo", "400").exit_code == 0
        assert run("export", "-o", "people.csv").exit_code == 0
        assert run("backup", "backup.db").exit_code == 0
        assert run("audiences", "create", "crm", "age >= 0").exit_code == 0
        (folder / "folder").mkdir()
        (folder / "locked").mkdir(mode=0)
        (folder / "locked.csv").touch(mode=0)
        (folder / "empty.csv").touch()
        (folder / "tx.csv").write_text("customer_id,amount,type,date\n1,5,deposit,2026-01-01\n")
        units = units_over("sqlite:///bank.db")
        for kind in (JobKind.TRAINING, JobKind.STUDY):
            job = start_job(units.database, kind, Origin(Trigger.REQUEST, ""))
            with units.database.write() as connection:
                jobs.change(connection, job.id, heartbeat_at=now() + timedelta(days=1))
        units.close()
        shutil.copy("bank.db", "kept.db")
        yield folder


def type_of(param: Any) -> type:  # noqa: ANN401
    """Return the type of a parameter, or of each value of one that takes several."""
    annotation: type = param.type_descriptor.annotation
    return next(iter(get_args(annotation)), annotation)


def words_of(path: tuple[str, ...]) -> Iterator[tuple[Any, str, list[str]]]:
    """Yield a command's parameters, each with something hostile and the words of a call."""
    params: list[Any] = COMMANDS[path].params
    options = {name for param in params for name in param.opts}
    for hostile in params:
        kind = type_of(hostile)
        if kind is bool or (hostile.name in ALIKE and path != ("segments", "list")):
            continue
        values = [*BY_TYPE.get(kind, TEXTS), *BY_NAME.get(hostile.name, [])]
        for value in dict.fromkeys(values):
            words = ["--yes"] if path == ("restore",) else []
            for name, option, given in BESIDE:
                if name == hostile.name and option in options:
                    words += [option, given]
            arguments = []
            for param in params:
                if param is not hostile and not param.required:
                    continue
                given = value if param is hostile else NEEDED[param.name]
                if param.param_type_name == "option":
                    words.append(f"{param.opts[0]}={given}")
                else:
                    arguments.append(given)
            yield hostile, value, [*path, *words, "--", *arguments]


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended, and what it wrote to standard error and in all."""

    code: int
    told: str
    output: str


def call(words: list[str]) -> Ended:
    """Run a command of the command line, which takes long to build and so is built once."""
    with CliRunner().isolation(input="", env=WIDE) as (_, errors, both):
        try:
            code = COMMAND.main(words, prog_name="customer-segmentation")
        except SystemExit as end:
            code = end.code
        except Exception:  # noqa: BLE001 - a trace is what is looked for
            traceback.print_exc()
            code = ExitCode.FAILED
        told, output = (text.getvalue().decode(errors="replace") for text in (errors, both))
    return Ended(int(code or 0), told, output)


def texts_of(value: str) -> list[str]:
    """Return how an error may quote the beginning of a value."""
    begin = value[:15] or " "
    return [begin, escape_controls(begin), repr(begin)[1:-1]]


def fault_in(ended: Ended, names: list[str]) -> str | None:
    """Return what is wrong with how a command ended; wrong usage is to be told with a name."""
    if ended.code not in list(ExitCode):
        return f"exit code {ended.code}"
    shown = f"exit code {ended.code}, told as {ended.told[-400:]!r}"
    if "Traceback" in ended.output or "\x1b[2J" in ended.output:
        return f"trace or control character: {shown}"
    if ended.code in DONE:
        return None
    lines = [line for line in ended.told.splitlines() if line.startswith("customer-segm")]
    if ended.code != ExitCode.USAGE and len(lines) != 1:
        return f"{len(lines)} lines: {shown}"
    if len(ended.told) > LONGEST:
        return f"{len(ended.told)} characters: {shown}"
    if ended.code == ExitCode.USAGE and not any(name in ended.told for name in names):
        return f"names nothing: {shown}"
    return None


DONE = {ExitCode.DONE, ExitCode.REJECTED}


def files_of(folder: Path) -> dict[str, tuple[int, int]]:
    """Return the files in a folder but the database, and what shows that one was written."""
    found = {entry.name: entry.stat() for entry in os.scandir(folder)}
    return {
        name: (status.st_mtime_ns, status.st_size)
        for name, status in found.items()
        if not name.startswith("bank.db")
    }


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_no_argument_leads_to_a_trace(
    bank: Path, path: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    def become(*_command: object) -> None:
        raise SystemExit(0)

    monkeypatch.setattr(os, "execve", become)
    for server in (uvicorn.Server, Multiprocess):
        monkeypatch.setattr(server, "run", lambda *_what, **_how: None)
    for left in bank.glob("bank.db*"):
        left.unlink()
    shutil.copy(bank / "kept.db", bank / "bank.db")

    faults = {}
    for param, value, words in words_of(path):
        before = files_of(bank)
        with patch.dict(os.environ):
            ended = call(words)
        fault = fault_in(ended, [*param.opts, param.name, param.name.upper(), *texts_of(value)])
        after = files_of(bank)
        names = before.keys() | after.keys()
        changed = {name for name in names if before.get(name) != after.get(name)}
        if ended.code not in DONE and changed:
            fault = f"exit code {ended.code}, and yet changed {changed}"
        for name in after.keys() - before.keys():
            (bank / name).unlink()
        if fault:
            faults[" ".join(words)[:200]] = fault

    assert faults == {}
    assert stat.S_ISCHR(Path("/dev/full").stat().st_mode)
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)
