"""What every command does alike: take each option once, leave none unused, tell how it ended."""

import io
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

from customer_segmentation.cli.console.output import Terminated, errors_told, shortened, visible

_NUMBERS = ("int", "float", "list[int]", "list[float]")
"""What Typer calls the types of arguments and options that are numbers."""


class Commands(TyperGroup):
    """All commands; none fails because the terminal's encoding lacks a character."""

    def main(self, *args: Any, **given: Any) -> Any:  # noqa: ANN401
        """Do a command; what the encoding lacks is written as an escape sequence."""
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")
        return super().main(*args, **given)

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401
        """Do a command; what it quotes of wrong usage holds nothing that a terminal would obey."""
        try:
            return super().invoke(ctx)
        except typer.BadParameter as wrong:
            wrong.message = visible(shortened(wrong.message))
            raise


class Command(TyperCommand):
    """A command that refuses an option given twice, and tells an expected error in a line."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401
        """Read the arguments; of an option given twice, the first value would be lost.

        Python reads `5_6` as 56, which would be another customer than the one who is meant.
        """
        texts, _, given = self.make_parser(ctx).parse_args(args=list(args))
        for param in self.params:
            if given.count(param) > 1 and not getattr(param, "multiple", True):
                raise typer.BadParameter(f"{param.opts[0]} is given more than once")
            kind = param.bare_type() if isinstance(param, TyperArgument | TyperOption) else ""
            if kind in _NUMBERS and "_" in str(texts.get(param.name)):
                raise typer.BadParameter(f"{param.opts[0]} must be a number, without a `_` in it")
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401
        """Do the command, if its texts are such: a text with other bytes can be stored nowhere."""
        for param in self.params:
            value = ctx.params.get(param.name)
            for text in value if isinstance(value, list) else [value]:
                if isinstance(text, str) and not _is_unicode(text):
                    name = param.opts[0]
                    raise typer.BadParameter("is no text in UTF-8", ctx=ctx, param_hint=name)
        with errors_told(), _ended_in_order():
            return super().invoke(ctx)


def _is_unicode(text: str) -> bool:
    """Return whether a text has no surrogate, which stands for a byte that was no text."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


@contextmanager
def _ended_in_order() -> Iterator[None]:
    """Let SIGTERM end a command as Ctrl+C does, so that nothing half written stays."""
    if threading.current_thread() is not threading.main_thread():
        yield  # Signals are not for it.
        return
    former = signal.signal(signal.SIGTERM, _end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, former)


def _end(_signal: int, _frame: FrameType | None) -> None:
    raise Terminated


def refuse_given(context: typer.Context, why: str, *names: str) -> None:
    """Refuse options, by parameter names, that have no effect beside the others.

    What the environment says holds for every command, and is no fault.
    """
    given = [
        param.opts[0]
        for param in context.command.params
        if param.name in names and is_given(context, param.name)
    ]
    if given:
        raise typer.BadParameter(f"{', '.join(given)} {why}")


def is_given(context: typer.Context, name: str) -> bool:
    """Return whether an option is given on the command line."""
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"
