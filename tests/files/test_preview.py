"""What the first rows of a file show before it is imported."""

from customer_segmentation.services.runtime.current_schema import parse_current
from customer_segmentation.services.transfer.imports import ImportRequest
from customer_segmentation.services.transfer.preview import Preview, preview

SCHEMA = """
[id]
name = "member"
type = "text"

[[attributes]]
name = "plan"
kind = "nominal"
categories = ["Basic", "Plus"]

[[attributes]]
name = "active"
kind = "binary"

[[attributes]]
name = "visits"
kind = "count"
maximum = 99

[[attributes]]
name = "note"
kind = "count"
missing = "allowed"
"""
MAPPING = """
[member]
column = "m"
[plan]
column = "p"
[active]
column = "a"
codes = { "y" = 1, "n" = 0 }
[visits]
default = 3
"""
ROWS = "m,p,a\nA,Basic,y\nB,Gold,n\nC,Gold,y\nD,Silver,n\nE,Plus,maybe\nF,,y\nG,Plus\n"


def look(text: str, mapping: str | None = None) -> Preview:
    asked = ImportRequest("some.csv", mapping=mapping)
    return preview(parse_current(SCHEMA, "this", 1), text.encode(), asked)


def test_rejects_are_counted_by_reason_with_the_values_that_have_no_code() -> None:
    found = look(ROWS, MAPPING)

    assert found.rejects is not None
    assert (found.rows, len(found.rejects)) == (7, 6)
    assert sum(group.count for group in found.groups) == 6
    by_column = {(group.column, tuple(group.values.items())): group.count for group in found.groups}
    assert by_column[("p", (("Gold", 2), ("Silver", 1)))] == 3
    assert by_column[("a", (("maybe", 1),))] == 1
    assert found.groups[0].count == 3


def test_what_everybody_would_get_is_told_and_what_is_not_known_is_not() -> None:
    assert dict(look(ROWS, MAPPING).made_up) == {"visits": 3}


def test_a_table_with_every_column_makes_nothing_up() -> None:
    found = look("member,plan,active,visits,note\nA,Basic,1,3,\n")

    assert (found.groups, dict(found.made_up)) == ((), {})
