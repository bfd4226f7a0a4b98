"""The audit log: who did what, and that nobody can change it unnoticed."""

import threading
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Executable, delete, insert, text, update
from sqlalchemy.exc import DatabaseError

from customer_segmentation.domain.access import Role
from customer_segmentation.domain.errors import StoreUnavailableError
from customer_segmentation.services.customers.commands import delete_customer, update_customer
from customer_segmentation.services.customers.erasure import erase_customer
from customer_segmentation.services.operation.keys import create_key
from customer_segmentation.services.runtime.audit import (
    Audit,
    acting_as,
    list_entries,
    seal,
    verify,
)
from customer_segmentation.services.runtime.clock import now
from customer_segmentation.services.runtime.unit_of_work import UnitsOfWork
from customer_segmentation.store.tables import audit_chain, audit_entries, audit_values
from tests.support.answers import problem
from tests.support.commands import run
from tests.support.servers import running

pytestmark = pytest.mark.both_databases


def test_every_change_tells_who_made_it(units: UnitsOfWork) -> None:
    with acting_as("Ada"):
        units.run(update_customer, 56, {"loyalty_score": 7})
    with acting_as("Bob"):
        units.run(delete_customer, 56)

    found = list_entries(units.database, kind="customer", subject="56")

    assert [(e.actor, e.action, values) for e, values in found] == [
        ("Bob", "deleted", None),
        ("Ada", "updated", None),
    ]


def test_what_failed_is_not_on_record(units: UnitsOfWork) -> None:
    units.run(delete_customer, 56)
    before = list_entries(units.database)
    with pytest.raises(Exception, match="no customer"):
        units.run(update_customer, 56, {"loyalty_score": 7})

    assert list_entries(units.database) == before


def test_values_are_kept_where_switched_on_and_go_with_an_erasure(units: UnitsOfWork) -> None:
    units.audit = Audit(keeps_values=True)
    units.run(update_customer, 56, {"loyalty_score": 7})
    (_, values), *_ = list_entries(units.database, subject="56")
    assert values == {"loyalty_score": 7}

    receipt = units.run(erase_customer, 56)

    assert receipt.removed["audit values"] == 1
    assert all(values is None for _, values in list_entries(units.database, subject="56"))
    assert verify(units.database).faults == ()


def test_the_chain_holds_and_an_earlier_head_is_in_it(units: UnitsOfWork) -> None:
    units.run(update_customer, 56, {"loyalty_score": 7})
    first = verify(units.database)
    units.run(update_customer, 56, {"loyalty_score": 8})

    second = verify(units.database, first.head)

    assert (first.faults, second.faults, second.holds_anchor) == ((), (), True)
    assert second.entries == first.entries + 1
    assert verify(units.database, "f" * 64).holds_anchor is False


def test_no_statement_changes_the_log(units: UnitsOfWork) -> None:
    units.run(update_customer, 56, {"loyalty_score": 7})
    seal(units.database)
    statements: list[Executable] = [
        update(audit_entries).values(actor="Mallory"),
        delete(audit_entries),
        update(audit_chain).values(hash="0" * 64),
        delete(audit_chain),
    ]
    if not units.database.is_sqlite:
        statements += [text("TRUNCATE audit_entries"), text("TRUNCATE audit_chain")]
    for statement in statements:
        with (
            pytest.raises((DatabaseError, StoreUnavailableError)),
            units.database.write() as connection,
        ):
            connection.execute(statement)

    assert verify(units.database).faults == ()


@pytest.mark.parametrize(
    ("tamper", "told"),
    [
        (update(audit_entries).where(audit_entries.c.subject == "57").values(actor="M"), "changed"),
        (delete(audit_entries).where(audit_entries.c.subject == "57"), "was removed"),
        (delete(audit_chain).where(audit_chain.c.position == 2), "link 2 was removed"),
        (
            delete(audit_chain).where(audit_chain.c.position.in_([2, 3])),
            "links 2 to 3 were removed",
        ),
        (delete(audit_chain), "beginning of the chain was removed"),
        (update(audit_values).values(written={"loyalty_score": 900}), "the values of entry"),
        (
            insert(audit_entries).values(
                id=-1, at=now(), actor="M", kind="k", subject="s", action="a", position=2
            ),
            "put in afterwards",
        ),
    ],
)
def test_who_goes_around_the_triggers_is_found_out(
    units: UnitsOfWork, tamper: object, told: str
) -> None:
    units.audit = Audit(keeps_values=True)
    for customer_id in (56, 57, 58):
        units.run(update_customer, customer_id, {"loyalty_score": 7})
    seal(units.database)

    with units.database.write() as connection:
        if units.database.is_sqlite:
            for table in ("audit_entries", "audit_chain"):
                for action in ("UPDATE", "DELETE"):
                    connection.execute(text(f"DROP TRIGGER {table}_refuse_{action}"))
        else:
            connection.execute(text("SET session_replication_role = replica"))
        connection.execute(tamper)  # type: ignore[call-overload]
        if not units.database.is_sqlite:
            connection.execute(text("SET session_replication_role = DEFAULT"))

    assert any(told in fault for fault in verify(units.database).faults)


@pytest.mark.parametrize(
    "change",
    ["UPDATE audit_entries SET at = 'never'", "UPDATE audit_values SET written = '{'"],
)
def test_what_cannot_be_read_any_more_is_a_fault_in_a_line(
    units: UnitsOfWork, database_url: str, change: str
) -> None:
    if not units.database.is_sqlite:
        pytest.skip("PostgreSQL stores nothing that is not of a column's type")
    units.audit = Audit(keeps_values=True)
    units.run(update_customer, 56, {"loyalty_score": 7})
    seal(units.database)
    with units.database.write() as connection:
        connection.execute(text("DROP TRIGGER audit_entries_refuse_UPDATE"))
        connection.execute(text(change))

    found = run("audit", "verify", env={"DATABASE_URL": database_url})

    assert found.exit_code == 1
    assert "holds what nobody has written there" in found.stderr
    assert "Traceback" not in found.stderr


def test_many_who_seal_at_once_make_one_chain(units: UnitsOfWork) -> None:
    def work(customer_id: int) -> None:
        for score in range(10):
            units.run(update_customer, customer_id, {"loyalty_score": score})
            seal(units.database)

    threads = [threading.Thread(target=work, args=(n,)) for n in (1, 2, 3, 4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    found = verify(units.database)
    assert (found.faults, found.entries) == ((), 42)


def test_admins_read_over_http_who_read_and_wrote(
    units: UnitsOfWork, database_url: str, tmp_path: Path
) -> None:
    keys = {role: create_key(units, role.label, role) for role in (Role.WRITER, Role.ADMIN)}
    settings = {
        "CUSTOMER_SEGMENTATION_AUTH": "keys",
        "CUSTOMER_SEGMENTATION_AUDIT_READS": "true",
        "CUSTOMER_SEGMENTATION_AUDIT_VALUES": "true",
    }
    with running(database_url, tmp_path, **settings) as server:

        def call(role: Role, method: str, path: str, **more: object) -> httpx.Response:
            headers = {"Authorization": f"Bearer {keys[role]}"}
            return server.client.request(method, path, headers=headers, **more)  # type: ignore[arg-type]

        call(Role.WRITER, "GET", "/get_customer_info_from_database?customer_id=56")
        call(Role.WRITER, "PATCH", "/v1/customers/56", json={"loyalty_score": 9})
        call(Role.WRITER, "GET", "/v1/customers?limit=2")
        problem(call(Role.WRITER, "GET", "/v1/audit"), 403)

        log = call(Role.ADMIN, "GET", "/v1/audit?limit=4").json()

    told = [(e["actor"], e["subject"], e["action"], e["values"]) for e in log["entries"]]
    assert told[2:] == [
        ("writer", "56", "updated", {"loyalty_score": 9}),
        ("writer", "56", "read", None),
    ]
    assert sorted(told[:2]) == [("writer", "1", "read", None), ("writer", "2", "read", None)]
    assert log["next_before"] == log["entries"][-1]["id"]


def test_the_command_line_verifies(units: UnitsOfWork, database_url: str) -> None:
    units.run(update_customer, 56, {"loyalty_score": 7})
    env = {"DATABASE_URL": database_url}

    good = run("audit", "verify", env=env)
    head = good.stdout.split()[-1]

    assert good.exit_code == 0
    assert "nothing changed" in good.stdout
    assert run("audit", "verify", "--head", head, env=env).exit_code == 0
    assert run("audit", "verify", "--head", "f" * 64, env=env).exit_code == 1
    listed = run("audit", "list", "--kind", "customer", "--subject", "56", env=env)
    assert "updated" in listed.stdout
