"""Consumers and publishers in processes of their own, which tests stop and kill."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.brokers import Place
from tests.support.forked import ForkedCommand


@contextmanager
def consuming(
    place: Place, topic: str, shop: str, folder: Path, *more: str
) -> Iterator[ForkedCommand]:
    """Take messages in meanwhile, in a process that is killed in the end."""
    with running("consume", place, topic, shop, folder, "--group", topic, *more) as process:
        yield process


@contextmanager
def running(
    command: str, place: Place, topic: str, shop: str, folder: Path, *more: str
) -> Iterator[ForkedCommand]:
    """Run a command on a broker meanwhile; what still runs in the end is killed."""
    words = [command, place.url, "--topic", topic, "--json", *more]
    env = os.environ | {"DATABASE_URL": shop}
    process = ForkedCommand(words, folder, env, folder / "output", folder / "errors")
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.wait(timeout=30)
