"""The command `init`: what it shows, asks, writes and refuses."""

import os
import pty
import select
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from customer_segmentation.cli.console.output import ExitCode
from customer_segmentation.cli.main import app
from customer_segmentation.files.schema_file import read_schema, read_schema_file
from tests.support.commands import run
from tests.support.inferring import public_table

ROWS = [f"{n},K{n},{n % 3 + 1},{n % 7 + n / 4:.2f},{'abc'[n % 3]}" for n in range(1, 80)]
TABLE = "\n".join(["customer_id,client_id,tariff,spent,plan", *ROWS, ""])


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory to work in, with a table."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "people.csv").write_text(TABLE)
    return tmp_path


def test_a_schema_is_written_into_the_current_folder_with_every_reason_shown(folder: Path) -> None:
    answer = run("init", "people.csv", "--yes")

    assert answer.exit_code == ExitCode.DONE
    assert "every row has a value of its own" in answer.stdout
    assert "schema.toml: 3 attributes of 79 customers" in answer.stdout
    schema = read_schema(folder / "schema.toml")
    assert schema.id.record_name == "customer_id"
    assert schema.names == ("tariff", "spent", "plan")
    text = (folder / "schema.toml").read_text()
    assert "#   client_id: nearly every row has a text of its own" in text


def test_a_schema_that_exists_stays_unless_told(folder: Path) -> None:
    (folder / "schema.toml").write_text("mine")

    refused = run("init", "people.csv", "--yes")
    other = run("init", "people.csv", "--yes", "-o", "other.toml")

    assert refused.exit_code == ExitCode.USAGE
    assert "--force" in refused.stderr
    assert (folder / "schema.toml").read_text() == "mine"
    assert other.exit_code == ExitCode.DONE
    assert run("init", "people.csv", "--yes", "--force").exit_code == ExitCode.DONE
    assert read_schema(folder / "schema.toml") == read_schema(folder / "other.toml")


@pytest.mark.parametrize("content", ["<!doctype html><p>", "id\n1\n2\n", ""])
def test_nothing_is_written_for_what_is_no_table_of_customers(content: str, folder: Path) -> None:
    (folder / "people.csv").write_text(content)

    refused = run("init", "people.csv", "--yes")

    assert refused.exit_code == ExitCode.FAILED
    assert "people.csv" in refused.stderr
    assert [path.name for path in folder.iterdir()] == ["people.csv"]


def test_a_table_does_not_lose_its_place_to_its_schema() -> None:
    refused = run("init", "people.csv", "--yes", "--force", "-o", "people.csv")

    assert refused.exit_code == ExitCode.USAGE
    assert Path("people.csv").read_text() == TABLE


def test_standard_input_and_a_query_are_looked_at_like_a_file(folder: Path) -> None:
    with sqlite3.connect(folder / "crm.db") as connection:
        connection.execute("CREATE TABLE people (id TEXT, visits INTEGER, plan TEXT)")
        rows = [(f"K{n}", n % 9, "ab"[n % 2]) for n in range(60)]
        connection.executemany("INSERT INTO people VALUES (?, ?, ?)", rows)
    connection.close()

    piped = CliRunner().invoke(app, ["init", "-", "-o", "piped.toml"], input=TABLE.encode())
    queried = run(
        "init", "SELECT * FROM people", "--from", "sqlite:///crm.db", "-o", "queried.toml"
    )

    assert piped.exit_code == queried.exit_code == ExitCode.DONE
    assert run("init", "people.csv").exit_code == ExitCode.DONE
    assert read_schema(folder / "piped.toml") == read_schema(folder / "schema.toml")
    assert read_schema(folder / "queried.toml").names == ("visits", "plan")


def test_what_was_told_of_the_file_is_written_down(folder: Path) -> None:
    (folder / "people.csv").write_bytes(TABLE.replace("plan", "prés").encode("latin-1"))

    run("init", "people.csv", "--encoding", "latin-1", "--delimiter", ",", "--yes")

    _, source = read_schema_file(folder / "schema.toml")
    assert (source.encoding, source.delimiter) == ("latin-1", ",")


def test_a_terminal_is_asked_what_cannot_be_known_with_the_guess_as_default(folder: Path) -> None:
    shown = on_a_terminal(["init", "people.csv"], ["client_id", "what", "nominal"])

    assert "Which column tells customers apart" in shown
    assert "[customer_id]" in shown
    assert "Answer with one of count, ordinal, nominal" in shown
    schema = read_schema(folder / "schema.toml")
    assert schema.id.record_name == "client_id"
    assert schema.attributes[0].kind == "nominal"


def test_a_terminal_that_only_says_return_takes_the_guesses(folder: Path) -> None:
    on_a_terminal(["init", "people.csv"], ["", ""])
    run("init", "people.csv", "--yes", "-o", "other.toml")

    assert read_schema(folder / "schema.toml") == read_schema(folder / "other.toml")


def test_a_terminal_is_not_asked_with_yes(folder: Path) -> None:
    shown = on_a_terminal(["init", "people.csv", "--yes"], [])

    assert "Which column" not in shown
    assert (folder / "schema.toml").exists()


def on_a_terminal(words: list[str], answers: list[str]) -> str:
    """Run a command on a terminal, answer each of its questions, and return what it shows."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "customer_segmentation", *words],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "COLUMNS": "200", "TERM": "dumb"},
    )
    os.close(theirs)
    shown, left = "", [*answers]
    while select.select([ours], [], [], 60)[0]:
        try:
            shown += os.read(ours, 65_536).decode()
        except OSError:  # The terminal is closed.
            break
        if left and shown.rstrip(" ").endswith("]:"):
            os.write(ours, f"{left.pop(0)}\n".encode())
    os.close(ours)
    assert process.wait(timeout=60) == 0, shown
    assert not left
    return shown


def test_a_public_table_becomes_a_schema_in_a_short_time(folder: Path) -> None:
    answer = run("init", str(public_table("bank-full.cpe-with-gaps.csv")))

    assert answer.exit_code == ExitCode.DONE
    assert "to update customers, add one" in answer.stderr
    schema, source = read_schema_file(folder / "schema.toml")
    assert source.numbered
    assert len(schema.attributes) == 17
