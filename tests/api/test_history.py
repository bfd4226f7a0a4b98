"""A customer's segments over time, over HTTP."""

from datetime import UTC, datetime, timedelta

from tests.support.answers import problem
from tests.support.examples import NEW_CUSTOMER
from tests.support.servers import Server


def test_a_customers_history_tells_each_change_its_cause_and_its_version(server: Server) -> None:
    client = server.client
    client.post("/add_customer_to_database", json=NEW_CUSTOMER)
    client.post(
        "/update_customer_details_to_database",
        json={"customer_id": 20001, "loyalty_score": 10, "transaction_count": 2},
    )
    client.post("/delete_customer_from_database?customer_id=20001")

    answer = client.get("/v1/customers/20001/history").json()

    changes = answer["changes"]
    assert answer["customer_id"] == 20001
    assert [(c["cause"], c["from_segment"], c["to_segment"]) for c in changes] == [
        ("added", None, 0),
        ("updated", 0, 1),
        ("deleted", 1, None),
    ]
    assert {c["model_version"] for c in changes} == {1}
    for change in changes:
        age = datetime.now(UTC) - datetime.fromisoformat(change["changed_at"])
        assert timedelta(0) < age < timedelta(minutes=5)


def test_a_customer_that_never_was_has_no_history(shared_server: Server) -> None:
    client = shared_server.client

    problem(client.get("/v1/customers/999999/history"), 404)
    faults = problem(client.get("/v1/customers/0/history"), 422)
    assert faults["errors"][0]["field"] == "customer_id"
    problem(client.get("/v1/customers/x/history"), 422)
