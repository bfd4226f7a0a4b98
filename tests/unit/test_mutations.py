"""The mutations themselves: a reader that does harm is found, with the input that it was given."""

import os
import signal
from pathlib import Path

import pytest

from tests.support.mutations import Bounds, Read, try_mutations

SOUND = [b"a sound input"]


def read_well(_folder: Path) -> Read:
    return lambda body: "sound" if body in SOUND else "refused"


def crash(_folder: Path) -> Read:
    def read(body: bytes) -> str:
        if body not in SOUND:
            os.kill(os.getpid(), signal.SIGSEGV)
        return "sound"

    return read


def raise_an_error(_folder: Path) -> Read:
    return lambda body: str(body, "ascii")


def fill_memory(_folder: Path) -> Read:
    return lambda body: str(len(bytearray(b"x" * (200 << 20)) + body))


def take_long(_folder: Path) -> Read:
    return lambda body: str(sum(range(3_000_000)) + len(body))


def test_a_reader_that_does_no_harm_passes(tmp_path: Path) -> None:
    tally = try_mutations(read_well, SOUND, tmp_path, Bounds(0.5, 20 << 20))

    assert tally.tried == sum(tally.outcomes.values()) > 3 * len(SOUND[0])
    assert tally.outcomes.keys() == {"sound", "refused"}


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (crash, f"ended with -{signal.SIGSEGV:d}"),
        (raise_an_error, "UnicodeDecodeError"),
        (fill_memory, "grew by"),
        (take_long, "took"),
    ],
)
def test_a_reader_that_does_harm_is_found(harm: object, told: str, tmp_path: Path) -> None:
    bounds = Bounds(3.0, 100 << 20, processor_seconds=0.01 if harm is take_long else 5.0)

    with pytest.raises(AssertionError, match=told):
        try_mutations(harm, SOUND, tmp_path, bounds)  # type: ignore[arg-type]
