"""The reference is complete: whatever can be set, answered, measured or followed has an entry."""

import re
from pathlib import Path

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from customer_segmentation.api.http import problems
from customer_segmentation.api.http.problems import ProblemType
from customer_segmentation.api.v1.events import Event
from customer_segmentation.domain.history import Cause
from customer_segmentation.files.schema_file import allowed_by_key, parse_schema
from customer_segmentation.services.runtime.settings import OTHER_VARIABLES, Settings, variable_of
from customer_segmentation.streams.metrics import ConsumerMetrics, PublisherMetrics
from tests.support.commands import command
from tests.support.reference import DOCS, sections, setting_entry
from tests.support.servers import Server

SETTINGS = (DOCS / "reference" / "settings.md").read_text(encoding="utf-8")
PROBLEMS = {kind.slug: kind for kind in vars(problems).values() if isinstance(kind, ProblemType)}


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_has_an_entry_with_its_default_and_what_is_allowed(name: str) -> None:
    assert setting_entry(name, Settings.model_fields[name]) in SETTINGS


def test_the_page_of_settings_has_no_entry_of_another_name() -> None:
    named = {heading for heading in sections("reference/settings.md") if heading.isupper()}

    assert named == {*map(variable_of, Settings.model_fields)} | OTHER_VARIABLES


@pytest.mark.parametrize(("key", "allowed"), [*allowed_by_key()])
def test_every_key_of_a_schema_has_an_entry_with_what_is_allowed(key: str, allowed: str) -> None:
    told, limits = sections("reference/schema.md")[key].strip().split("\n\n")

    assert told
    assert limits.endswith(f"Must be {allowed}.")


def test_the_page_of_schemas_has_no_entry_of_another_key() -> None:
    page = (DOCS / "reference" / "schema.md").read_text(encoding="utf-8")

    assert re.findall(r"^### `(.+)`$", page, re.MULTILINE) == [key for key, _ in allowed_by_key()]


def test_the_example_of_the_page_of_schemas_is_one() -> None:
    page = (DOCS / "reference" / "schema.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)

    assert parse_schema(example, "example").names == ("monthly_charges", "contract")


@pytest.mark.parametrize("slug", PROBLEMS)
def test_every_error_type_has_an_entry_with_its_status_and_what_to_do(slug: str) -> None:
    problem = PROBLEMS[slug]
    told, what_to_do = sections("reference/errors.md")[slug].strip().split("\n\n")

    assert told == f"**{problem.status}** {problem.title}."
    assert what_to_do


def test_the_page_of_errors_has_no_entry_of_another_type() -> None:
    assert set(sections("reference/errors.md")) - {"Errors"} == set(PROBLEMS)


def test_every_metric_has_an_entry_with_its_labels(bank_url: str, tmp_path: Path) -> None:
    assert command(bank_url, "doctor", "--recount").returncode == 0
    entries = sections("reference/metrics.md")
    with Server(bank_url, tmp_path) as server:
        server.client.get("/v1/customers/56")
        families = [*text_string_to_metric_families(server.client.get("/metrics").text)]
    consumer = ConsumerMetrics()
    consumer.messages.labels("stored").inc()
    consumer.failures.labels("broker").inc()
    publisher = PublisherMetrics()
    for metrics in (consumer, publisher):
        families += text_string_to_metric_families(generate_latest(metrics.registry).decode())

    names = {
        f"{family.name}_total" if family.type == "counter" else family.name: {
            label for sample in family.samples for label in sample.labels if label != "le"
        }
        for family in families
    }
    assert names.keys() == {heading for heading in entries if "_" in heading}
    for name, labels in names.items():
        assert all(f"`{label}`" in entries[name] for label in labels), name


@pytest.mark.parametrize("cause", Cause)
def test_every_cause_of_an_event_has_an_entry(cause: Cause) -> None:
    assert sections("reference/events.md")[cause].strip()


@pytest.mark.parametrize("field", Event.model_fields)
def test_every_field_of_an_event_is_described(field: str) -> None:
    assert f"| `{field}` |" in sections("reference/events.md")["The feed"]
