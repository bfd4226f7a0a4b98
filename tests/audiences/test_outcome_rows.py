"""What came of a campaign's customers is read from a table that the dashboard is given."""

import pytest

from customer_segmentation.dashboard.campaigns.rows import Columns, read_outcomes, read_table
from customer_segmentation.services.runtime.current_schema import shipped_schema

ID = shipped_schema().id


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_numbers_and_yes_and_no_are_outcomes(separator: str) -> None:
    lines = ["who,renewed,told", "1,yes,no", "2,12.5,TRUE", "3,,1"]
    content = "\n".join(lines).replace(",", separator).encode("utf-8-sig")

    names, rows = read_table(content)
    found = read_outcomes(rows, Columns("who", "renewed", "told"), ID)

    assert names == ["who", "renewed", "told"]
    assert found.faults == {}
    assert found.rows == [
        {"customer_id": 1, "outcome": 1.0, "addressed": False},
        {"customer_id": 2, "outcome": 12.5, "addressed": True},
        {"customer_id": 3, "addressed": True},
    ]


def test_what_is_wrong_is_told_by_line_and_the_rest_is_taken() -> None:
    _, rows = read_table(b"id,outcome\n1,1\nx,1\n2,maybe\n3\n")

    found = read_outcomes(rows, Columns("id", "outcome", None), ID)

    assert found.rows == [{"customer_id": 1, "outcome": 1.0}, {"customer_id": 3}]
    assert {line: fault.split()[0] for line, fault in found.faults.items()} == {
        3: "customer_id",
        4: "the",
    }


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00"])
def test_a_file_that_is_no_table_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="The file is"):
        read_table(content)
