"""Commands answer alike on the local database and, with `--url`, on a service over it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyarrow import parquet
from typer.testing import CliRunner

from customer_segmentation.cli.console.output import ExitCode
from customer_segmentation.cli.main import app
from customer_segmentation.client import Client
from tests.conftest import NewBank
from tests.support.commands import WIDE, run, run_json
from tests.support.imports import shipped_csv
from tests.support.servers import Server, free_port

LISTS = [
    ("models", "list"),
    ("models", "show", "2"),
    ("models", "compare", "1", "2"),
    ("segments", "list"),
    ("segments", "show", "2"),
    ("segments", "transitions", "--since", "2020-01-01", "--until", "2100-01-01"),
    ("segments", "transitions", "--before", "1", "--after", "2"),
    ("jobs", "list"),
    ("audit", "list", "--kind", "segment"),
    ("customers", "get", "56"),
    ("customers", "explain", "56"),
    ("customers", "history", "56"),
    ("drift",),
]


@pytest.fixture(scope="module")
def bank(new_bank: NewBank, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose database holds two versions, a job and an edit."""
    directory = tmp_path_factory.mktemp("bank")
    with (
        new_bank(directory) as url,
        Server(url, directory) as running,
        Client(running.url) as client,
    ):
        client.edit_segment(2, name="Quiet [bold]Wealth", by="Ada")
        *_, job = client.follow_job(client.begin_training(seed=3, by="Ada")["id"], seconds=0.1)
        assert job["state"] == "succeeded", job
        yield running


@pytest.fixture
def local(bank: Server) -> dict[str, str]:
    """The environment of who works on the database itself."""
    return {"DATABASE_URL": bank.database_url}


@pytest.mark.parametrize("command", LISTS, ids=" ".join)
def test_a_command_answers_the_same_json_locally_and_over_http(
    bank: Server, local: dict[str, str], command: tuple[str, ...]
) -> None:
    here = run_json(*command, env=local)
    there = run_json(*command, "--url", bank.url)

    assert here == there
    assert here


def test_sizes_by_week_end_with_those_of_now(bank: Server, local: dict[str, str]) -> None:
    *_, present = run_json("segments", "sizes", "--weeks", "2", env=local)["sizes"]
    table = run("segments", "sizes", "--weeks", "2", "--url", bank.url).stdout

    listed = run_json("segments", "list", env=local)["segments"]
    assert present["customers"] == {str(one["number"]): one["size"] for one in listed}
    for one in listed:
        assert f"{one['size']:,}" in table


@pytest.mark.parametrize("command", LISTS, ids=" ".join)
def test_a_command_shows_people_the_same_locally_and_over_http(
    bank: Server, local: dict[str, str], command: tuple[str, ...]
) -> None:
    here, there = run(*command, env=local), run(*command, "--url", bank.url)

    assert here.exit_code == there.exit_code == 0
    assert here.stdout == there.stdout
    assert "┃" in here.stdout


@pytest.mark.parametrize(
    "command",
    [
        ("keys", "list"),
        ("audit", "verify"),
        ("models", "sql", "--dialect", "snowflake", "--view", "segments"),
        ("models", "sql", "--dialect", "klingon"),
        ("models", "sql", "--table", "no table"),
        ("keys", "revoke", "nobody's"),
    ],
    ids=" ".join,
)
def test_what_operators_ask_is_answered_alike_locally_and_over_http(
    bank: Server, local: dict[str, str], command: tuple[str, ...]
) -> None:
    here, there = run(*command, env=local), run(*command, "--url", bank.url)

    assert (here.exit_code, here.stdout) == (there.exit_code, there.stdout)
    assert here.stderr == there.stderr


def test_a_service_is_examined_and_recounted_as_its_database_is(
    bank: Server, local: dict[str, str]
) -> None:
    for options in ([], ["--recount"]):
        here = run_json("doctor", *options, env=local)["findings"]
        there = run_json("doctor", *options, "--url", bank.url)["findings"]

        # How much of the disk is free is another figure each time.
        assert [f for f in here if f["subject"] != "disk"] == [
            f for f in there if f["subject"] != "disk"
        ]
        assert all(finding["is_well"] for finding in there)
    assert "counts" in {finding["subject"] for finding in there}


def test_the_rule_as_onnx_is_the_same_file_locally_and_over_http(
    bank: Server, local: dict[str, str], tmp_path: Path
) -> None:
    here, there = tmp_path / "here.onnx", tmp_path / "there.onnx"

    assert run("models", "onnx", "-o", str(here), env=local).exit_code == ExitCode.DONE
    assert run("models", "onnx", "-o", str(there), "--url", bank.url).exit_code == ExitCode.DONE

    assert here.read_bytes() == there.read_bytes()


def test_the_service_can_be_named_by_the_environment(bank: Server, tmp_path: Path) -> None:
    elsewhere = {
        "CUSTOMER_SEGMENTATION_URL": bank.url,
        "DATABASE_URL": f"sqlite:///{tmp_path / 'untouched.db'}",
    }

    assert len(run_json("models", "list", env=elsewhere)["models"]) == 2
    assert not (tmp_path / "untouched.db").exists()


def test_words_of_a_segment_are_shown_as_written(local: dict[str, str]) -> None:
    assert "Quiet [bold]Wealth" in run("segments", "list", env=local).stdout
    assert "Quiet [bold]Wealth" in run("segments", "show", "2", env=local).stdout


@pytest.mark.parametrize("where", ["here", "there"])
def test_a_segment_is_renamed_described_and_given_strategies(
    bank: Server, local: dict[str, str], where: str
) -> None:
    at = [] if where == "here" else ["--url", bank.url]
    words = ["--name", f"Savers {where}", "--description", "They save."]
    words += ["--strategy", "Offer a fund@e-mail", "--strategy", "Call them"]

    told = run_json("segments", "edit", "3", *words, "--by", "Bo", *at, env=local)

    assert len(told.pop("tag")) == 32
    assert told == {
        "number": 3,
        "name": f"Savers {where}",
        "description": "They save.",
        "strategies": [
            {"text": "Offer a fund", "channel": "e-mail"},
            {"text": "Call them", "channel": "any"},
        ],
    }
    kept = run_json("segments", "edit", "3", "--description", "", *at, env=local)
    assert (kept["name"], kept["description"]) == (f"Savers {where}", "")
    log = run_json(
        "audit", "list", "--kind", "segment", "--subject", "3", "--limit", "2", env=local
    )
    assert [entry["action"] for entry in log["entries"]] == ["edited", "edited"]


@pytest.mark.parametrize(
    "words",
    [[], ["--name", ""], ["--strategy", "Write@pigeon"], ["--strategy", "@e-mail"]],
    ids=["nothing", "no name", "no such channel", "no text"],
)
def test_words_that_are_not_allowed_are_refused(local: dict[str, str], words: list[str]) -> None:
    assert run("segments", "edit", "3", *words, env=local).exit_code == ExitCode.USAGE


def assert_full(progress: str) -> None:
    """See that a job's progress ended at the whole of its work."""
    phase, *_, count, _elapsed = progress.splitlines()[-1].split()
    done, _, total = count.partition("/")
    assert (phase, done) == ("done", total)


@pytest.mark.parametrize("where", ["here", "there"])
@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--name", "  "], "name must not be blank"),
        (["--name", "high-value  Power Users"], "name must differ from that of segment 0"),
        (["--strategy", "Call them", "--strategy", " @e-mail"], "strategies.1.text must not be"),
    ],
    ids=["blank", "another's", "strategy"],
)
def test_words_by_which_nobody_knows_a_segment_are_refused(
    bank: Server, local: dict[str, str], where: str, words: list[str], told: str
) -> None:
    at = [] if where == "here" else ["--url", bank.url]

    result = run("segments", "edit", "3", *words, *at, env=local)

    assert result.exit_code == ExitCode.USAGE
    assert told in " ".join(result.stderr.split())


@pytest.mark.parametrize("where", ["here", "there"])
def test_a_training_is_followed_and_its_job_answered(
    bank: Server, local: dict[str, str], where: str
) -> None:
    at = [] if where == "here" else ["--url", bank.url]

    result = run("train", "--seed", "4", "--reason", "a try", "--json", *at, env=local)

    assert result.exit_code == ExitCode.DONE, result.stderr
    job = json.loads(result.stdout)
    assert (job["state"], job["phase"], job["reason"]) == ("succeeded", "done", "a try")
    assert_full(result.stderr)
    assert run_json("jobs", "show", job["id"], *at, env=local) == job
    shown = run("jobs", "show", job["id"], *at, env=local).stdout
    assert "succeeded" in shown
    again = run("jobs", "cancel", job["id"], *at, env=local)
    assert again.exit_code == ExitCode.FAILED
    assert "ended" in again.stderr
    back = run("models", "activate", "1", "--reason", "as before", *at, env=local)
    assert back.stdout == "Model version 1 is now active\n"


@pytest.mark.long
def test_a_study_is_followed_and_advises_alike_locally_and_over_http(tmp_path: Path) -> None:
    small = {"DATABASE_URL": f"sqlite:///{tmp_path / 'small.db'}"}
    assert run("demo", "400", env=small).exit_code == ExitCode.DONE
    asked = ("study", "--segments", "2", "--by", "Ada")

    here = run_json(*asked, env=small)
    with Server(small["DATABASE_URL"], tmp_path) as server:
        there = run_json(*asked, "--url", server.url)
        shown = run(*asked, "--url", server.url)

    assert here["result"] == there["result"]
    assert [trial["k"] for trial in here["result"]["trials"]] == [2, 2, 2]
    assert here["result"]["reason"] in " ".join(shown.stdout.split())
    assert_full(shown.stderr)


@pytest.mark.parametrize("where", ["here", "there"])
def test_a_model_that_is_held_back_is_told_by_its_exit_code(
    where: str, bank_url: str, tmp_path: Path
) -> None:
    strict = {"CUSTOMER_SEGMENTATION_MIN_STABILITY": "1"}
    if where == "here":
        result = run("train", "--json", env={"DATABASE_URL": bank_url, **strict})
    else:
        with Server(bank_url, tmp_path, **strict) as server:
            result = run("train", "--json", "--url", server.url)

    assert result.exit_code == ExitCode.HELD_BACK
    assert "held back" in result.stderr
    assert json.loads(result.stdout)["state"] == "held back"


@pytest.mark.parametrize(
    "command",
    [
        ("customers", "get", "999999"),
        ("customers", "explain", "999999"),
        ("customers", "history", "999999"),
        ("segments", "show", "9"),
        ("segments", "edit", "9", "--name", "Nobody"),
        ("models", "show", "99"),
        ("models", "activate", "99"),
        ("models", "record", "99"),
        ("jobs", "show", "0" * 32),
        ("jobs", "cancel", "0" * 32),
    ],
    ids=" ".join,
)
def test_what_is_not_there_has_an_exit_code_of_its_own(
    bank: Server, local: dict[str, str], command: tuple[str, ...]
) -> None:
    here, there = run(*command, env=local), run(*command, "--url", bank.url)

    assert here.exit_code == there.exit_code == ExitCode.NOT_FOUND
    assert here.stderr == there.stderr
    assert here.stderr.startswith("customer-segmentation: There is no")
    assert here.stdout == there.stdout == ""


def test_a_service_that_does_not_answer_has_an_exit_code_of_its_own() -> None:
    result = run("jobs", "list", "--url", f"http://127.0.0.1:{free_port()}")

    assert result.exit_code == ExitCode.UNREACHABLE
    assert "The service does not answer" in result.stderr


def test_a_database_without_a_model_has_the_exit_code_of_what_is_not_ready(tmp_path: Path) -> None:
    (tmp_path / "new.db").touch()

    result = run("segments", "list", env={"DATABASE_URL": f"sqlite:///{tmp_path / 'new.db'}"})

    assert result.exit_code == ExitCode.UNREACHABLE


def test_an_address_that_is_none_of_a_service_is_told(bank: Server) -> None:
    assert run("jobs", "list", "--url", "localhost:8000").exit_code == ExitCode.USAGE
    page = run("jobs", "list", "--url", f"{bank.url}/docs/oauth2-redirect?")
    assert page.exit_code == ExitCode.FAILED
    assert "No JSON" in page.stderr


def test_a_key_that_is_missing_or_weak_has_an_exit_code_of_its_own(
    bank_url: str, tmp_path: Path
) -> None:
    env = {"DATABASE_URL": bank_url}
    reader = run("keys", "create", "clerk", env=env).stdout.strip()
    admin = run("keys", "create", "chief", "--role", "admin", env=env).stdout.strip()
    keys = {"CUSTOMER_SEGMENTATION_AUTH": "keys"}
    with Server(env["DATABASE_URL"], tmp_path, **keys) as server:
        at = {"CUSTOMER_SEGMENTATION_URL": server.url}

        assert run("segments", "list", env=at).exit_code == ExitCode.REFUSED
        assert run("segments", "list", "--key", "cs_no_good", env=at).exit_code == ExitCode.REFUSED
        assert run("segments", "list", "--key", reader, env=at).exit_code == ExitCode.DONE
        assert run("audit", "list", "--key", reader, env=at).exit_code == ExitCode.REFUSED
        assert run("train", "--key", reader, env=at).exit_code == ExitCode.REFUSED
        by_variable = {**at, "CUSTOMER_SEGMENTATION_KEY": admin}
        assert run("audit", "list", env=by_variable).exit_code == ExitCode.DONE
        run("segments", "edit", "0", "--name", "Best", "--by", "Bo", env=by_variable)
        (entry,) = run_json("audit", "list", "--kind", "segment", env=by_variable)["entries"]
        assert entry["actor"] == "chief"


@pytest.mark.parametrize(
    "command",
    [
        ("backup", "copy.db"),
        ("restore", "copy.db", "--yes"),
        ("demo", "10"),
    ],
    ids=" ".join,
)
def test_what_works_on_the_database_itself_does_not_do_so_for_who_means_a_service(
    local: dict[str, str], command: tuple[str, ...]
) -> None:
    by_variable = run(*command, env={**local, "CUSTOMER_SEGMENTATION_URL": "http://bank.example"})
    by_option = run(*command, "--url", "http://bank.example", env=local)

    assert by_variable.exit_code == by_option.exit_code == ExitCode.USAGE
    assert "run it where the database is" in by_variable.stderr
    assert "--url" in by_option.stderr


def test_settings_that_are_wrong_have_the_exit_code_of_wrong_usage() -> None:
    result = run("jobs", "list", env={"CUSTOMER_SEGMENTATION_SEGMENTS": "many"})
    unusable = run("jobs", "list", env={"DATABASE_URL": "bank.db"})

    assert result.exit_code == unusable.exit_code == ExitCode.USAGE
    assert "DATABASE_URL must be" in unusable.stderr
    assert "CUSTOMER_SEGMENTATION_SEGMENTS must be" in result.stderr


@pytest.mark.parametrize(
    "excluded", [["salary"], [*map(str, range(14))]], ids=["unknown", "unknown too"]
)
def test_an_attribute_that_is_not_known_is_not_left_out(
    local: dict[str, str], excluded: list[str]
) -> None:
    options = [part for name in excluded for part in ("--exclude", name)]

    result = run("train", *options, env=local)

    assert result.exit_code == ExitCode.USAGE
    assert "monthly_income" in result.stderr


def test_the_record_is_the_same_locally_and_over_http(
    bank: Server, local: dict[str, str], tmp_path: Path
) -> None:
    written = tmp_path / "record.md"

    assert run("models", "record", "2", "-o", str(written), env=local).stdout == ""
    there = run("models", "record", "2", "--url", bank.url).stdout

    made = "record made "
    assert written.read_text().partition(made)[0] == there.partition(made)[0]
    assert written.read_text().partition("## Purpose")[2] == there.partition("## Purpose")[2]
    as_json = run_json("models", "record", "2", "--url", bank.url)
    assert as_json["model"]["version"] == 2


def test_a_place_that_cannot_be_written_is_told(local: dict[str, str], tmp_path: Path) -> None:
    for command in (("models", "record", "1"), ("models", "onnx")):
        result = run(*command, "-o", str(tmp_path / "no" / "file"), env=local)

        assert result.exit_code == ExitCode.FAILED
        assert "cannot be written: No such file or directory" in result.stderr


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_operators_do_is_told_as_json_too(database_url: str, tmp_path: Path) -> None:
    env = {"DATABASE_URL": database_url}
    copy = str(tmp_path / "copy.db")

    assert run_json("keys", "create", "crm", env=env)["key"].startswith("cs_")
    assert run_json("keys", "revoke", "crm", env=env) == {"name": "crm"}
    made = run_json("backup", copy, env=env)
    assert made == {"file": copy, "bytes": Path(copy).stat().st_size}
    assert run_json("restore", copy, "--yes", env=env)["file"] == copy


def test_lists_of_operators_are_json_too(local: dict[str, str]) -> None:
    found = run_json("doctor", env=local)["findings"]
    assert {"database", "model", "jobs"} <= {finding["subject"] for finding in found}
    assert {s["setting"] for s in run_json("config", "check", env=local)["settings"]} >= {"port"}
    assert run_json("keys", "list", env=local) == {"keys": []}
    assert run_json("audit", "verify", env=local)["faults"] == []


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_name_is_shown_whatever_characters_the_terminal_lacks(
    local: dict[str, str], encoding: str
) -> None:
    name = "Żółte złoto 😀"
    run("segments", "edit", "1", "--name", name, env=local)

    limited = CliRunner(charset=encoding)
    shown = limited.invoke(app, ["segments", "list"], env={**WIDE, **local})
    answered = limited.invoke(app, ["segments", "list", "--json"], env={**WIDE, **local})

    assert (shown.exit_code, answered.exit_code) == (0, 0)
    assert "\\u017b" in shown.stdout
    assert json.loads(answered.stdout)["segments"][1]["name"] == name


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("keys", "create", ""), "1 to 200 printable"),
        (("jobs", "list", "--key", "cs_1_2"), "--key is for --url"),
        (("segments", "transitions", "--before", "1"), "--before and --after"),
        (("segments", "transitions", "--until", "2026-01-01"), "give --since"),
        (("segments", "transitions", "--since", "2026-01-01", "--after", "2"), "give --since"),
        (("segments", "edit", "1", "--by", "B" * 201, "--name", "X"), "at most 200 characters"),
        (("models", "show", "99999999999"), "2147483647"),
        (("audit", "list", "--before", str(2**63)), str(2**63 - 1)),
    ],
    ids=lambda given: " ".join(given)[:40] if isinstance(given, tuple) else "",
)
def test_what_would_have_no_effect_or_has_no_room_is_refused(
    local: dict[str, str], arguments: tuple[str, ...], told: str
) -> None:
    result = run(*arguments, env=local)

    assert result.exit_code == ExitCode.USAGE
    assert told in " ".join(result.stderr.replace("│", " ").split())


def test_files_are_imported_at_a_service_and_exported_from_it(bank: Server, tmp_path: Path) -> None:
    there = {
        "CUSTOMER_SEGMENTATION_URL": bank.url,
        "DATABASE_URL": f"sqlite:///{tmp_path / 'untouched.db'}",
    }
    table, written = tmp_path / "some.csv", tmp_path / "some.parquet"
    content = shipped_csv(last=3, shift=60_000)
    table.write_bytes(content + b"\n" + shipped_csv(first=4, last=4, changes={"age": "200"}))

    tried = run("import", str(table), "--dry-run", env=there)
    taken = run("import", str(table), "--json", env=there)
    refused = (tmp_path / "some.rejects.csv").read_text()
    again = run("import", "-", env=there, given=content)
    exported = run("export", "--min", "age=90", "-o", str(written), env=there)

    assert tried.exit_code == taken.exit_code == ExitCode.REJECTED
    assert f"{table}: 3 would be added" in tried.stdout
    (outcome,) = json.loads(taken.stdout).values()
    assert (outcome["added"], outcome["rejected"]) == (3, 2)
    assert "200" in refused
    assert again.exit_code == ExitCode.DONE, again.stderr
    assert "0 added, 0 changed, 3 unchanged" in again.stdout
    assert exported.exit_code == ExitCode.DONE, exported.stderr
    found = bank.client.get("/v1/customers", params={"age_min": 90, "limit": 1000}).json()
    assert parquet.read_metadata(written).num_rows == len(found["customers"])
    assert not (tmp_path / "untouched.db").exists()


def test_what_a_service_cannot_take_is_refused(bank: Server, tmp_path: Path) -> None:
    there = {"CUSTOMER_SEGMENTATION_URL": bank.url}
    (tmp_path / "moves.csv").write_text("customer id,amount\n1,2\n")
    report = tmp_path / "report.csv"
    report.write_bytes(b"%PDF-1.7 nothing")

    transactions = run(
        "import", str(report), "--transactions", str(tmp_path / "moves.csv"), env=there
    )
    salted = run("export", "--audience-salt", "x", env=there)
    no_table = run("import", str(report), env=there)

    assert transactions.exit_code == salted.exit_code == ExitCode.USAGE
    assert "is not for --url" in transactions.stderr
    assert "is not for --url" in salted.stderr
    assert no_table.exit_code == ExitCode.FAILED
    assert "report.csv is a PDF document" in no_table.stderr
