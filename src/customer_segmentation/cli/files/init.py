"""The command that makes a schema from a table of customers."""

import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from customer_segmentation.cli.console.commands import is_given, refuse_given
from customer_segmentation.cli.console.output import errors, print_table, say, visible, warn
from customer_segmentation.cli.files.outputs import STANDARD, check_outputs
from customer_segmentation.cli.files.tables import (
    DelimiterOption,
    EncodingOption,
    FilesArgument,
    FormatOption,
    SheetOption,
    opened,
)
from customer_segmentation.domain.errors import FieldError, InvalidInputError
from customer_segmentation.domain.plurals import counted

if TYPE_CHECKING:
    from customer_segmentation.files.read.tables import Reading, Source
    from customer_segmentation.services.schema.infer import Guesses, Inference
    from customer_segmentation.services.schema.looking import Opening, TableLook
    from customer_segmentation.services.schema.proposals import Proposal

_NONE = "none"
_OF_FILES = ("file_format", "delimiter", "encoding", "sheet")


def init(
    context: typer.Context,
    files: FilesArgument,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Take the guesses without asking.")
    ] = False,
    to: Annotated[
        Path,
        typer.Option("--output", "-o", help="Schema file to write.", dir_okay=False),
    ] = Path("schema.toml"),
    force: Annotated[
        bool, typer.Option("--force", help="Replace the schema file where it exists.")
    ] = False,
    query_of: Annotated[
        str | None,
        typer.Option("--from", metavar="URL", help="FILE is a SQL query on this database."),
    ] = None,
    file_format: FormatOption = None,
    delimiter: DelimiterOption = None,
    encoding: EncodingOption = None,
    sheet: SheetOption = None,
) -> None:
    """Make a schema from a table of customers: which columns to use, how, and why.

    Asks on a terminal what it cannot know. Writes a schema file for you to look at and change; the
    table is only read. Several files must have the same columns.

    Example: customer-segmentation init customers.csv --yes -o schema.toml
    """
    from customer_segmentation.files.read.tables import Reading
    from customer_segmentation.files.write.atomic import whole_file
    from customer_segmentation.services.schema.infer import guess, infer
    from customer_segmentation.services.schema.looking import look
    from customer_segmentation.services.schema.report import write_inference

    if is_given(context, "query_of"):
        refuse_given(context, "is for files, not for --from", *_OF_FILES)
    if files.count(STANDARD) > 1:
        raise typer.BadParameter("standard input can be read once")
    if to.exists() and not force:
        message = f"{to} exists: name another file, or replace it with --force"
        raise InvalidInputError([FieldError("output", message)])
    check_outputs([to], files if query_of is None else [])
    reading = Reading(file_format, delimiter, encoding, sheet)
    with _openings(files, reading, query_of) as openings:
        with errors.status("looking at the table"):
            table = look(openings)
        guesses = guess(table)
        if not yes and sys.stdin.isatty():
            guesses = _ask(table, guesses)
        with errors.status("reading the whole table"):
            inference = infer(openings, table, guesses, reading)
    _show(inference)
    text = write_inference(inference, [str(file) for file in files])
    with whole_file(to) as output:
        output.write(text.encode())
    what = "customer" if inference.source.records is None else "transaction"
    say(
        f"{to}: {counted(len(inference.schema.attributes), 'attribute')} of "
        f"{counted(inference.rows, what)}. Look at it, and change what is wrong"
    )


@contextmanager
def _openings(
    files: list[Path], reading: "Reading", query_of: str | None
) -> "Iterator[list[Opening]]":
    """Yield what opens each file anew; standard input is kept in a file meanwhile."""
    with ExitStack() as stack:
        paths = []
        for file in files:
            if file == STANDARD and query_of is None:
                folder = stack.enter_context(TemporaryDirectory(prefix="init-"))
                paths.append(Path(folder) / "standard-input")
                with paths[-1].open("wb") as kept:
                    shutil.copyfileobj(sys.stdin.buffer, kept)
            else:
                paths.append(file)
        yield [_opening(path, reading, query_of) for path in paths]


def _opening(path: Path, reading: "Reading", query_of: str | None) -> "Opening":
    warned = False

    @contextmanager
    def opening() -> "Iterator[Source]":
        nonlocal warned
        from customer_segmentation.files.read.tables import Query, open_table

        if warned:
            table = Query(query_of, str(path)) if query_of is not None else path
            with open_table(table, reading) as source:
                yield source
        else:
            warned = True
            with opened(path, reading, query_of) as source:
                yield source

    return opening


def _ask(table: "TableLook", guesses: "Guesses") -> "Guesses":
    """Ask what cannot be known from the table, each with the guess as default."""
    from customer_segmentation.services.schema.infer import with_id

    if guesses.id.is_doubtful:
        headers = [column.name for column in table.columns]
        able = {headers[place]: place for place in guesses.id.candidates if headers[place]}
        guess = _NONE if guesses.id.place is None else headers[guesses.id.place]
        answer = _choose(
            "Which column tells customers apart, or none, which numbers the rows?",
            [*able, _NONE],
            guess,
        )
        if answer != guess:
            guesses = with_id(guesses, able.get(answer))
    columns = tuple(
        proposal if proposal.place == guesses.id.place else _ask_about(proposal)
        for proposal in guesses.columns
    )
    return replace(guesses, columns=columns)


def _ask_about(proposal: "Proposal") -> "Proposal":
    if not proposal.question:
        return proposal
    choices = {choice.word: choice for choice in proposal.choices}
    question = f"{proposal.header}: {proposal.question}"
    return proposal.choose(choices[_choose(question, [*choices], proposal.choices[0].word)])


def _choose(question: str, answers: list[str], guess: str) -> str:
    """Ask until one of the answers is given; Return alone is the guess."""
    told = ", ".join(answers)
    while True:
        answer: str = typer.prompt(visible(f"{question} ({told})"), default=str(guess), err=True)
        if answer in answers:
            return answer
        warn(f"Answer with one of {told}")


def _show(inference: "Inference") -> None:
    print_table(
        ("column", "taken as", "why"),
        [
            (
                finding.column or "(no header)",
                f"{finding.use}: {finding.kind}" if finding.kind else finding.use,
                "; ".join(finding.reasons),
            )
            for finding in inference.findings
        ],
    )
    for remark in inference.remarks:
        warn(remark)
    if inference.fitting < 1:
        warn(f"{1 - inference.fitting:.1%} of the rows would be refused: see the reasons above")
