"""The documented examples of the six functions, and two people, sent to a running service."""

import json

import httpx

from tests.support.shipped import FUNCTIONS


def exactly(answer: httpx.Response, expected: object) -> bool:
    """Tell whether an answer is this JSON to the letter: keys, their order, number format."""
    assert answer.status_code == 200, answer.text
    return answer.text == json.dumps(expected, separators=(",", ":"))


def check_documented_examples(client: httpx.Client) -> None:
    """Send the example of each function; fail unless each answer is the documented one."""
    for name, documentation in FUNCTIONS.items():
        media = documentation.request.get("requestBody", {}).get("content", {})
        parameters = documentation.request.get("parameters", [])
        answer = client.request(
            documentation.method,
            f"/{name}",
            params={parameter["name"]: parameter["example"] for parameter in parameters},
            json=media["application/json"]["example"] if media else None,
        )
        expected = documentation.responses[200]["content"]["application/json"]["example"]
        assert exactly(answer, expected), name


NEW_CUSTOMER = {
    "customer_id": 20001,
    "age": 45,
    "gender": 0,
    "monthly_income": 8283,
    "account_balance": 9723,
    "loyalty_score": 342,
    "education_level": 3,
    "facebook_interaction": 1,
    "twitter_interaction": 0,
    "email_interaction": 1,
    "instagram_interaction": 0,
    "total_withdrawal_amount": 2839,
    "total_deposit_amount": 778,
    "transaction_count": 7,
    "has_loan": 0,
}


SOMEONE = {
    "age": 34,
    "gender": 1,
    "monthly_income": 9763,
    "account_balance": 26514,
    "loyalty_score": 45,
    "education_level": 2,
    "facebook_interaction": 1,
    "twitter_interaction": 0,
    "email_interaction": 0,
    "instagram_interaction": 0,
    "total_withdrawal_amount": 926,
    "total_deposit_amount": 0,
    "transaction_count": 1,
    "has_loan": 1,
}
