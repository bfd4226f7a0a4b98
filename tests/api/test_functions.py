"""The six functions, over real HTTP, on the shipped data: golden examples, errors, restarts."""

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import cast

import httpx
import pytest
from fastapi import FastAPI

from customer_segmentation.api.app import create_app
from customer_segmentation.api.middleware.fast_path import FastPath
from customer_segmentation.services.runtime.settings import Settings
from tests.support.answers import problem
from tests.support.examples import NEW_CUSTOMER, SOMEONE, check_documented_examples, exactly
from tests.support.servers import Server
from tests.support.shipped import FUNCTIONS

CUSTOMER_56 = {
    "age": 29,
    "gender": 0,
    "income/month": 8074,
    "account balance": 2488,
    "loyalty score": 725,
    "education level": 0,
    "Facebook": 0,
    "Twitter": 1,
    "Email": 1,
    "Instagram": 0,
    "total_withdrawals": 31789,
    "total_deposits": 13472.29,
    "transaction_count": 3,
    "loan": 1,
    "cluster_num": 0,
    "customer id": 56,
}


def get(server: Server, customer_id: int) -> httpx.Response:
    return server.client.get(
        "/get_customer_info_from_database", params={"customer_id": customer_id}
    )


def check_golden_examples(server: Server) -> None:
    client = server.client
    assert exactly(
        get(server, 56),
        {
            "Customer info": CUSTOMER_56,
            "Segmentation info": "Cluster 0: High-Value Power Users",
            "Business strategy": "Upsell bank products to increase profits",
        },
    )
    changes = {"customer_id": 7287, "total_deposit_amount": 9876, "transaction_count": 3}
    assert exactly(
        client.post("/update_customer_details_to_database", json=changes),
        {
            "message": "Customer id 7287 updated successfully",
            "updated_customer": {
                "age": 53,
                "gender": 1,
                "income/month": 12770,
                "account balance": 112,
                "loyalty score": 489,
                "education level": 1,
                "Facebook": 1,
                "Twitter": 1,
                "Email": 1,
                "Instagram": 1,
                "total_withdrawals": 1068.94,
                "total_deposits": 9876,
                "transaction_count": 3,
                "loan": 1,
                "cluster_num": 3,
                "customer id": 7287,
            },
        },
    )
    assert exactly(
        client.post("/delete_customer_from_database", params={"customer_id": 787}),
        {"message": "Customer with ID 787 deleted successfully"},
    )
    assert exactly(
        client.post("/add_customer_to_database", json=NEW_CUSTOMER),
        {
            "message": "Customer successfully added to databank",
            "updated_customer": {
                "age": 45,
                "gender": 0,
                "income/month": 8283,
                "account balance": 9723,
                "loyalty score": 342,
                "education level": 3,
                "Facebook": 1,
                "Twitter": 0,
                "Email": 1,
                "Instagram": 0,
                "total_withdrawals": 2839,
                "total_deposits": 778,
                "transaction_count": 7,
                "loan": 0,
                "cluster_num": 0,
                "customer id": 20001,
            },
        },
    )
    assert exactly(
        client.post("/predict_customer_segment_in_real_time", json=SOMEONE),
        "Cluster 1: Value-Driven Frequent Users , Business strategy: Build loyalty to reduce churn",
    )
    assert exactly(client.post("/retrain_model_with_latest_data"), "Model successfully updated")


def test_golden_examples_hold_to_the_letter_and_survive_a_kill(server: Server) -> None:
    check_golden_examples(server)

    server.kill()
    server.start()

    assert get(server, 56).json()["Customer info"] == CUSTOMER_56
    assert get(server, 20001).json()["Customer info"]["cluster_num"] == 0
    assert get(server, 7287).json()["Customer info"]["total_deposits"] == 9876
    problem(get(server, 787), 404)


def test_documented_examples_are_what_the_service_answers(server: Server) -> None:
    check_documented_examples(server.client)


def test_older_paths_answer_alike_and_stay_out_of_the_schema(shared_server: Server) -> None:
    client = shared_server.client

    older = client.get("/GetCustomerInfo", params={"customer_id": 56})
    prediction = client.post("/RealTimeSegmentation", json=SOMEONE)

    assert older.text == get(shared_server, 56).text
    assert prediction.json().startswith("Cluster 1")
    paths = client.get("/openapi.json").json()["paths"]
    assert {f"/{name}" for name in FUNCTIONS} <= set(paths)
    assert all(documentation.older_path not in paths for documentation in FUNCTIONS.values())


@pytest.mark.parametrize(
    ("field", "value", "type_named"),
    [
        ("age", "45", "a string"),
        ("age", True, "a boolean"),
        ("age", 45.5, "a number with a fraction"),
        ("age", 131, "an integer outside this range"),
        ("age", -1, "an integer outside this range"),
        ("age", None, "null"),
        ("age", [45], "an array"),
        ("gender", {}, "an object"),
        ("gender", 2, "an integer outside this range"),
        ("monthly_income", -0.01, "a number outside this range"),
        ("account_balance", 2**53 + 1, "an integer beyond 2^53"),
        ("account_balance", "1", "a string"),
        ("loyalty_score", 1001, "an integer outside this range"),
        ("total_deposit_amount", False, "a boolean"),
    ],
)
def test_a_value_that_is_not_allowed_is_named_with_its_type_and_what_is(
    shared_server: Server, field: str, value: object, type_named: str
) -> None:
    answer = shared_server.client.post(
        "/predict_customer_segment_in_real_time", json=SOMEONE | {field: value}
    )

    (error,) = problem(answer, 422)["errors"]
    assert error["field"] == field
    assert error["message"].startswith(f"{field} must be ")
    assert error["message"].endswith(f"not {type_named}")


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "1e999", "01", "1_0", "'1'"])
def test_what_is_no_json_number_is_refused(shared_server: Server, text: str) -> None:
    body = json.dumps(SOMEONE).replace("26514", text)

    answer = shared_server.client.post(
        "/predict_customer_segment_in_real_time",
        content=body,
        headers={"content-type": "application/json"},
    )

    problem(answer, 422)


@pytest.mark.parametrize("body", ["", "[]", "7", "null", '"x"', "{", "{}x", "[" * 50_000, "\xff"])
def test_a_body_that_is_no_json_object_is_refused(shared_server: Server, body: str) -> None:
    answer = shared_server.client.post(
        "/add_customer_to_database",
        content=body.encode("latin-1"),
        headers={"content-type": "application/json"},
    )

    (error,) = problem(answer, 422)["errors"]
    assert error["field"] == "body" or error["field"] == "customer_id"


def test_every_fault_of_a_body_is_told_at_once(shared_server: Server) -> None:
    body = {k: v for k, v in NEW_CUSTOMER.items() if k != "gender"} | {"age": "x", "colour": 1}

    errors = problem(shared_server.client.post("/add_customer_to_database", json=body), 422)

    assert [error["field"] for error in errors["errors"]] == ["age", "gender", "colour"]


def test_a_body_too_large_or_not_json_is_refused(shared_server: Server) -> None:
    client = shared_server.client

    large = client.post("/add_customer_to_database", json={"x": "y" * 70_000})
    form = client.post("/add_customer_to_database", data={"age": "1"})

    problem(large, 413)
    problem(form, 415)


@pytest.mark.parametrize(
    "given", ["", "0", "-1", "1.5", "abc", "9007199254740993", "9007199254740993.0", "1e3", "1e400"]
)
def test_a_customer_id_that_is_not_allowed_is_refused(shared_server: Server, given: str) -> None:
    answer = shared_server.client.get(
        "/get_customer_info_from_database", params={"customer_id": given}
    )

    assert problem(answer, 422)["errors"][0]["field"] == "customer_id"


def test_a_missing_or_repeated_customer_id_is_refused(shared_server: Server) -> None:
    path = "/get_customer_info_from_database"

    problem(shared_server.client.get(path), 422)
    problem(shared_server.client.get(f"{path}?customer_id=1&customer_id=2"), 422)


def test_unknown_customers_and_paths_and_methods_are_problems(shared_server: Server) -> None:
    client = shared_server.client

    problem(get(shared_server, 999_999), 404)
    problem(client.post("/delete_customer_from_database?customer_id=999999"), 404)
    problem(
        client.post(
            "/update_customer_details_to_database", json={"customer_id": 999_999, "age": 4}
        ),
        404,
    )
    problem(client.get("/nothing-here"), 404)
    problem(client.get("/retrain_model_with_latest_data"), 405)


def test_an_id_that_exists_is_a_conflict_and_changes_nothing(shared_server: Server) -> None:
    before = get(shared_server, 56).text

    answer = shared_server.client.post(
        "/add_customer_to_database", json=NEW_CUSTOMER | {"customer_id": 56}
    )

    problem(answer, 409)
    assert get(shared_server, 56).text == before


def test_an_update_of_nothing_is_refused(shared_server: Server) -> None:
    answer = shared_server.client.post(
        "/update_customer_details_to_database", json={"customer_id": 56}
    )

    problem(answer, 422)


def test_amounts_come_back_as_they_were_sent(server: Server) -> None:
    for amount in (0, 0.1, 1e300, 1e16, 9007199254740992, 0.30000000000000004, -12.5):
        body = {"customer_id": 56, "account_balance": amount}

        server.client.post("/update_customer_details_to_database", json=body)

        shown = get(server, 56).text.split('"account balance":')[1].split(",")[0]
        assert float(shown) == amount
        assert ("." in shown or "e" in shown) == (amount not in (0, 9007199254740992))


def test_one_retrain_runs_at_a_time_and_others_are_answered_meanwhile(server: Server) -> None:
    with ThreadPoolExecutor(3) as pool:
        retrains = [pool.submit(server.client.post, "/RetrainModel") for _ in range(2)]
        served = 0
        while not all(retrain.done() for retrain in retrains):
            assert get(server, 56).status_code == 200
            served += 1

    statuses = sorted(retrain.result().status_code for retrain in retrains)
    assert statuses == [200, 409]
    assert served > 50


def test_retraining_too_few_customers_is_refused_and_the_old_model_goes_on(
    tmp_path: Path,
) -> None:
    data = tmp_path / "few.csv"
    shipped = (Path(__file__).parents[2] / "cleaned main dataset.csv").read_text()
    data.write_text("".join(shipped.splitlines(keepends=True)[:6]))
    settings = {"CUSTOMER_SEGMENTATION_DATA": str(data)}
    with Server(f"sqlite:///{tmp_path / 'few.db'}", tmp_path, **settings) as server:
        for customer_id in range(1, 6):
            server.client.post(
                "/delete_customer_from_database", params={"customer_id": customer_id}
            )
            if customer_id in (2, 5):
                refusal = problem(server.client.post("/retrain_model_with_latest_data"), 409)
                assert "at least 4 customers" in refusal["detail"]

        prediction = server.client.post("/predict_customer_segment_in_real_time", json=SOMEONE)
        server.kill()
        server.start()

        assert prediction.status_code == 200
        problem(get(server, 1), 404)


def test_lean_routes_answer_as_the_documented_routes_do(bank_url: str) -> None:
    settings = Settings(database_url=bank_url)
    documented = create_app(settings)
    documented.user_middleware[:] = [
        middleware
        for middleware in documented.user_middleware
        if cast("object", middleware.cls) is not FastPath
    ]
    predict = "/predict_customer_segment_in_real_time"
    bodies: list[object] = [SOMEONE, {}, [], "x"]
    requests = [
        *[httpx.Request("POST", f"http://bank{predict}", json=body) for body in bodies],
        *[httpx.Request("GET", f"http://bank{path}") for path in (predict, "/GetCustomerInfo")],
        *[
            httpx.Request("GET", f"http://bank/GetCustomerInfo?customer_id={given}")
            for given in ("56", "x", "999999")
        ],
    ]

    async def ask(app: FastAPI) -> list[tuple[int, bytes, httpx.Headers]]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as client:
            for number, request in enumerate(requests):
                request.headers["X-Request-ID"] = str(number)
            answers = [await client.send(request) for request in requests]
        return [(answer.status_code, answer.content, answer.headers) for answer in answers]

    assert asyncio.run(ask(create_app(settings))) == asyncio.run(ask(documented))
