"""Readers of damaged input: mutations of what is sound, tried in a child process.

A reader that crashes takes the child with it, and the input that did it stays behind. Run as a
module, this is the child.
"""

import dataclasses
import importlib
import io
import json
import logging
import os
import random
import resource
import subprocess
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from tests.support.shipped import FEATURES

logger = logging.getLogger(__name__)

Read = Callable[[bytes], str]
"""Reads an input and returns a word for what came of it; whatever it raises is a fault."""

NewRead = Callable[[Path], Read]
"""Makes what reads, with a folder for its files."""

LONG_SECONDS = float(os.environ.get("MUTATION_SECONDS", "3600"))
"""How long tests marked `long` try mutations."""

_ODD_NUMBERS = (0, 1, -1, 3, 127, 255, 32_767, 65_536, 5_000_000, 2**31 - 1, -(2**31), 2**63 - 1)
_FAULTS_KEPT = 5
_MAX_ADDRESSES = 8 << 30


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a reader is held to.

    Attributes:
        seconds: how long mutations are tried.
        bytes: the most that the child's memory may grow while an input is read.
        processor_seconds: the most that reading one input may take.
    """

    seconds: float
    bytes: int
    processor_seconds: float = 5.0


@dataclass(frozen=True, slots=True)
class Tally:
    """What came of the mutations.

    Attributes:
        tried: how many were read.
        outcomes: how often the reader returned each word.
        faults: the first of what must not happen, each with the file that holds its input.
    """

    tried: int
    outcomes: dict[str, int]
    faults: list[str]


def mutations(sound: Sequence[bytes], seed: int) -> Iterator[bytes]:
    """Yield sound inputs, each with one byte changed or cut off, then damaged more, without end."""
    chance = random.Random(seed)
    yield from sound
    single = [(i, place) for i, whole in enumerate(sound) for place in range(len(whole))]
    chance.shuffle(single)
    for i, place in single:
        before, byte, after = sound[i][:place], sound[i][place], sound[i][place + 1 :]
        for other in {byte ^ (1 << chance.randrange(8)), chance.choice((0, 0x7F, 0x80, 0xFF))}:
            yield b"".join((before, bytes([other]), after))
        yield before
    while True:
        damaged = bytearray(chance.choice(sound))
        for _ in range(chance.randint(1, 6)):
            _damage(damaged, sound, chance)
        yield bytes(damaged)


def _damage(body: bytearray, sound: Sequence[bytes], chance: random.Random) -> None:
    """Change a part of a body in one of several ways."""
    start = chance.randint(0, len(body))
    end = min(len(body), start + chance.choice((1, 4, 8, 64, 1024)))
    match chance.randrange(6):
        case 0:
            body[start:end] = chance.randbytes(end - start)
        case 1:
            size = chance.choice((1, 2, 4, 8))
            start -= start % size
            number = chance.choice(_ODD_NUMBERS) % (1 << (8 * size))
            body[start : start + size] = number.to_bytes(size, "little")
        case 2:
            del body[start:end]
        case 3:
            body[start:start] = body[start:end] * chance.choice((1, 2, 100))
        case 4:
            other = chance.choice(sound)
            body[start:] = other[chance.randint(0, len(other)) :]
        case 5 if start < len(body):
            body[start] ^= 1 << chance.randrange(8)


def try_mutations(
    new_read: NewRead, sound: Sequence[bytes], folder: Path, bounds: Bounds, seed: int = 1
) -> Tally:
    """Let a reader, in a child process, read mutations of sound inputs.

    Args:
        new_read: makes the reader; a function of a module of these tests.
        sound: what the reader accepts.
        folder: where the child keeps its files, and the inputs that did harm.
        bounds: what the reader is held to.
        seed: of all chance.

    Raises:
        AssertionError: an input ended the child, was a fault, or went beyond the bounds.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for number, whole in enumerate(sound):
        (folder / f"{number:02}.sound").write_bytes(whole)
    work = {
        "read": [new_read.__module__, new_read.__name__],
        "bounds": dataclasses.asdict(bounds),
        "seed": seed,
    }
    command = [sys.executable, "-m", "tests.support.mutations", str(folder), json.dumps(work)]
    with (folder / "child.log").open("wb") as log:
        ended = subprocess.run(
            command, stderr=log, check=False, timeout=2 * bounds.seconds + 120
        ).returncode
    told = (folder / "child.log").read_text(errors="replace")[-4000:]
    assert ended == 0, f"the child ended with {ended} on {folder / 'last'}:\n{told}"
    tally = Tally(**json.loads((folder / "tally.json").read_bytes()))
    assert not tally.faults, "\n".join(tally.faults)
    return tally


def _try_all(read: Read, inputs: Iterator[bytes], folder: Path, bounds: Bounds) -> Tally:
    outcomes: Counter[str] = Counter()
    faults: list[str] = []
    until = time.monotonic() + bounds.seconds
    for body in inputs:
        if time.monotonic() > until or len(faults) >= _FAULTS_KEPT:
            break
        (folder / "last").write_bytes(body)
        resident = _forget_peak()
        began = time.process_time()
        fault = ""
        try:
            outcomes[read(body)] += 1
        except Exception:
            logger.exception("The reader raised")
            fault = traceback.format_exc(limit=-8)
        taken = time.process_time() - began
        grown = _peak() - resident
        if taken > bounds.processor_seconds:
            fault += f"took {taken:.1f} s"
        if grown > bounds.bytes:
            fault += f"grew by {grown:,} bytes"
        if fault:
            kept = (folder / "last").rename(folder / f"fault-{len(faults)}")
            faults.append(f"{kept}: {fault}")
    return Tally(outcomes.total(), dict(outcomes), faults)


def _forget_peak() -> int:
    """Let the most memory that was resident be what is now, and return it in bytes."""
    Path("/proc/self/clear_refs").write_text("5")
    return _peak()


def _peak() -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split(maxsplit=1)[0]) * 1024


def _main() -> None:
    folder, work = Path(sys.argv[1]), json.loads(sys.argv[2])
    # What would take the machine's memory fails instead.
    resource.setrlimit(resource.RLIMIT_AS, (_MAX_ADDRESSES, _MAX_ADDRESSES))
    module, name = work["read"]
    sound = [path.read_bytes() for path in sorted(folder.glob("*.sound"))]
    read = getattr(importlib.import_module(module), name)(folder)
    tally = _try_all(read, mutations(sound, work["seed"]), folder, Bounds(**work["bounds"]))
    (folder / "tally.json").write_text(json.dumps(dataclasses.asdict(tally)))
    # Threads of what was read need not be waited for.
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    _main()


PEOPLE = {feature.name: [feature.example] * 3 for feature in FEATURES}


def arrow(columns: Mapping[str, Any], compression: str | None = None) -> bytes:
    table = pa.table(columns)
    sink = io.BytesIO()
    options = pa.ipc.IpcWriteOptions(compression=compression)
    with pa.ipc.new_stream(sink, table.schema, options=options) as writer:
        writer.write_table(table)
    return sink.getvalue()
