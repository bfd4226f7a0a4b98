"""What is refused at the door: told in the log without secrets, and not without end."""

import asyncio
import logging
from contextlib import closing

import pytest

from customer_segmentation.api.app import create_app
from customer_segmentation.api.middleware.rate_limits import Refusals
from customer_segmentation.domain.access import Role
from customer_segmentation.domain.errors import NotSignedInError, TooManyRequestsError
from customer_segmentation.domain.printable import escape_controls
from customer_segmentation.services.operation.keys import create_key
from customer_segmentation.services.runtime.settings import Settings
from customer_segmentation.services.runtime.unit_of_work import units_over
from tests.support.asgi import Answer, call

PATH = "/v1/customers/56"
WRONG = "cs_0123456789ab_0123456789abcdef"
REFUSAL = NotSignedInError("no")


def test_a_refusal_is_logged_by_route_and_address_and_without_the_key(
    bank_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    with closing(units_over(bank_url)) as units:
        reader = create_key(units, "clerk", Role.READER)

    async def ask() -> None:
        app = create_app(Settings(database_url=bank_url, auth="keys"))
        async with app.router.lifespan_context(app):
            caplog.clear()
            for key, method, path in (
                (WRONG, "GET", PATH),
                (reader, "DELETE", PATH),
                (WRONG, "GET", "/v1/secret-56"),
                (reader, "GET", PATH),
            ):
                await call(app, method, path, {"Authorization": f"Bearer {key}"})

    asyncio.run(ask())

    told = [r.getMessage() for r in caplog.records if r.name.endswith("middleware.rate_limits")]
    assert told == [
        "Refused GET /v1/customers/{customer_id} from 203.0.113.1: "
        "The API key is not known or was revoked",
        "Refused DELETE /v1/customers/{customer_id} from 203.0.113.1: The key clerk has the role "
        "reader; DELETE /v1/customers/{customer_id} needs writer",
        "Refused GET a path that there is not from 203.0.113.1: "
        "The API key is not known or was revoked",
    ]
    assert WRONG not in caplog.text
    assert reader not in caplog.text


def test_who_is_refused_again_and_again_is_told_to_wait_and_nobody_else_is(
    bank_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    with closing(units_over(bank_url)) as units:
        reader = create_key(units, "clerk", Role.READER)

    async def ask() -> tuple[list[Answer], Answer, Answer]:
        app = create_app(Settings(database_url=bank_url, auth="keys"))
        async with app.router.lifespan_context(app):
            tries = [await call(app, "GET", PATH) for _ in range(140)]
            good = await call(app, "GET", PATH, {"Authorization": f"Bearer {reader}"})
            elsewhere = await call(app, "GET", PATH, client="198.51.100.7")
            return tries, good, elsewhere

    tries, good, elsewhere = asyncio.run(ask())

    assert [answer.status for answer in tries[:120]] == [401] * 120
    assert tries[-1].status == 429
    assert tries[-1].headers["retry-after"] == "1"
    assert good.status == 200
    assert elsewhere.status == 401
    lines = [r for r in caplog.records if r.name.endswith("middleware.rate_limits")]
    assert 120 < len(lines) < 140


def test_an_address_of_a_network_of_its_own_counts_as_its_network() -> None:
    refusals = Refusals(lambda: 0.0)

    def refuse(address: str) -> None:
        refusals.note({"method": "GET", "client": (address, 1)}, PATH, REFUSAL)

    for number in range(120):
        refuse(f"2001:db8::{number:x}")
    with pytest.raises(TooManyRequestsError):
        refuse("2001:db8::ffff:1")
    refuse("2001:db8:0:1::1")


def test_refusals_from_many_addresses_take_no_memory_without_end() -> None:
    refusals = Refusals(lambda: 0.0)
    logging.getLogger("customer_segmentation.api.middleware.rate_limits").setLevel(logging.ERROR)
    try:
        for number in range(10_050):
            address = f"10.0.{number // 256}.{number % 256}"
            for _ in range(120 if number == 0 else 1):
                refusals.note({"method": "GET", "client": (address, 1)}, PATH, REFUSAL)
        # The first was forgotten for newer ones.
        refusals.note({"method": "GET", "client": ("10.0.0.0", 1)}, PATH, REFUSAL)
    finally:
        logging.getLogger("customer_segmentation.api.middleware.rate_limits").setLevel(
            logging.NOTSET
        )


def test_what_cannot_be_seen_is_escaped_in_the_log() -> None:
    assert escape_controls("clerk\nERROR: \x1b[31mall is lost\u202e") == (
        "clerk\\nERROR: \\x1b[31mall is lost\\u202e"
    )
    assert escape_controls("Zoë Müller, 漢字") == "Zoë Müller, 漢字"
