"""How large segments were before each of the last weeks is counted from the history."""

from contextlib import closing
from datetime import timedelta

import pytest

from customer_segmentation.services.customers import changes
from customer_segmentation.services.customers.commands import (
    delete_customer,
    get_customer,
    update_customer,
)
from customer_segmentation.services.runtime.clock import now
from customer_segmentation.services.segments import profiles
from tests.support.shop import FIRST, first_ids, open_shop


@pytest.mark.both_databases
def test_sizes_by_week_follow_from_who_came_moved_and_went(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(open_shop(empty_database_url)) as units:
        loaded = now()
        today = loaded + timedelta(days=20)
        mover, leaver, *_ = first_ids()
        left = get_customer(units, mover).segment.number
        monkeypatch.setattr(changes, "now", lambda: loaded + timedelta(days=9))
        for values in ({"spent": 540}, {"spent": 40}):
            if get_customer(units, mover).segment.number == left:
                units.run(update_customer, mover, values)
        entered = get_customer(units, mover).segment.number
        monkeypatch.setattr(changes, "now", lambda: loaded + timedelta(days=16))
        gone = get_customer(units, leaver).segment.number
        units.run(delete_customer, leaver)
        monkeypatch.setattr(profiles, "now", lambda: today)

        found = profiles.list_sizes(units, 3)

    assert entered != left
    assert [at for at, _ in found] == [today - timedelta(weeks=ago) for ago in (3, 2, 1, 0)]
    before, first, moved, last = (sizes for _, sizes in found)
    assert {*before.values()} == {0}
    assert sum(first.values()) == sum(moved.values()) == FIRST
    assert (moved[left], moved[entered]) == (first[left] - 1, first[entered] + 1)
    assert last == {number: size - (number == gone) for number, size in moved.items()}
