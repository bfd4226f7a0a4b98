"""Settings that could have no effect, or a fault's, are refused."""

from math import inf, nan

import pytest
from pydantic import ValidationError

from customer_segmentation.services.operation.setting_faults import rule_of
from customer_segmentation.services.runtime.settings import Settings

AMOUNTS = [name for name, field in Settings.model_fields.items() if field.annotation is float]


@pytest.mark.parametrize("name", AMOUNTS)
@pytest.mark.parametrize("value", [inf, nan])
def test_no_setting_is_without_end(name: str, value: float) -> None:
    with pytest.raises(ValidationError):
        Settings.model_validate({name: value})


@pytest.mark.parametrize("name", [name for name in AMOUNTS if name.endswith("_seconds")])
def test_nothing_waits_for_longer_than_a_day(name: str) -> None:
    with pytest.raises(ValidationError, match="less than or equal to"):
        Settings.model_validate({name: 86_401.0})


@pytest.mark.parametrize("name", Settings.model_fields)
def test_what_every_setting_must_be_can_be_told(name: str) -> None:
    assert rule_of(Settings.model_fields[name])


@pytest.mark.parametrize(
    "origin",
    ["https://crm.example/", "crm.example", "null", "https://*.crm.example", "https://CRM.example"],
)
def test_what_no_browser_sends_as_an_origin_is_refused(origin: str) -> None:
    with pytest.raises(ValidationError, match="is no origin as browsers send it"):
        Settings(cors_origins=("https://crm.example", origin))


@pytest.mark.parametrize("origin", ["https://crm.example", "http://[::1]:8080", "*"])
def test_an_origin_is_taken(origin: str) -> None:
    assert Settings(cors_origins=(origin,)).cors_origins == (origin,)


@pytest.mark.parametrize("name", ["https://bank.example", "bank.example:8000", "bank example"])
def test_what_is_no_host_name_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="is no host name"):
        Settings(allowed_hosts=(name,))


@pytest.mark.parametrize("path", ["bank", "/bank/", "//bank", "/", "/bank?x", "/a b", "/bank#x"])
def test_what_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(ValidationError, match="must begin with a /, such as /segments"):
        Settings(root_path=path)
