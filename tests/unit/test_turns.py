"""Calls take turns by what they are about, and none is forgotten."""

import threading
from concurrent.futures import Future
from functools import partial

import pytest

from customer_segmentation.services.runtime.turns import Turns


def test_calls_about_one_thing_run_in_order_and_hold_up_no_other() -> None:
    turns = Turns(2)
    held = threading.Event()
    done: list[int] = []
    first = turns.submit("one", 1, held.wait)
    others = [turns.submit("one", 1, partial(done.append, n)) for n in range(20)]

    assert turns.submit("another", 1, lambda: "answered").result(5) == "answered"
    assert done == []
    held.set()

    assert first.result(5)
    for other in others:
        other.result(5)
    assert done == list(range(20))
    turns.close()


def test_no_more_run_about_one_thing_than_may() -> None:
    turns = Turns(10)
    both, held = threading.Barrier(3), threading.Event()

    def meet() -> None:
        both.wait(5)
        held.wait(5)

    meeting = [turns.submit("one", 2, meet) for _ in range(2)]
    third = turns.submit("one", 2, lambda: "last")
    both.wait(5)

    assert not third.running()
    held.set()
    assert third.result(5) == "last"
    assert [one.result(5) for one in meeting] == [None, None]
    turns.close()


def test_an_error_is_told_and_a_call_that_was_given_up_is_not_run() -> None:
    turns = Turns(1)
    held = threading.Event()
    done: list[str] = []
    turns.submit("one", 1, held.wait)
    given_up = turns.submit("one", 1, lambda: done.append("given up"))
    wrong: Future[float] = turns.submit("one", 1, lambda: 1 / 0)
    last = turns.submit("one", 1, lambda: done.append("last"))

    assert given_up.cancel()
    held.set()

    with pytest.raises(ZeroDivisionError):
        wrong.result(5)
    last.result(5)
    assert done == ["last"]
    turns.close()


def test_what_was_submitted_is_finished_when_they_close() -> None:
    turns = Turns(1)
    held = threading.Event()
    done: list[int] = []
    turns.submit("one", 1, held.wait)
    for n in range(5):
        turns.submit("one", 1, partial(done.append, n))
    closing = threading.Thread(target=turns.close)
    closing.start()
    held.set()
    closing.join(5)

    assert not closing.is_alive()
    assert done == list(range(5))
